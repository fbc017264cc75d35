// SPDX-License-Identifier: Apache-2.0

import Raft

/// How the transcripts put things.
enum Wording {
    static func entry(_ entry: Entry) -> String {
        let place = "\(entry.index)/\(entry.term)"
        switch entry.content {
        case .empty: return place
        case .payload(let payload):
            let text = String(decoding: payload, as: UTF8.self)
            return "\(place) \(text.count > 12 ? "[\(text.count) bytes]" : text)"
        case .configuration(let group): return "\(place) group(\(configuration(group)))"
        }
    }

    static func configuration(_ group: Configuration) -> String {
        let voters = group.voters.map(\.description).joined(separator: " ")
        guard !group.learners.isEmpty else { return voters }
        return voters + " learning " + group.learners.map(\.description).joined(separator: " ")
    }

    static func entries(_ entries: [Entry]) -> String {
        entries.isEmpty ? "nothing" : entries.map(entry).joined(separator: ", ")
    }

    static func position(_ position: LogPosition) -> String {
        "\(position.index)/\(position.term)"
    }

    static func message(_ message: Message) -> String {
        "\(message.from)>\(message.to) t\(message.term) \(kind(message.kind))"
    }

    private static func kind(_ kind: Message.Kind) -> String {
        switch kind {
        case .preVote(let last): "preVote last=\(position(last))"
        case .preVoteReply(let isGranted): "preVoteReply \(isGranted ? "granted" : "refused")"
        case .vote(let last, let isTransfer):
            "vote last=\(position(last))\(isTransfer ? " transfer" : "")"
        case .voteReply(let isGranted): "voteReply \(isGranted ? "granted" : "refused")"
        case .append(let append):
            "append after \(position(append.previous)): \(entries(append.entries)); "
                + "commit \(append.commit)\(append.echo.map { " echo \($0.index)" } ?? "")"
        case .appendReply(let reply): "appendReply \(outcome(reply.outcome))"
        case .heartbeat(let heartbeat):
            "heartbeat commit \(heartbeat.commit)"
                + "\(heartbeat.echo.map { " echo \($0.index)" } ?? "")"
        case .heartbeatReply: "heartbeatReply"
        case .snapshot(let snapshot):
            "snapshot \(position(snapshot.position)) "
                + "group(\(configuration(snapshot.configuration)))"
        case .timeoutNow: "timeoutNow"
        case .staleTerm: "staleTerm"
        }
    }

    private static func outcome(_ outcome: AppendReply.Outcome) -> String {
        switch outcome {
        case .accepted(let match): "accepted \(match)"
        case .rejected(let index, let hint): "rejected \(index) hint \(position(hint))"
        }
    }

    static func write(_ write: Write) -> String {
        var parts: [String] = []
        if let snapshot = write.snapshot { parts.append("snapshot \(position(snapshot.position))") }
        if let index = write.truncateFrom { parts.append("truncate from \(index)") }
        if !write.entries.isEmpty { parts.append(entries(write.entries)) }
        if let state = write.hardState {
            parts.append("term \(state.term) vote \(state.vote?.description ?? "-")")
        }
        return "write \(write.number): " + parts.joined(separator: "; ")
    }

    static func role(_ change: RoleChange) -> String {
        let leader = change.leader.map { " of \($0)" } ?? ""
        let role = change.role == .leader ? "leader" : "\(change.role)\(leader)"
        return "\(role) in term \(change.term) (\(cause(change.cause)))"
    }

    private static func cause(_ cause: RoleCause) -> String {
        if case .stopped(let reason) = cause { return "\(reason)" }
        return "\(cause)"
    }

    static func refusal(_ refusal: Refusal) -> String {
        switch refusal {
        case .notLeader(let leader): "notLeader\(leader.map { ", try \($0)" } ?? "")"
        case .membership(let error): "\(error)".replacing("RaftTests.", with: "")
        default: "\(refusal)"
        }
    }

    static func range(_ range: ClosedRange<LogIndex>) -> String {
        range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)"
    }
}
