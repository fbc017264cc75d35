// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Raft

/// One test for a sentence of the thesis about the log; each quotes what it tests.
@Suite("the thesis on replication")
struct PaperReplicationTests {
    @Test("3.5: the leader appends the command to its log, then issues AppendEntries in parallel")
    func appendsAndSends() {
        var rig = Rig()
        rig.becomeLeader()
        rig.accept(1, from: 2)
        rig.accept(1, from: 3)
        rig.isDiskInstant = false
        rig.step(.propose(RequestID(1), [bytes("x")]))
        let entry = Entry(term: 1, index: 2, content: .payload(bytes("x")))
        #expect(rig.writes.first?.entries == [entry])
        #expect(rig.appends(to: 2).map(\.entries) == [[entry]])
        #expect(rig.appends(to: 3).map(\.entries) == [[entry]])
    }

    @Test("3.5: an entry is committed once its leader has replicated it on a majority")
    func commitsOnMajority() {
        var rig = Rig(voters: 5)
        rig.becomeLeader()
        rig.accept(1, from: 2)
        #expect(rig.member.commitIndex == 0)
        rig.accept(1, from: 2)
        #expect(rig.member.commitIndex == 0)
        rig.accept(1, from: 3)
        #expect(rig.member.commitIndex == 1)
    }

    @Test("10.2.1: the leader may not count itself before its own write is durable")
    func countsItselfWhenDurable() {
        var rig = Rig()
        rig.becomeLeader()
        rig.accept(1, from: 2)
        rig.isDiskInstant = false
        rig.step(.propose(RequestID(1), [bytes("x")]))
        let write = rig.writes.first?.number ?? 0
        rig.accept(2, from: 2)
        #expect(rig.member.commitIndex == 1)
        rig.step(.persisted(through: write))
        #expect(rig.member.commitIndex == 2)
    }

    @Test("10.2.1: an entry may be committed before the leader has written it")
    func commitsWithoutOwnDisk() {
        var rig = Rig()
        rig.becomeLeader()
        rig.accept(1, from: 2)
        rig.isDiskInstant = false
        rig.step(.propose(RequestID(1), [bytes("x")]))
        rig.accept(2, from: 2)
        rig.accept(2, from: 3)
        #expect(rig.member.commitIndex == 2)
        let applied = rig.effects.contains { if case .apply = $0 { true } else { false } }
        #expect(!applied, "it is not on the leader's own disk yet")
    }

    @Test("3.6.2: Raft never commits log entries from previous terms by counting replicas")
    func neverCountsOldTerms() {
        var rig = Rig(term: 2, entries: log(1, 2))
        rig.becomeLeader()
        rig.accept(2, from: 2)
        rig.accept(2, from: 3)
        #expect(rig.member.commitIndex == 0)
        rig.accept(3, from: 2)
        #expect(rig.member.commitIndex == 3)
    }

    @Test("3.5: the leader includes the index and term of the entry before the new entries")
    func includesPrevious() {
        var rig = Rig(term: 2, entries: log(1, 2))
        rig.becomeLeader()
        #expect(rig.appends(to: 2).map(\.previous) == [position(2, 2)])
    }

    @Test(
        "3.5: if the follower does not find that entry in its log, it refuses the new entries",
        arguments: [position(3, 2), position(2, 1), position(2, 3)]
    )
    func consistencyCheck(previous: LogPosition) {
        var rig = Rig(term: 3, entries: log(1, 2))
        let new = log(3, from: previous.index + 1)
        rig.receive(rig.append(after: previous, new, commit: 9), from: 2, term: 3)
        guard case .rejected(let index, _)? = rig.outcomes.first else {
            Issue.record("\(previous) was accepted")
            return
        }
        #expect(index == previous.index)
        #expect(rig.member.lastPosition == position(2, 2))
        #expect(rig.member.commitIndex == 0)
    }

    @Test(
        "3.5: the leader finds the latest entry where the two logs agree, deletes what is after",
        arguments: [[], [1], [1, 1], [1, 1, 2, 2], [3]] as [[Term]]
    )
    func repairs(terms: [Term]) {
        let held = terms.enumerated().map { offset, term in
            Entry(term: term, index: LogIndex(offset) + 1, content: .empty)
        }
        var rig = Rig(term: 4, entries: held)
        let leaders = log(1, 1, 4)
        rig.receive(rig.append(leaders), from: 2, term: 4)
        #expect(rig.outcomes == [.accepted(match: 3)])
        #expect(rig.member.lastPosition == position(3, 4))
    }

    @Test("3.5: a conflict is removed on disk as well, in the same write")
    func truncatesDurably() {
        var rig = Rig(term: 2, entries: log(1, 2, 2))
        rig.receive(rig.append(after: position(1, 1), log(3, from: 2)), from: 2, term: 3)
        let write = rig.writes.last
        #expect(write?.truncateFrom == 2)
        #expect(write?.entries.map(\.term) == [3])
    }

    @Test("figure 3.1: only a conflict deletes entries; what merely ends earlier does not")
    func overlapIsNoConflict() {
        var rig = Rig(term: 1, entries: log(1, 1, 1))
        rig.receive(rig.append(log(1)), from: 2, term: 1)
        #expect(rig.outcomes == [.accepted(match: 1)])
        #expect(rig.member.lastPosition == position(3, 1))
        #expect(rig.writes.isEmpty)
    }

    @Test("figure 3.1: commitIndex = min(leaderCommit, index of last new entry)")
    func commitsWhatIsProven() {
        var rig = Rig(term: 2, entries: log(1, 1, 1))
        rig.receive(rig.append(log(1), commit: 3), from: 2, term: 2)
        #expect(rig.member.commitIndex == 1)
        rig.receive(rig.append(after: position(2, 1), commit: 3), from: 2, term: 2)
        #expect(rig.member.commitIndex == 2)
    }

    @Test("3.5: a heartbeat proves nothing about the log beyond what was acknowledged")
    func heartbeatCommit() {
        var rig = Rig()
        rig.becomeLeader()
        rig.accept(1, from: 2)
        rig.tick()
        func commit(for id: UInt64) -> [LogIndex] {
            rig.sent(to: id).compactMap { kind in
                if case .heartbeat(let heartbeat) = kind { heartbeat.commit } else { nil }
            }
        }
        #expect(commit(for: 2) == [1])
        #expect(commit(for: 3) == [0])
    }

    @Test("3.8: the follower writes the entries to disk before it replies")
    func acknowledgesWhenDurable() {
        var rig = Rig(term: 1)
        rig.isDiskInstant = false
        rig.receive(rig.append(log(1)), from: 2, term: 1)
        #expect(rig.outcomes.isEmpty)
        rig.step(.persisted(through: 1))
        #expect(rig.outcomes == [.accepted(match: 1)])
    }

    @Test("3.5: one round skips all entries of a term (conflict hints)")
    func conflictHint() {
        var rig = Rig(term: 9, entries: log(1, 4, 4, 5, 5, 6, 6, 6))
        rig.becomeLeader()
        // The follower has term 4 up to 7: everything of 5 and 6 goes in one step.
        let hint = AppendReply.Outcome.rejected(index: 8, hint: position(7, 4))
        rig.receive(.appendReply(rig.reply(hint)), from: 2, term: rig.member.term)
        #expect(rig.appends(to: 2).map(\.previous) == [position(3, 4)])
    }

    @Test("3.5: the hint of a follower names the last entry that may agree")
    func followersHint() {
        var rig = Rig(term: 6, entries: log(1, 2, 2, 2, 3, 3))
        rig.receive(rig.append(after: position(9, 2)), from: 2, term: 6)
        #expect(rig.outcomes == [.rejected(index: 9, hint: position(4, 2))])
    }

    @Test("3.5: replies that teach nothing cause no messages")
    func duplicatesAreQuiet() {
        var rig = Rig()
        rig.becomeLeader()
        rig.accept(1, from: 2)
        rig.step(.propose(RequestID(1), [bytes("x")]))
        rig.accept(2, from: 2)
        for _ in 0..<3 {
            rig.accept(2, from: 2)
            #expect(rig.sent.isEmpty)
            rig.accept(1, from: 2)
            #expect(rig.sent.isEmpty)
        }
    }

    @Test("3.7: a leader that is deposed does not know whether its last entries are committed")
    func uncertain() {
        var rig = Rig()
        rig.becomeLeader()
        rig.accept(1, from: 2)
        rig.step(.propose(RequestID(1), [bytes("x"), bytes("y")]))
        rig.receive(.staleTerm, from: 3, term: 5)
        #expect(rig.effects.contains(.uncertain(term: 1, 2...3)))
    }

    @Test("5.1: a snapshot is sent when the next entry has been discarded")
    func sendsSnapshot() {
        var rig = Rig(voters: 3)
        rig.becomeLeader()
        rig.accept(1, from: 2)
        rig.step(.propose(RequestID(1), [bytes("x")]))
        rig.accept(2, from: 2)
        rig.step(.applied(through: 2))
        rig.step(.snapshotTaken(at: 2))
        rig.step(.compact(through: 2))
        let hint = AppendReply.Outcome.rejected(index: 0, hint: position(0, 0))
        rig.receive(.appendReply(rig.reply(hint)), from: 3, term: 1)
        let snapshot = Snapshot(
            position: position(2, 1),
            configuration: Configuration(voters: ids(1, 2, 3))
        )
        #expect(rig.sent(to: 3) == [.snapshot(snapshot)])
    }

    private func snapshot(_ index: LogIndex) -> Message.Kind {
        let group = Configuration(voters: ids(1, 2, 3))
        return .snapshot(Snapshot(position: position(index, 1), configuration: group))
    }

    @Test("figure 5.3: a snapshot of what is committed here already changes nothing")
    func staleSnapshot() {
        var rig = Rig(term: 1, entries: log(1, 1, 1), appliedIndex: 3)
        rig.step(.snapshotTaken(at: 2))
        rig.step(.compact(through: 2))
        rig.receive(snapshot(1), from: 2, term: 1)
        #expect(rig.outcomes == [.accepted(match: 3)])
        #expect(rig.member.lastPosition == position(3, 1))
        #expect(rig.writes.isEmpty)
    }

    @Test("figure 5.3: entries behind a snapshot whose last entry is in the log are retained")
    func snapshotOfPrefix() {
        var rig = Rig(term: 1, entries: log(1, 1, 1))
        rig.receive(snapshot(2), from: 2, term: 1)
        #expect(rig.outcomes == [.accepted(match: 2)])
        #expect(rig.member.lastPosition == position(3, 1))
        #expect(rig.member.commitIndex == 2)
        #expect(rig.writes.isEmpty)
    }

    @Test("5: a snapshot is acknowledged once it is durable")
    func snapshotAckWaits() {
        var rig = Rig(term: 1)
        rig.isDiskInstant = false
        rig.receive(snapshot(5), from: 2, term: 1)
        #expect(rig.outcomes.isEmpty)
        rig.step(.persisted(through: 1))
        #expect(rig.outcomes == [.accepted(match: 5)])
    }

    @Test("3.8: after a failed write nothing is said any more")
    func stopsForGood() {
        var rig = Rig(term: 1)
        rig.isDiskInstant = false
        rig.receive(rig.append(log(1)), from: 2, term: 1)
        rig.step(.writeFailed)
        #expect(rig.effects.last == .stopped(.writeFailed))
        rig.tick(30)
        rig.receive(rig.append(log(1)), from: 2, term: 1)
        #expect(rig.effects.isEmpty)
        rig.step(.propose(RequestID(1), [bytes("x")]))
        #expect(rig.effects == [.refused(RequestID(1), .stopped)])
    }

    @Test("what is not well formed is not looked at")
    func malformed() {
        var rig = Rig(term: 1)
        let gap = [log(1)[0], Entry(term: 1, index: 3, content: .empty)]
        let future = [Entry(term: 9, index: 1, content: .empty)]
        let back = [log(2)[0], Entry(term: 1, index: 2, content: .empty)]
        for entries in [gap, future, back] {
            rig.receive(rig.append(entries), from: 2, term: 2)
            #expect(rig.outcomes.isEmpty)
            #expect(rig.member.lastPosition.index == 0)
        }
    }
}
