// SPDX-License-Identifier: Apache-2.0

import Raft

/// What members have said, so that it may come again, go elsewhere, or come in part.
struct Spoken {
    /// A snapshot, and where the state lies that travels beside it.
    struct Copy {
        var message: Message
        var path: String
    }

    /// The stamps that a leader has used in one term.
    private struct Stamps {
        var term: Term
        var values: [Stamp]
    }

    private struct Pair: Hashable {
        var from: MemberID
        var to: MemberID
    }

    private(set) var messages: [Message] = []
    private(set) var copies: [Copy] = []
    private var stamps: [MemberID: Stamps] = [:]
    private var answers: [Pair: Message] = [:]

    /// A state is large, so only so many are kept.
    private static let copiesMax = 8

    mutating func note(_ message: Message) {
        messages.append(message)
        switch message.kind {
        case .append(let append): note(append.stamp, of: message)
        case .heartbeat(let heartbeat): note(heartbeat.stamp, of: message)
        case .appendReply, .heartbeatReply:
            answers[Pair(from: message.from, to: message.to)] = message
        default: break
        }
    }

    mutating func note(_ message: Message, path: String) {
        if copies.count == Self.copiesMax { copies.removeFirst() }
        copies.append(Copy(message: message, path: path))
    }

    private mutating func note(_ stamp: Stamp, of message: Message) {
        if let known = stamps[message.from], known.term == message.term {
            if known.values.last != stamp { stamps[message.from]?.values.append(stamp) }
        } else {
            stamps[message.from] = Stamps(term: message.term, values: [stamp])
        }
    }

    /// What a leader has stamped its messages with in its term, oldest first.
    func stamps(of leader: MemberID, in term: Term) -> [Stamp] {
        guard let known = stamps[leader], known.term == term else { return [] }
        return known.values
    }

    /// The last that a member has answered its leader in a term: stamp and reading are its own.
    func answer(of member: MemberID, to leader: MemberID, in term: Term) -> AppendReply? {
        guard let message = answers[Pair(from: member, to: leader)], message.term == term else {
            return nil
        }
        switch message.kind {
        case .appendReply(let reply): return reply
        case .heartbeatReply(let reply):
            return AppendReply(
                outcome: .accepted(match: 0),
                stamp: reply.stamp,
                reading: reply.reading
            )
        default: return nil
        }
    }
}
