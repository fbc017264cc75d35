// SPDX-License-Identifier: Apache-2.0

internal import Raft

/// A number for a message, so that all that were ever sent can be remembered.
///
/// The mixing is that of Steele, Lea and Flood (2014).
struct Digest {
    private(set) var value: UInt64 = 0x9E37_79B9_7F4A_7C15

    static func of(_ message: Message) -> UInt64 {
        var digest = Digest()
        digest.add(message.from.rawValue << 32 ^ message.to.rawValue)
        digest.add(message.term)
        digest.add(message.kind)
        return digest.value
    }

    private mutating func add(_ number: UInt64) {
        value = (value ^ number) &* 0xBF58_476D_1CE4_E5B9
        value ^= value >> 29
    }

    private mutating func add(_ position: LogPosition) {
        add(position.index)
        add(position.term)
    }

    private mutating func add(_ stamp: Stamp, _ reading: Reading?) {
        add(stamp.round)
        add(stamp.clock)
        add(reading?.run ?? 1)
        add(reading?.clock ?? 1)
    }

    private mutating func add(_ configuration: Configuration) {
        add(UInt64(configuration.voters.count))
        for member in configuration.voters + configuration.learners { add(member.rawValue) }
    }

    private mutating func add(_ entry: Entry) {
        add(LogPosition(index: entry.index, term: entry.term))
        switch entry.content {
        case .empty: add(1)
        case .payload(let bytes):
            add(UInt64(bytes.count) << 2 | 2)
            for byte in bytes { add(UInt64(byte)) }
        case .configuration(let configuration):
            add(3)
            add(configuration)
        }
    }

    private mutating func add(_ kind: Message.Kind) {
        switch kind {
        case .preVote(let last):
            add(1)
            add(last)
        case .preVoteReply(let isGranted): add(isGranted ? 2 : 3)
        case .vote(let last, let isTransfer):
            add(isTransfer ? 4 : 5)
            add(last)
        case .voteReply(let isGranted): add(isGranted ? 6 : 7)
        case .append(let append):
            add(8)
            add(append.previous)
            for entry in append.entries { add(entry) }
            add(append.commit)
            add(append.stamp, append.echo?.reading)
            add(append.echo?.index ?? 0)
        case .appendReply(let reply):
            switch reply.outcome {
            case .accepted(let match):
                add(9)
                add(match)
            case .rejected(let index, let hint):
                add(10)
                add(index)
                add(hint)
            }
            add(reply.stamp, reply.reading)
        case .heartbeat(let heartbeat):
            add(11)
            add(heartbeat.commit)
            add(heartbeat.stamp, heartbeat.echo?.reading)
            add(heartbeat.echo?.index ?? 0)
        case .heartbeatReply(let reply):
            add(12)
            add(reply.stamp, reply.reading)
        case .snapshot(let snapshot):
            add(13)
            add(snapshot.position)
            add(snapshot.configuration)
        case .timeoutNow: add(14)
        case .staleTerm: add(15)
        }
    }
}
