// SPDX-License-Identifier: Apache-2.0

import Identity
import Log
import Raft
import Replica
import Store
import Testing

/// A copy of the state in place of entries that nobody has any more.
@Suite struct GroupSnapshotTests {
    private var group: Group

    init() throws {
        group = try Self.group()
    }

    /// A group that keeps no entry in memory longer than it has to, with a leader.
    private static func group() throws -> Group {
        var limits = ReplicaLimits()
        limits.retainedBytesMax = 1
        var group = try Group(voters: [1, 2, 3], limits: limits)
        try group.elect(1)
        try group.pass(ticks: 1)
        return group
    }

    /// Leaves member 3 so far behind that it needs a copy, which is under way to it then.
    private static func send(in group: inout Group) throws {
        group.isolate(3)
        for number in UInt64(1)...20 {
            try group.propose(number, to: 1)
            try group.settle()
        }
        group.rejoin(3)
        // A sign of life, and from then on what comes of it.
        for _ in 0..<10 where !group.post.contains(where: { $0.path != nil }) {
            group.wait(ticks: 1)
            try group.step(1, .tick)
            try group.deliver(1, 2)
            try group.deliver(2, 1)
            while !group.post.contains(where: { $0.path != nil }), !group.post.isEmpty {
                try group.deliver(1, 3)
                try group.deliver(3, 1)
                try group.deliver(1, 2)
                try group.deliver(2, 1)
            }
        }
    }

    @Test("a copy is made durable, readers are warned of everything, then the member counts on it")
    mutating func installed() throws {
        try Self.send(in: &group)
        let arrived = try group.deliver(1, 3)
        #expect(arrived == ["persist 4 snapshot 22"])
        #expect(group[3].appliedIndex == 2)
        #expect(try group.write(3) == ["warn everything"])
        #expect(group[3].appliedIndex == 2)
        #expect(group[3].observation.appliedIndex == 2)
        #expect(try !group.holds(3, "s20"))
        #expect(try group.warned(3) == ["replaced", "send 1 appendReply"])
        #expect(group[3].appliedIndex == 22)
        #expect(group[3].observation.appliedIndex == 22)
        #expect(try group.state(3) == group.state(1))
        try group.propose(30, to: 1)
        try group.settle()
        #expect(try group.holds(3, "s30"))
        #expect(try group.state(3) == group.state(1))
    }

    @Test("a restart from a copy knows the group, and goes on from there")
    mutating func restarted() throws {
        try Self.send(in: &group)
        try group.settle()
        var generator = SplitMix64(seed: 1)
        try group.restart(3, cutBy: &generator)
        #expect(group[3].appliedIndex == 22)
        #expect(group[3].configuration == group[1].configuration)
        #expect(try group.state(3) == group.state(1))
        try group.propose(30, to: 1)
        try group.pass(ticks: 2)
        #expect(try group.state(3) == group.state(1))
    }

    @Test("a state that is not what its message says is not taken")
    mutating func wrongState() throws {
        try Self.send(in: &group)
        let letter = try #require(group.post.first { $0.path != nil })
        let state = group[2].store
        guard case .snapshot(var snapshot) = letter.message.kind else { return }
        snapshot.position.index -= 1
        var message = letter.message
        message.kind = .snapshot(snapshot)
        #expect(try group.step(3, .receiveSnapshot(message, state)).isEmpty)
        #expect(try group.deliver(1, 3) == ["persist 4 snapshot 22"])
    }

    @Test("a copy that comes twice is installed once")
    mutating func twice() throws {
        try Self.send(in: &group)
        let letter = try #require(group.post.first { $0.path != nil })
        let state = group[2].store
        #expect(try group.deliver(1, 3) == ["persist 4 snapshot 22"])
        #expect(try group.step(3, .receiveSnapshot(letter.message, state)).isEmpty)
        try group.settle()
        let again = try group.step(3, .receiveSnapshot(letter.message, state))
        #expect(again == ["send 1 appendReply"])
        #expect(try group.state(3) == group.state(1))
    }

    @Test("of a proposal whose place is inside a copy nobody knows the outcome")
    mutating func inFlight() throws {
        group.isolate(1)
        try group.propose(7, to: 1)
        try group.settle()
        try group.elect(2)
        for number in UInt64(11)...30 {
            try group.propose(number, to: 2)
            try group.settle()
        }
        #expect(group.answers[7] == nil)
        group.rejoin(1)
        try group.pass(ticks: 3)
        #expect(group.answers[7] == ["timedOut"])
        #expect(try group.state(1) == group.state(2))
        try group.pass(ticks: 50)
        #expect(group.answers[7] == ["timedOut"])
    }

    @Test("a crash anywhere in an installation leaves the old state or the new, and starts again")
    func crashes() throws {
        var outcomes: Set<LogIndex> = []
        var isComplete = false
        var operations = 0
        while !isComplete {
            for seed in UInt64(0)..<6 {
                var generator = SplitMix64(seed: seed)
                var group = try Self.group()
                try Self.send(in: &group)
                try group.deliver(1, 3)
                let (old, new) = (try group.state(3), try group.state(1))
                try group.node(3).flush()
                group.node(3).disk.cutPower(afterOperations: operations)
                isComplete = try group.write(3) == ["warn everything"]
                try group.restart(3, cutBy: &generator)
                let index = group[3].appliedIndex
                #expect(try group.state(3) == (index == 2 ? old : new), "\(operations), \(seed)")
                #expect(group.node(3).storage.log.lastIndex >= index)
                outcomes.insert(index)
                try group.propose(30, to: 1)
                try group.pass(ticks: 25)
                #expect(try group.holds(3, "s30"), "\(operations), \(seed)")
                #expect(try group.state(3) == group.state(1), "\(operations), \(seed)")
            }
            operations += 1
        }
        #expect(operations > 5)
        #expect(outcomes == [2, 22])
    }

    @Test("a crash behind the installation, before readers were warned, comes back with the copy")
    mutating func crashBeforeWarning() throws {
        try Self.send(in: &group)
        try group.deliver(1, 3)
        #expect(try group.write(3) == ["warn everything"])
        var generator = SplitMix64(seed: 3)
        try group.restart(3, cutBy: &generator)
        #expect(group[3].appliedIndex == 22)
        #expect(try group.state(3) == group.state(1))
    }

    @Test("a disk without room for the new log keeps the old one, and tries again")
    mutating func noSpace() throws {
        try Self.send(in: &group)
        try group.deliver(1, 3)
        group.node(3).disk.setCapacity(0)
        for _ in 0..<3 { #expect(try group.write(3).isEmpty) }
        #expect(group[3].appliedIndex == 2)
        group.node(3).disk.setCapacity(1 << 30)
        #expect(try group.write(3) == ["warn everything"])
        try group.settle()
        #expect(group[3].appliedIndex == 22)
        #expect(try group.state(3) == group.state(1))
        try group.propose(30, to: 1)
        try group.settle()
        var generator = SplitMix64(seed: 5)
        try group.node(3).flush()
        try group.restart(3, cutBy: &generator)
        #expect(try group.holds(3, "s30"))
    }
}
