// SPDX-License-Identifier: Apache-2.0

import Log
import Raft
import Replica
import Testing

/// Replicas whose disks have no room for a while, or fail for good.
@Suite struct GroupDiskTests {
    private var group: Group

    init() throws {
        group = try Group(voters: [1, 2, 3])
        try group.elect(1)
        try group.pass(ticks: 1)
    }

    /// The log on a member's disk.
    private func log(_ id: UInt64) throws -> [LogEntry] {
        try group.node(id).storage.log.entries(from: 1, bytesMax: .max)
    }

    @Test("a leader without room hands over, and answers for what it led once there is room")
    mutating func leader() throws {
        let many = Array(UInt64(11)...90)
        group.slow = [1]
        group.node(1).disk.setCapacity(0)
        try group.propose(many, to: 1)
        try group.propose(100, to: 1)
        #expect(try group.write(1).first == "reply 100 noSpace")
        try group.settle()
        try group.pass(ticks: 3)
        #expect(group[1].role == .follower)
        let leader = try #require(group[1].leader).rawValue
        #expect(leader != 1)
        #expect(try group.holds(leader, "s90"))
        for _ in 0..<3 { try group.write(1) }
        #expect(try !group.holds(1, "s11"))
        for number in many { #expect(group.answers[number] == nil) }

        group.node(1).disk.setCapacity(1 << 30)
        group.slow = []
        try group.pass(ticks: 3)
        for number in many { #expect(group.answers[number] == ["success"]) }
        #expect(try group.state(1) == group.state(leader))
        #expect(try log(1) == log(leader))
        #expect(try !group.holds(1, "s100"))
    }

    @Test("a member that is brought back from an older disk is found out, and never starts again")
    mutating func rolledBack() throws {
        var generator = SplitMix64(seed: 1)
        let older = group.node(2).disk.crash(.keepsAll, using: &generator)
        try group.propose(11, 12, to: 1)
        try group.settle()
        let member = group.node(2)
        member.disk = older
        try member.restart(now: group.now)
        try group.pass(ticks: 2)
        #expect(!member.isUp)
        #expect(throws: RecoveryError.doubted) { try member.restart(now: group.now) }
        // Not even from what a crash would leave now.
        member.disk = member.disk.crash(.losesAll, using: &generator)
        #expect(throws: RecoveryError.doubted) { try member.restart(now: group.now) }
    }

    @Test("where the same write takes entries back, nothing is lost or doubled either")
    mutating func truncation() throws {
        group.isolate(1)
        try group.propose(11, 12, 13, to: 1)
        try group.settle()
        try group.elect(2)
        try group.propose(Array(UInt64(21)...100), to: 2)
        try group.settle()
        group.slow = [1]
        group.rejoin(1)
        try group.pass(ticks: 1)
        // The new term; before it is durable a member answers nobody.
        try group.write(1)
        try group.pass(ticks: 1)
        let next = try #require(group.node(1).writes.first).write
        #expect(next.truncateFrom == 3)
        #expect(next.entries.count > 80)
        group.node(1).disk.setCapacity(0)
        for _ in 0..<3 { try group.write(1) }
        #expect(group.node(1).writes.first?.write == next)
        #expect(try !group.holds(1, "s21"))

        group.node(1).disk.setCapacity(1 << 30)
        group.slow = []
        try group.pass(ticks: 2)
        #expect(try group.state(1) == group.state(2))
        #expect(try log(1) == log(2))
        for number in UInt64(11)...13 {
            #expect(group.answers[number]?.count == 1)
            #expect(group.answers[number] != ["success"])
        }
        var generator = SplitMix64(seed: 1)
        try group.restart(1, cutBy: &generator)
        try group.pass(ticks: 25)
        #expect(try group.state(1) == group.state(2))
    }

    @Test("a member whose disk fails stops, and the others go on without it")
    mutating func failed() throws {
        group.node(3).disk.fail(.init(.syncData, errno: 5))
        try group.propose(7, to: 1)
        try group.settle()
        #expect(!group.node(3).isUp)
        #expect(group[3].isStopped)
        #expect(group[3].freshAsOf(now: group.now) == 0)
        #expect(group.answers[7] == ["success"])
        var generator = SplitMix64(seed: 2)
        try group.restart(3, cutBy: &generator)
        try group.pass(ticks: 3)
        #expect(try group.state(3) == group.state(1))
    }

    @Test("a group that loses its power at once has everything that was answered", arguments: 0..<8)
    mutating func powerCut(seed: Int) throws {
        var generator = SplitMix64(seed: UInt64(seed))
        for number in UInt64(11)...30 {
            try group.propose(number, to: 1)
            if generator.next() % 4 > 0 { try group.settle() }
        }
        for id in UInt64(1)...3 { try group.restart(id, cutBy: &generator) }
        try group.pass(ticks: 40)
        let leader = try #require(group[1].leader).rawValue
        for (number, answers) in group.answers where answers == ["success"] {
            #expect(try group.holds(leader, "s\(number)"))
        }
        for id in UInt64(1)...3 {
            #expect(try group.state(id) == group.state(leader))
            #expect(try group.beginnings(id) == 1)
        }
    }
}
