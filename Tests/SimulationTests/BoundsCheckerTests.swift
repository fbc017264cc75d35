// SPDX-License-Identifier: Apache-2.0

import Log
import Raft
import Replica
import Testing

@testable import Simulation

@Suite("bounds checker")
struct BoundsCheckerTests {
    private let options = WorldOptions(.plain, seed: 0)

    /// A member with so many entries of the size of a change, and so many of them applied.
    private func member(entries count: Int, applied: LogIndex) -> Member {
        let group = Configuration(voters: [1, 2, 3].map { MemberID($0) })
        let bytes = [UInt8](repeating: 7, count: 76)
        let entries = (0..<count).map { place in
            Entry(term: 1, index: LogIndex(place + 1), content: .payload(bytes))
        }
        return Member(
            id: MemberID(1),
            recovery: Recovery(
                hardState: HardState(term: 1, vote: nil),
                snapshot: Snapshot(
                    position: LogPosition(index: 0, term: 0),
                    configuration: group
                ),
                entries: entries,
                appliedIndex: applied
            ),
            generator: SplitMix64(seed: 1),
            now: 0
        )
    }

    private func held(_ count: Int, applied: LogIndex) -> String? {
        let member = member(entries: count, applied: applied)
        return violation { () throws(Violation) in try BoundsChecker(options).check(member) }
    }

    @Test("a log that keeps what is applied")
    func applied() {
        #expect(options.limits.retainedBytesMax == 2000)
        #expect(held(40, applied: 40) == nil)
        // What is not applied has to stay.
        #expect(held(400, applied: 40) == nil)
        let told = held(41, applied: 41)
        #expect(told == "1 holds 4000 bytes of entries that are applied, and may keep 2000")
    }

    @Test("a leader with more than a batch under way")
    func batches() throws {
        let found = (UInt64(1)..<100).first { seed in
            WorldOptions(.swarm, seed: seed).limits.batchEntriesMax == 3
        }
        let seed = try #require(found)
        let checker = BoundsChecker(WorldOptions(.swarm, seed: seed))
        var leader = alone()
        for request in 1...3 {
            _ = leader.step(.propose(RequestID(UInt64(request)), [[1]]), at: 2)
            let told = violation { () throws(Violation) in try checker.check(leader) }
            #expect(told == nil)
        }
        _ = leader.step(.propose(RequestID(4), [[1]]), at: 2)
        let told = violation { () throws(Violation) in try checker.check(leader) }
        #expect(told == "1 leads with 4 proposals under way, and a batch has 3")
    }

    /// The leader of a group of one.
    private func alone() -> Member {
        let group = Configuration(voters: [MemberID(1)])
        var member = Member(
            id: MemberID(1),
            recovery: Recovery(
                snapshot: Snapshot(
                    position: LogPosition(index: 0, term: 0),
                    configuration: group
                )
            ),
            generator: SplitMix64(seed: 1),
            now: 0
        )
        for effect in member.step(.tick, at: 1) {
            if case .persist(let write) = effect {
                _ = member.step(.persisted(through: write.number), at: 1)
            }
        }
        return member
    }

    @Test("more requests waiting than are let in, or than were asked for")
    func requests() {
        let checker = BoundsChecker(options)
        func waiting(_ count: Int, _ asked: Int) -> String? {
            violation { () throws(Violation) in
                try checker.check(pendingCount: count, asked: asked, by: MemberID(1))
            }
        }
        #expect(waiting(3, 3) == nil)
        #expect(waiting(4, 3)?.hasPrefix("1 has 4 requests waiting, of 3") == true)
        let bound = options.limits.proposalsMax
        #expect(waiting(bound, bound + 1) == nil)
        #expect(waiting(bound + 1, bound + 1) != nil)
    }
}
