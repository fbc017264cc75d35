// SPDX-License-Identifier: Apache-2.0

import Raft
import Replica
import Store
import Testing

/// The time of the consensus core, as an owner passes it on who was busy meanwhile.
@Suite struct TickTests {
    private var owner: Owner
    private let tick: UInt64 = 10_000_000

    init() throws {
        var options = Options()
        options.tickNanoseconds = tick
        options.electionTicks = 30
        options.heartbeatTicks = 5
        owner = try Owner(MemoryStore(), voters: [1, 2, 3], options: options)
        owner.replica.journal = []
    }

    /// How many ticks the core gets when the owner comes again after so many of them.
    private mutating func ticks(after count: UInt64) -> Int {
        owner.now += count * tick
        owner.replica.journal = []
        owner.step(.tick)
        return owner.replica.journal?.count { $0.isTick } ?? 0
    }

    @Test("what an owner was late with is made good, as far as a heartbeat needs it")
    mutating func late() {
        #expect(ticks(after: 0) == 1)
        #expect(ticks(after: 1) == 1)
        #expect(ticks(after: 3) == 3)
        #expect(ticks(after: 9) == 5)
        #expect(ticks(after: 0) == 0)
    }

    @Test("a stall of an election timeout is one tick: what others said meanwhile comes first")
    mutating func stalled() {
        #expect(ticks(after: 0) == 1)
        #expect(ticks(after: 31) == 1)
        #expect(ticks(after: 1000) == 1)
        #expect(ticks(after: 1) == 1)
    }
}

extension MemberStep {
    fileprivate var isTick: Bool {
        if case .tick = input { true } else { false }
    }
}
