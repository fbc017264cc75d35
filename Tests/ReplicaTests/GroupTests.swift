// SPDX-License-Identifier: Apache-2.0

import Identity
import Raft
import Replica
import Store
import Testing

/// Replicas in a group: what is answered when, and by whom.
@Suite struct GroupTests {
    private var group: Group

    init() throws {
        group = try Group(voters: [1, 2, 3])
        try group.elect(1)
        try group.pass(ticks: 1)
    }

    private static let lost = #"notWritable(reason: "another leader took its place")"#

    // MARK: - Proposals

    @Test("a proposal is answered once a majority has it durably and the leader has applied it")
    mutating func answered() throws {
        let proposed = try group.propose(7, to: 1)
        #expect(proposed == ["persist 4 3...3", "send 2 append", "send 3 append", "prepare"])
        #expect(try group.write(1).isEmpty)
        #expect(try group.deliver(1, 2) == ["persist 4 3...3"])
        #expect(try group.deliver(2, 1).isEmpty)
        #expect(group[1].commitIndex == 2)
        #expect(try group.write(2) == ["send 1 appendReply"])
        let committed = try group.deliver(2, 1)
        #expect(committed == ["send 2 append", "send 3 append", "warn"])
        #expect(group[1].commitIndex == 3)
        #expect(try !group.holds(1, "s7"))
        #expect(try group.warned(1) == ["applied", "reply 7 success"])
        #expect(try group.holds(1, "s7"))
    }

    @Test("a leader with a slow disk commits by the others, and answers once it has the entry too")
    mutating func slowLeader() throws {
        group.slow = [1]
        try group.propose(7, to: 1)
        try group.settle()
        #expect(group[1].commitIndex == 3)
        #expect(group.answers[7] == nil)
        #expect(try !group.holds(1, "s7"))
        #expect(try group.write(1) == ["warn"])
        #expect(try group.warned(1) == ["applied", "reply 7 success"])
    }

    @Test("a follower refuses changes, names the leader, and applies what is committed")
    mutating func follower() throws {
        let refused = try group.propose(7, to: 2)
        #expect(refused == [#"reply 7 notWritable(reason: "member 1 leads")"#])
        try group.propose(8, to: 1)
        try group.settle()
        for id in UInt64(1)...3 {
            #expect(try !group.holds(id, "s7"))
            #expect(try group.holds(id, "s8"))
            #expect(try group.state(id) == group.state(1))
        }
    }

    @Test("where nobody leads, that is the answer")
    func nobody() throws {
        var group = try Group(voters: [1, 2, 3])
        let refused = try group.propose(7, to: 1)
        #expect(refused == [#"reply 7 notWritable(reason: "no member leads at the moment")"#])
        for id in UInt64(1)...3 { #expect(group[id].freshAsOf(now: group.now) == 0) }
    }

    // MARK: - Reads

    @Test("a read is answered once a majority has confirmed the leader; a follower names it")
    mutating func reads() throws {
        #expect(
            try group.step(1, .read(ProposalID(7))) == ["send 2 heartbeat", "send 3 heartbeat"]
        )
        #expect(try group.deliver(1, 3) == ["send 1 heartbeatReply"])
        #expect(try group.deliver(3, 1) == ["reply 7 success"])
        let refused = try group.step(3, .read(ProposalID(8)))
        #expect(refused == [#"reply 8 notWritable(reason: "member 1 leads")"#])
    }

    @Test("a confirmed read waits until what was committed before it can be seen")
    mutating func readWaits() throws {
        try group.propose(7, to: 1)
        try group.write(1)
        try group.deliver(1, 2)
        try group.write(2)
        try group.deliver(2, 1)
        #expect(group[1].commitIndex == 3)
        try group.step(1, .read(ProposalID(8)))
        try group.deliver(1, 2)
        #expect(try group.deliver(2, 1).isEmpty)
        #expect(try group.warned(1) == ["applied", "reply 7 success", "reply 8 success"])
    }

    @Test("a read of a leader that is cut off is refused when it gives up, and never answered")
    mutating func readCutOff() throws {
        group.isolate(1)
        try group.step(1, .read(ProposalID(7)))
        try group.pass(ticks: 5)
        #expect(group.answers[7] == nil)
        try group.pass(ticks: 10)
        #expect(group.answers[7] == [#"notWritable(reason: "the leadership was lost")"#])
    }

    // MARK: - Leaders that are cut off

    @Test("a leader that is cut off answers nothing; back soon, it says once what did not happen")
    mutating func lostSoon() throws {
        group.isolate(1)
        try group.propose(7, to: 1)
        try group.settle()
        #expect(group[1].lastIndex == 3)
        try group.elect(2)
        try group.propose(8, to: 2)
        try group.settle()
        #expect(group.answers[7] == nil)
        group.rejoin(1)
        try group.pass(ticks: 2)
        #expect(group.answers[7] == [Self.lost])
        try group.pass(ticks: 50)
        #expect(group.answers[7] == [Self.lost])
        for id in UInt64(1)...3 {
            #expect(try !group.holds(id, "s7"))
            #expect(try group.holds(id, "s8"))
        }
    }

    @Test("back late, it has said that nobody knows, and says nothing more")
    mutating func lostLate() throws {
        group.isolate(1)
        try group.propose(7, to: 1)
        try group.pass(ticks: 38)
        #expect(group.answers[7] == nil)
        try group.pass(ticks: 3)
        #expect(group.answers[7] == ["timedOut"])
        try group.elect(2)
        group.rejoin(1)
        try group.pass(ticks: 50)
        #expect(group.answers[7] == ["timedOut"])
        #expect(group[1].appliedIndex == group[2].appliedIndex)
        for id in UInt64(1)...3 { #expect(try !group.holds(id, "s7")) }
    }

    @Test("a proposal that the next leader commits is answered with success by the one before")
    mutating func uncertain() throws {
        try group.propose(7, to: 1)
        try group.deliver(1, 2)
        try group.write(2)
        group.isolate(1)
        try group.elect(2)
        #expect(try group.holds(2, "s7"))
        #expect(group.answers[7] == nil)
        group.rejoin(1)
        try group.pass(ticks: 2)
        #expect(group.answers[7] == ["success"])
        #expect(try group.holds(1, "s7"))
    }

    @Test("a leader deposed with many proposals under way, and elected again, answers new ones")
    mutating func leadsAgain() throws {
        var limits = ReplicaLimits()
        limits.commitTimeoutNanoseconds = 10_000_000_000
        group = try Group(voters: [1, 2, 3], limits: limits)
        try group.elect(1)
        group.isolate(1)
        try group.propose([11, 12, 13, 14, 15, 16], to: 1)
        try group.settle()
        try group.elect(2)
        group.rejoin(1)
        try group.pass(ticks: 2)
        try group.elect(1)
        // Their places in the log are those of proposals that were lost.
        try group.propose([21, 22, 23, 24, 25], to: 1)
        try group.settle()
        try group.pass(ticks: 5)
        for number in UInt64(21)...25 {
            #expect(group.answers[number] == ["success"])
            #expect(try group.holds(2, "s\(number)"))
        }
        for number in UInt64(11)...16 {
            #expect(group.answers[number] == [Self.lost])
            #expect(try !group.holds(2, "s\(number)"))
        }
    }

    @Test("entries worked out ahead are not taken for those of another leader in their place")
    mutating func preparedInVain() throws {
        group.isolate(1)
        try group.propose(7, to: 1)
        try group.step(1, .prepare)
        try group.elect(2)
        try group.propose(8, to: 2)
        try group.settle()
        group.rejoin(1)
        try group.pass(ticks: 2)
        #expect(try group.state(1) == group.state(2))
        #expect(try group.holds(1, "s8"))
    }

    // MARK: - Freshness

    @Test("a leader vouches for when it sent what a majority has answered, once all is applied")
    mutating func freshLeader() throws {
        try group.pass(ticks: 1)
        let before = group.now
        #expect(group[1].freshAsOf(now: group.now) == before)
        group.wait(ticks: 1)
        let sent = group.now
        try group.propose(7, to: 1)
        try group.write(1)
        try group.deliver(1, 2)
        try group.write(2)
        group.wait(ticks: 1)
        try group.deliver(2, 1)
        #expect(group[1].commitIndex == 3)
        #expect(group[1].freshAsOf(now: group.now) == before)
        try group.warned(1)
        #expect(group[1].freshAsOf(now: group.now) == sent)
    }

    @Test("a follower vouches for what has been at the leader and back")
    mutating func freshFollower() throws {
        let first = group[2].freshAsOf(now: group.now)
        try group.pass(ticks: 5)
        let later = group[2].freshAsOf(now: group.now)
        #expect(later > first)
        #expect(later < group.now)
        #expect(later >= group.now - 2 * Group.tick)
        group.isolate(2)
        group.wait(ticks: 1)
        #expect(group[2].freshAsOf(now: group.now) == later)
    }

    @Test("a follower does not vouch before it shows what the leader had committed")
    mutating func freshNotApplied() throws {
        group.slow = [2]
        try group.propose(7, to: 1)
        try group.pass(ticks: 1)
        let before = group[2].freshAsOf(now: group.now)
        try group.pass(ticks: 5)
        #expect(group[2].freshAsOf(now: group.now) == before)
        group.slow = []
        try group.settle()
        #expect(try group.holds(2, "s7"))
        #expect(group[2].freshAsOf(now: group.now) > before)
    }

    @Test("a leader that is cut off vouches for nothing new, and takes no changes after its lease")
    mutating func freshCutOff() throws {
        try group.pass(ticks: 1)
        let last = group.now
        group.isolate(1)
        group.wait(ticks: 6)
        #expect(group[1].freshAsOf(now: group.now) == last)
        #expect(group[1].isCurrent(now: group.now))
        try group.step(1, .tick)
        group.wait(ticks: 1)
        #expect(group[1].freshAsOf(now: group.now) == last)
        #expect(!group[1].isCurrent(now: group.now))
        #expect(!group[1].isWritable(now: group.now))
        let reason = "the group has not confirmed this leader lately"
        #expect(try group.propose(7, to: 1) == [#"reply 7 notWritable(reason: "\#(reason)")"#])
        group.wait(ticks: 100)
        #expect(group[1].freshAsOf(now: group.now) == last)
    }

    @Test("a mount is open while somebody vouches for a moment recent enough")
    func gate() {
        var gate = StalenessGate(stalenessMaxNanoseconds: 100)
        #expect(!gate.isOpen)
        let nobodyVouches = gate.update(freshAsOf: 0, now: 50)
        #expect(!nobodyVouches)
        #expect(!gate.isOpen)
        let opens = gate.update(freshAsOf: 40, now: 50)
        #expect(opens)
        #expect(gate.isOpen)
        let staysOpen = gate.update(freshAsOf: 40, now: 139)
        #expect(!staysOpen)
        let closes = gate.update(freshAsOf: 40, now: 140)
        #expect(closes)
        #expect(!gate.isOpen)
        let opensAgain = gate.update(freshAsOf: 141, now: 141)
        #expect(opensAgain)
    }

    // MARK: - What a leader proposes itself

    @Test("a history begins once in a group, whoever leads, and has the same name everywhere")
    mutating func history() throws {
        for id in [2, 3, 1] as [UInt64] {
            try group.pass(ticks: 12)
            try group.elect(id)
        }
        try group.pass(ticks: 2)
        let name = group[1].store.metadata.serverVersion
        #expect(name != 0)
        for id in UInt64(1)...3 {
            #expect(group[id].store.metadata.serverVersion == name)
            #expect(try group.beginnings(id) == 1)
        }
    }

    @Test("a beginning that is lost, and one that the next leader commits, leave one history")
    func historyUnderWay() throws {
        for isLost in [true, false] {
            var group = try Group(voters: [1, 2, 3])
            group.slow = [1]
            // Until the first leader has asked for a name of the history.
            for _ in 0..<60 where group[1].lastIndex < 2 {
                group.wait(ticks: 1)
                try group.step(1, .tick)
                try group.settle()
                while !group.node(1).writes.isEmpty, group[1].lastIndex < 2 {
                    try group.write(1)
                    try group.settle()
                    if group[1].lastIndex == 2, isLost { group.isolate(1) }
                }
            }
            #expect(group[1].store.metadata.serverVersion == 0)
            group.isolate(1)
            group.slow = []
            try group.pass(ticks: 15)
            try group.elect(2)
            group.rejoin(1)
            try group.pass(ticks: 5)
            let name = group[2].store.metadata.serverVersion
            #expect(name != 0)
            for id in UInt64(1)...3 {
                #expect(group[id].store.metadata.serverVersion == name)
                #expect(try group.beginnings(id) == 1, "\(isLost)")
            }
        }
    }

    @Test("what has expired goes by a command of the leader, and of nobody else")
    mutating func maintenance() throws {
        let json = Array(#"{"user_id":"alice","expires_at":"2027-01-15T08:00:10Z"}"#.utf8)
        let write = try Document.parse(json, type: .session, id: "s7")
        try group.step(1, .propose([Proposal(id: ProposalID(7), kind: .put([write]))]))
        try group.settle()
        #expect(try group.holds(3, "s7"))
        group.wall = group.wall.adding(seconds: 60)
        #expect(try group.step(2, .tick).isEmpty)
        #expect(try group.step(3, .tick).isEmpty)
        #expect(try group.step(1, .tick).contains("prepare"))
        try group.settle()
        for id in UInt64(1)...3 {
            #expect(try !group.holds(id, "s7"))
            #expect(try group.state(id) == group.state(1))
        }
    }
}
