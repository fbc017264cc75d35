// SPDX-License-Identifier: Apache-2.0

import Raft
import Replica
import Store
import Testing

/// Changes of the group, asked for as anything else is.
@Suite struct GroupMembershipTests {
    private var group: Group

    init() throws {
        group = try Group(voters: [1, 2, 3], count: 4)
        try group.elect(1)
        try group.pass(ticks: 1)
    }

    private mutating func change(_ number: UInt64, _ change: Raft.MembershipChange) throws {
        try group.step(1, .changeMembership(ProposalID(number), change))
        try group.pass(ticks: 3)
    }

    @Test("a learner is added, promoted, and another member removed; each is answered once")
    mutating func changes() throws {
        try group.propose(7, to: 1)
        try group.settle()
        try change(101, .addLearner(MemberID(4)))
        #expect(group[1].configuration.learners == [MemberID(4)])
        #expect(try group.holds(4, "s7"))
        #expect(try group.state(4) == group.state(1))
        #expect(group[4].freshAsOf(now: group.now) > 0)
        try change(102, .promote(MemberID(4)))
        #expect(group[4].configuration.voters.count == 4)
        try change(103, .remove(MemberID(2)))
        #expect(group[1].configuration.voters == [1, 3, 4].map { MemberID($0) })
        for number in UInt64(101)...103 { #expect(group.answers[number] == ["success"]) }
        try group.propose(8, to: 1)
        try group.pass(ticks: 1)
        #expect(try group.holds(4, "s8"))
        #expect(try !group.holds(2, "s8"))
    }

    @Test("a change is answered once it is committed and applied")
    mutating func order() throws {
        let asked = try group.step(1, .changeMembership(ProposalID(7), .addLearner(MemberID(4))))
        #expect(!asked.contains { $0.hasPrefix("reply") })
        try group.write(1)
        try group.deliver(1, 2)
        try group.write(2)
        #expect(try group.deliver(2, 1).contains("warn"))
        #expect(group.answers[7] == nil)
        #expect(try group.warned(1).contains("reply 7 success"))
    }

    @Test("what makes no sense is refused, and so is whoever asks a follower")
    mutating func refused() throws {
        try change(7, .promote(MemberID(4)))
        #expect(group.answers[7] == [#"notWritable(reason: "the group: notMember(4)")"#])
        try change(8, .addLearner(MemberID(2)))
        #expect(group.answers[8] == [#"notWritable(reason: "the group: alreadyMember(2)")"#])
        let told = try group.step(2, .changeMembership(ProposalID(9), .remove(MemberID(1))))
        #expect(told == [#"reply 9 notWritable(reason: "member 1 leads")"#])
    }

    @Test("a learner's copies do not count, and it never leads")
    mutating func learner() throws {
        try change(101, .addLearner(MemberID(4)))
        group.isolate(2)
        group.isolate(3)
        try group.propose(7, to: 1)
        try group.settle()
        #expect(group[4].lastIndex == group[1].lastIndex)
        #expect(group.answers[7] == nil)
        try group.pass(ticks: 50)
        #expect(group.answers[7] == ["timedOut"])
        #expect(group[4].role == .follower)
        #expect(try !group.holds(4, "s7"))
    }

    @Test("a change lost with its leader is told of, and the group is as it was")
    mutating func lost() throws {
        group.isolate(1)
        try group.step(1, .changeMembership(ProposalID(7), .addLearner(MemberID(4))))
        try group.settle()
        #expect(group[1].configuration.learners == [MemberID(4)])
        try group.elect(2)
        group.rejoin(1)
        try group.pass(ticks: 2)
        #expect(group.answers[7] == [#"notWritable(reason: "another leader took its place")"#])
        #expect(group[1].configuration.learners.isEmpty)
        #expect(try group.state(1) == group.state(2))
    }

    @Test("the state remembers the last eight groups, the same everywhere")
    mutating func remembered() throws {
        for round in UInt64(0)..<6 {
            try change(100 + 2 * round, .addLearner(MemberID(4)))
            try change(101 + 2 * round, .remove(MemberID(4)))
        }
        for number in UInt64(100)..<112 { #expect(group.answers[number] == ["success"]) }
        let groups = group[1].store.metadata.configurations
        #expect(groups.count == 8)
        #expect(groups.last?.index == group[1].appliedIndex)
        for id in UInt64(2)...3 {
            #expect(group[id].store.metadata.configurations == groups)
            #expect(try group.state(id) == group.state(1))
        }
    }

    @Test("a leader that removes itself answers for it, and the others go on")
    mutating func leaderLeaves() throws {
        try change(7, .remove(MemberID(1)))
        #expect(group.answers[7] == ["success"])
        #expect(group[1].role == .follower)
        try group.pass(ticks: 30)
        let leader = try #require(group[2].leader)
        #expect(leader != MemberID(1))
        try group.propose(8, to: leader.rawValue)
        try group.settle()
        #expect(group.answers[8] == ["success"])
    }

    @Test("two members lead and commit while one is away; one on its own does not")
    mutating func majority() throws {
        group.isolate(3)
        try group.propose(7, to: 1)
        try group.settle()
        #expect(group.answers[7] == ["success"])
        group.isolate(2)
        try group.propose(8, to: 1)
        try group.pass(ticks: 50)
        #expect(group.answers[8] == ["timedOut"])
    }

    @Test("a group of two needs both")
    func pair() throws {
        var group = try Group(voters: [1, 2])
        try group.elect(1)
        try group.propose(7, to: 1)
        try group.write(1)
        #expect(group.answers[7] == nil)
        try group.settle()
        #expect(group.answers[7] == ["success"])
        #expect(try group.state(1) == group.state(2))
    }
}
