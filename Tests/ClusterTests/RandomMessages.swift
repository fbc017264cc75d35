// SPDX-License-Identifier: Apache-2.0

import Cluster
import Identity
import Node
import Raft
import Replica
import Samples

/// Everything members may say to each other, by chance from a seed.
struct RandomMessages {
    var generator: SplitMix64
    static let kindsCount = 11

    init(seed: UInt64) {
        generator = SplitMix64(seed: seed)
    }

    mutating func flag() -> Bool { generator.below(2) == 0 }

    /// Of every size, up to the bound of indexes and terms.
    mutating func count() -> UInt64 {
        let bits = generator.below(64)
        return min(generator.next() >> UInt64(bits), PeerBoundsForTests.countMax)
    }

    /// Any number at all.
    mutating func number() -> UInt64 { generator.next() >> UInt64(generator.below(64)) }

    mutating func bytes(max: Int) -> [UInt8] {
        (0..<generator.below(max + 1)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }

    mutating func id() -> String {
        String(decoding: (0...generator.below(20)).map { _ in UInt8(97 + generator.below(26)) }, as: UTF8.self)
    }

    mutating func position() -> LogPosition { LogPosition(index: count(), term: count()) }
    mutating func stamp() -> Stamp { Stamp(round: number(), clock: number()) }
    mutating func reading() -> Reading { Reading(run: number(), clock: number()) }

    mutating func echo() -> FreshnessEcho? {
        flag() ? FreshnessEcho(reading: reading(), index: count()) : nil
    }

    mutating func group() -> Configuration {
        let members = (0..<generator.below(7)).map { _ in MemberID(1 + count() / 2) }
        let voters = generator.below(members.count + 1)
        return Configuration(
            voters: Array(members[..<voters]),
            learners: Array(members[voters...])
        )
    }

    mutating func append() -> Append {
        var previous = position()
        previous.index = min(previous.index, PeerBoundsForTests.countMax - 100)
        let entries = (0..<generator.below(6)).map { place in
            let content: Entry.Content =
                switch generator.below(3) {
                case 0: .empty
                case 1: .configuration(group())
                default: .payload(bytes(max: 200))
                }
            return Entry(term: count(), index: previous.index + UInt64(place) + 1, content: content)
        }
        return Append(
            previous: previous,
            entries: entries,
            commit: count(),
            stamp: stamp(),
            echo: echo()
        )
    }

    mutating func kind(_ number: Int) -> Raft.Message.Kind {
        switch number {
        case 0: .preVote(last: position())
        case 1: .preVoteReply(isGranted: flag())
        case 2: .vote(last: position(), isTransfer: flag())
        case 3: .voteReply(isGranted: flag())
        case 4: .append(append())
        case 5:
            .appendReply(
                AppendReply(
                    outcome: flag()
                        ? .accepted(match: count()) : .rejected(index: count(), hint: position()),
                    stamp: stamp(),
                    reading: reading()
                )
            )
        case 6: .heartbeat(Heartbeat(commit: count(), stamp: stamp(), echo: echo()))
        case 7: .heartbeatReply(HeartbeatReply(stamp: stamp(), reading: reading()))
        case 8: .snapshot(Snapshot(position: position(), configuration: group()))
        case 9: .timeoutNow
        default: .staleTerm
        }
    }

    mutating func message(_ number: Int, from: MemberID, to: MemberID) -> Raft.Message {
        Raft.Message(from: from, to: to, term: count(), kind: kind(number))
    }

    mutating func write() -> RecordWrite {
        let expected = flag() ? number() : nil
        guard flag() else { return RecordWrite(delete: .session, id: id(), expectedVersion: expected) }
        var facts = RecordFacts()
        facts.userID = id()
        facts.groupIDs = [id(), id()]
        facts.expiresAt = flag() ? Timestamp(seconds: Int64(generator.below(1 << 40))) : nil
        facts.documentBytes = UInt32(generator.below(1 << 20))
        return RecordWrite(
            put: Record(type: .session, id: id(), payload: bytes(max: 300)),
            facts: facts,
            expectedVersion: expected
        )
    }

    mutating func command() -> Command.Kind {
        switch generator.below(7) {
        case 0: return .put((0..<generator.below(4)).map { _ in write() })
        case 1: return .patch([write()], paths: [id(), id()])
        case 2:
            let targets: [RevocationTarget] = [
                .session(id()), .user(id()), .group(id()), .serviceAccount(id()),
            ]
            return .revoke(targets[generator.below(4)], reason: id())
        case 3:
            return .changeMembers(
                Identity.MembershipChange(group: id(), add: [id()], remove: [id()], replace: flag())
            )
        case 4: return .deleteGroup(id())
        case 5: return .setOptions(.session, RecordOptions())
        default:
            return .setOptions(.user, RecordOptions(capacity: number(), ttlSeconds: 60))
        }
    }

    mutating func request() -> PeerRequest {
        switch generator.below(7) {
        case 0...2:
            return .propose(command(), origin: RequestOrigin(client: number(), sequence: number()))
        case 3: return .progress(index: count())
        case 4:
            return .changeGroup(.add(GroupMember(id: count(), name: id(), address: "\(id()):7400")))
        case 5: return .changeGroup(flag() ? .promote(1 + count() / 2) : .remove(1 + count() / 2))
        default: return .transferLeadership(to: flag() ? 1 + count() / 2 : nil)
        }
    }

    mutating func answer() -> PeerAnswer {
        switch generator.below(3) {
        case 0: return .applied(Applied(recordVersion: number(), count: number()))
        case 1:
            return .progress(
                PeerProgress(
                    applied: count(),
                    forgotten: count(),
                    appliedAt: Timestamp(seconds: 12, nanoseconds: 999_999_999),
                    forgottenAt: Timestamp(seconds: -3)
                )
            )
        default:
            let errors = Self.errors
            return .failed(errors[generator.below(errors.count)])
        }
    }

    static let errors: [ProposalError] = [
        .refused(.revoked(id: "a")), .refused(.versionMismatch(id: "b", stored: .max)),
        .refused(.notFound(id: "c")), .refused(.exists(id: "")), .refused(.expired(id: "d")),
        .refused(.tooLarge(id: "e", bytes: 5 << 40, limit: 1)), .refused(.undecodable(id: "f")),
        .noSpace, .notWritable(reason: "member 2 leads"), .timedOut, .stopped, .busy,
        .io("disk on fire"),
    ]
}

enum PeerBoundsForTests {
    /// Said here once more, so that a change of the bound is noticed.
    static let countMax = UInt64.max / 2
}
