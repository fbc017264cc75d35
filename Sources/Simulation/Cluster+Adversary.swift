// SPDX-License-Identifier: Apache-2.0

import Log
import Raft
import Replica

/// Messages that nobody sent and that a member could have sent, in its term and from its log.
///
/// Chance alone hardly ever makes the one message that a bug waits for (an append that ends before
/// the receiver's log does, say), so it is made on purpose.
extension Cluster {
    /// A message from somebody's present state to somebody; nil where there is nothing to say.
    mutating func forge() -> Message? {
        let from = generator.index(below: nodes.count)
        let to = generator.index(below: nodes.count)
        guard from != to, nodes[from].isUp else { return nil }
        let member = nodes[from].replica.observation
        // A member outside of the group says nothing.
        guard member.configuration.contains(member.id) else { return nil }
        guard let kind = forgedKind(member) else { return nil }
        return Message(from: member.id, to: nodes[to].id, term: member.term, kind: kind)
    }

    private mutating func forgedKind(_ member: Member) -> Message.Kind? {
        let stamp = Stamp(round: 0, clock: 0)
        if member.role == .leader {
            guard generator.chance(80) else {
                return .heartbeat(Heartbeat(commit: 0, stamp: stamp))
            }
            return forgedAppend(member, stamp).map { .append($0) }
        }
        guard member.role == .candidate else { return nil }
        return .preVote(last: member.lastPosition)
    }

    /// Any part of the leader's log, with any commit index it has had.
    private mutating func forgedAppend(
        _ member: Member,
        _ stamp: Stamp
    ) -> Append? {
        let held = member.entries(from: member.firstIndex, bytesMax: .max)
        guard held.count >= 2 else { return nil }
        let start = 1 + generator.index(below: held.count - 1)
        let count = generator.index(below: held.count - start + 1)
        let before = held[start - 1]
        return Append(
            previous: LogPosition(index: before.index, term: before.term),
            entries: Array(held[start..<(start + count)]),
            commit: generator.number(below: member.commitIndex + 1),
            stamp: stamp
        )
    }
}
