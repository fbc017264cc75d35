// SPDX-License-Identifier: Apache-2.0

import Log
import Raft
import Replica

/// Messages that nobody sent and that a member could have sent, in its term and from its log.
///
/// Chance alone hardly ever makes the one message that a bug waits for (an append that ends before
/// the receiver's log does, say), so it is made on purpose. What is made up promises nothing that
/// was not promised: no entry is acknowledged that was not, no vote given that is not durable.
extension Cluster {
    /// A message from somebody to somebody, as both stand now or once stood.
    mutating func forge() {
        guard !isQuiet, let (forged, what) = forgery() else { return }
        reference.allow(forged)
        schedule(.message(forged), in: generator.number(below: 50 * Span.millisecond))
        statistics.note("message forged")
        statistics.note("forged: \(what)")
    }

    private mutating func forgery() -> (Message, String)? {
        if generator.chance(30) { return varied() }
        var (from, to) = (generator.index(below: nodes.count), somebodyInDoubt())
        if generator.chance(25) { swap(&from, &to) }
        guard from != to else { return nil }
        if let answer = forgedAnswer(from, to) { return answer }
        // A member outside of the group asks nobody, and leads nobody.
        let member = nodes[from].replica.observation
        guard nodes[from].isUp, member.configuration.contains(member.id) else { return nil }
        return member.role == .leader ? forgedOrder(member, to) : forgedRequest(member, from, to)
    }

    /// An election is soon over, so there is something made up in most of them.
    mutating func tempt(_ change: RoleChange) {
        guard options.forgeryPercent > 0, change.role == .candidate || change.role == .leader else {
            return
        }
        for _ in 0..<2 {
            schedule(.forge, in: generator.number(below: 2 * options.delayMax))
        }
    }

    /// Whoever asks for votes or leads no more does so for a moment, so it is chosen more often.
    private mutating func somebodyInDoubt() -> Int {
        let newest = nodes.map { $0.replica.term }.max() ?? 0
        let doubtful = nodes.indices.filter { node in
            guard nodes[node].isUp else { return false }
            switch nodes[node].replica.role {
            case .preCandidate, .candidate: return true
            case .leader: return nodes[node].replica.term < newest
            case .follower, .stopped: return false
            }
        }
        guard !doubtful.isEmpty, generator.chance(70) else {
            return generator.index(below: nodes.count)
        }
        return generator.pick(of: doubtful)
    }

    private func message(
        _ from: MemberID,
        _ to: Int,
        _ term: Term,
        _ kind: Message.Kind
    ) -> Message {
        Message(from: from, to: nodes[to].id, term: term, kind: kind)
    }

    // MARK: - Leaders and candidates

    /// Any part of the leader's log, with any commit index and any stamp it has had.
    private mutating func forgedOrder(_ member: Member, _ to: Int) -> (Message, String)? {
        let stamps = spoken.stamps(of: member.id, in: member.term)
        guard !stamps.isEmpty else { return nil }
        let stamp = generator.pick(of: stamps)
        guard generator.chance(80) else {
            let heartbeat = Heartbeat(commit: 0, stamp: stamp)
            return (message(member.id, to, member.term, .heartbeat(heartbeat)), "heartbeat")
        }
        let held = member.entries(from: member.firstIndex, bytesMax: .max)
        guard held.count >= 2 else { return nil }
        let start = 1 + generator.index(below: held.count - 1)
        let count = generator.index(below: held.count - start + 1)
        let append = Append(
            previous: Self.position(held[start - 1]),
            entries: Array(held[start..<(start + count)]),
            commit: generator.number(below: member.commitIndex + 1),
            stamp: stamp
        )
        return (message(member.id, to, member.term, .append(append)), "append")
    }

    private static func position(_ entry: Entry) -> LogPosition {
        LogPosition(index: entry.index, term: entry.term)
    }

    /// What a candidate has asked for or asks for now, with its own log.
    private mutating func forgedRequest(
        _ member: Member,
        _ from: Int,
        _ to: Int
    ) -> (Message, String)? {
        let last = member.lastPosition
        let isTransfer = nodes[from].isTransferCampaign
        if member.role == .preCandidate {
            return (message(member.id, to, member.term + 1, .preVote(last: last)), "pre-vote")
        }
        guard member.role == .candidate else { return nil }
        if !isTransfer, generator.chance(40) {
            return (message(member.id, to, member.term, .preVote(last: last)), "pre-vote")
        }
        // A vote is asked for once log and own vote are durable.
        guard nodes[from].writes.isEmpty else { return nil }
        let kind = Message.Kind.vote(last: last, isTransfer: isTransfer)
        return (message(member.id, to, member.term, kind), "vote request")
    }

    // MARK: - Answers

    /// What a member may answer to somebody who asks, or who leads: in a term that its disk has.
    private mutating func forgedAnswer(_ from: Int, _ to: Int) -> (Message, String)? {
        let (member, asker) = (nodes[from].replica.observation, nodes[to].replica.observation)
        guard let durable = durability.hardState(of: member.id), durable.term > 0 else {
            return nil
        }
        let term = durable.term
        switch asker.role {
        case .preCandidate:
            return (message(member.id, to, term, .preVoteReply(isGranted: false)), "refusal")
        case .candidate where term >= asker.term:
            // A vote that is durable was asked for, and may be given again; never taken back.
            let isGranted = term == asker.term && durable.vote == asker.id
            let what = isGranted ? "vote again" : "refusal"
            return (message(member.id, to, term, .voteReply(isGranted: isGranted)), what)
        case .leader where term > asker.term:
            return (message(member.id, to, term, .staleTerm), "stale term")
        case .leader where nodes[from].isUp && member.leader == asker.id:
            guard member.term == asker.term, generator.chance(30) else { return nil }
            return forgedRejection(member, asker, to)
        default: return nil
        }
    }

    /// The refusal of an append that the leader may well have sent, with the place where it may go
    /// on; when it was made is as true as in the last real answer.
    private mutating func forgedRejection(
        _ member: Member,
        _ leader: Member,
        _ to: Int
    ) -> (Message, String)? {
        guard var reply = spoken.answer(of: member.id, to: leader.id, in: leader.term) else {
            return nil
        }
        let held = member.entries(from: member.firstIndex, bytesMax: .max)
        let missing = leader.entries(from: member.commitIndex + 1, bytesMax: .max)
            .filter { entry in
                guard let place = held.firstIndex(where: { $0.index == entry.index }) else {
                    return entry.index > member.commitIndex
                }
                return held[place].term != entry.term
            }
        guard !missing.isEmpty else { return nil }
        let asked = generator.pick(of: missing)
        let fitting = held.last { $0.index <= asked.index && $0.term <= asked.term }
        let base = member.firstIndex - 1
        let hint =
            fitting.map(Self.position) ?? member.snapshot(at: base)?.position
            ?? LogPosition(index: base, term: 0)
        reply.outcome = .rejected(index: asked.index, hint: hint)
        return (message(member.id, to, leader.term, .appendReply(reply)), "rejection")
    }
}
