// SPDX-License-Identifier: Apache-2.0

import Log
import Raft
import Replica

/// What was said once comes again: as it was, to somebody else, or less of it.
extension Cluster {
    /// Anything that was ever sent arrives once more, of whatever term.
    mutating func replay() {
        let delay = generator.number(below: 300 * Span.millisecond)
        if !spoken.copies.isEmpty, generator.chance(5) {
            var copy = generator.pick(of: spoken.copies)
            let other = nodes[generator.index(below: nodes.count)].id
            // A leader may send its state to anybody.
            if other != copy.message.from, generator.chance(50) { copy.message.to = other }
            reference.allow(copy.message)
            schedule(.snapshot(copy.message, path: copy.path), in: delay)
            return statistics.note("snapshot replayed")
        }
        guard !spoken.messages.isEmpty else { return }
        schedule(.message(generator.pick(of: spoken.messages)), in: delay)
        statistics.note("message replayed")
    }

    /// A message that was sent, to somebody else or less of it; nil where neither can be.
    mutating func varied() -> (Message, String)? {
        guard !spoken.messages.isEmpty else { return nil }
        let message = generator.pick(of: spoken.messages)
        if generator.chance(50) { return lessened(message).map { ($0, "less of it") } }
        let other = nodes[generator.index(below: nodes.count)].id
        guard other != message.from, other != message.to else { return nil }
        return readdressed(message, to: other).map { ($0, "to somebody else") }
    }

    /// Fewer entries, an older commit index, a smaller part of what is acknowledged.
    private mutating func lessened(_ message: Message) -> Message? {
        var message = message
        switch message.kind {
        case .append(var append):
            let end = generator.index(below: append.entries.count + 1)
            let start = generator.index(below: end + 1)
            if start > 0 {
                let before = append.entries[start - 1]
                append.previous = LogPosition(index: before.index, term: before.term)
            }
            append.entries = Array(append.entries[start..<end])
            append.commit = generator.number(below: append.commit + 1)
            message.kind = .append(append)
        case .heartbeat(var heartbeat):
            heartbeat.commit = generator.number(below: heartbeat.commit + 1)
            message.kind = .heartbeat(heartbeat)
        case .appendReply(var reply):
            guard case .accepted(let match) = reply.outcome else { return nil }
            reply.outcome = .accepted(match: generator.number(below: match + 1))
            message.kind = .appendReply(reply)
        default: return nil
        }
        return message
    }

    /// What is not about the receiver alone may have gone to anybody.
    private func readdressed(_ message: Message, to other: MemberID) -> Message? {
        var message = message
        message.to = other
        switch message.kind {
        case .append(var append):
            append.echo = nil
            message.kind = .append(append)
        case .heartbeat(var heartbeat):
            // What the other has acknowledged nobody knows.
            heartbeat.commit = 0
            heartbeat.echo = nil
            message.kind = .heartbeat(heartbeat)
        case .vote, .preVote: break
        default: return nil
        }
        return message
    }
}
