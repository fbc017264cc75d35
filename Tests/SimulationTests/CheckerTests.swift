// SPDX-License-Identifier: Apache-2.0

import Log
import Raft
import Testing

@testable import Simulation

/// Each checker fires on what it is for, and on nothing else.
@Suite("checkers")
struct CheckerTests {
    // MARK: - Revocations

    /// A bound of 200 ms, 20 ms to notice and a little for clocks; names lag up to 5 ms.
    private var revocations = RevocationChecker(WorldOptions(.plain, seed: 0))
    private let ms = Span.millisecond

    private mutating func look(
        _ shown: RevocationChecker.Sight?,
        on node: Int,
        at time: UInt64
    ) -> String? {
        violation { () throws(Violation) in
            try revocations.check(7, on: node, shown: shown, startedAt: time, endedAt: time + ms)
        }
    }

    @Test("a session may be seen before its revocation, and while nobody can know of it")
    mutating func allowed() {
        #expect(look(.content, on: 0, at: 10 * ms) == nil)
        revocations.acknowledged(7, on: 0, at: 20 * ms)
        // Somebody who has begun to look before.
        #expect(look(.content, on: 0, at: 20 * ms) == nil)
        #expect(look(.name, on: 0, at: 22 * ms) == nil)
        #expect(look(.content, on: 1, at: 200 * ms) == nil)
        #expect(look(nil, on: 1, at: 900 * ms) == nil)
        #expect(revocations.sessions == [7])
    }

    @Test("content is never seen on the mount that has revoked it")
    mutating func ownContent() {
        revocations.acknowledged(7, on: 0, at: 20 * ms)
        let told = look(.content, on: 0, at: 21 * ms)
        #expect(told == "node 1 shows content of s7, which it revoked before")
    }

    @Test("nor its name, a moment later")
    mutating func ownName() {
        revocations.acknowledged(7, on: 0, at: 20 * ms)
        #expect(look(.name, on: 0, at: 24 * ms) == nil)
        #expect(
            look(.name, on: 0, at: 26 * ms) == "node 1 shows name of s7, which it revoked before"
        )
    }

    @Test("nor anything of it elsewhere, beyond the bound", arguments: [0, 1])
    mutating func elsewhere(sight: Int) {
        let shown: RevocationChecker.Sight = sight == 0 ? .name : .content
        revocations.acknowledged(7, on: 0, at: 20 * ms)
        #expect(look(shown, on: 1, at: 240 * ms) == nil)
        let told = look(shown, on: 1, at: 300 * ms)
        #expect(told == "node 2 shows \(shown) of s7, revoked long before elsewhere")
    }

    @Test("the first answer counts, whoever gives another")
    mutating func first() {
        revocations.acknowledged(7, on: 0, at: 20 * ms)
        revocations.acknowledged(7, on: 0, at: 900 * ms)
        revocations.acknowledged(7, on: 1, at: 900 * ms)
        #expect(look(.content, on: 0, at: 30 * ms) != nil)
        #expect(look(.content, on: 2, at: 400 * ms) != nil)
    }

    @Test("what a mount has shown to be gone does not come back")
    mutating func back() {
        #expect(look(.content, on: 1, at: 10 * ms) == nil)
        #expect(look(nil, on: 1, at: 30 * ms) == nil)
        // It may have been made again, as long as nobody revokes it.
        #expect(look(.content, on: 1, at: 40 * ms) == nil)
        revocations.acknowledged(7, on: 0, at: 100 * ms)
        // Within the bound of what may be shown at all, pages of an open file may still be.
        #expect(look(.content, on: 1, at: 200 * ms) == nil)
        let told = look(.content, on: 1, at: 270 * ms)
        #expect(told == "node 2 has shown s7 to be gone, and shows it again")
    }

    @Test("an answer that may be of a time before a session was made shows nothing")
    mutating func asked() {
        #expect(look(.content, on: 1, at: 10 * ms) == nil)
        // It ended after that, but was asked while the session was being made.
        #expect(look(nil, on: 1, at: 11 * ms) == nil)
        revocations.acknowledged(7, on: 0, at: 20 * ms)
        #expect(look(.content, on: 1, at: 50 * ms) == nil)
    }

    @Test("another run of a node is another mount")
    mutating func restarted() {
        #expect(look(.content, on: 1, at: 10 * ms) == nil)
        #expect(look(nil, on: 1, at: 30 * ms) == nil)
        revocations.acknowledged(7, on: 0, at: 20 * ms)
        revocations.acknowledged(7, on: 1, at: 20 * ms)
        revocations.restarted(1)
        #expect(look(.content, on: 1, at: 50 * ms) == nil)
        // But not for ever.
        #expect(look(.content, on: 1, at: 400 * ms) != nil)
    }

    @Test("nobody vouches for a moment after a revocation and has the session")
    mutating func vouched() {
        revocations.acknowledged(7, on: 0, at: 20 * ms)
        let moment = 20 * ms
        #expect(revocations.nextAcknowledged(before: moment, unseenBy: 1) == nil)
        #expect(revocations.nextAcknowledged(before: moment + 1, unseenBy: 1) == 7)
        revocations.noteSeen(by: 1)
        #expect(revocations.nextAcknowledged(before: moment + 1, unseenBy: 1) == nil)
        #expect(revocations.nextAcknowledged(before: moment + 1, unseenBy: 2) == 7)
        revocations.restarted(1)
        #expect(revocations.nextAcknowledged(before: moment + 1, unseenBy: 1) == 7)
    }

    // MARK: - Raft

    private var raft = RaftChecker()

    /// A member whose log has entries of these terms, behind `base`.
    private func member(
        _ id: UInt64,
        term: Term,
        _ terms: Term...,
        base: LogPosition = LogPosition(index: 0, term: 0),
        payload: UInt8 = 0
    ) -> Member {
        let group = Configuration(voters: [1, 2, 3].map { MemberID($0) })
        return Member(
            id: MemberID(id),
            recovery: Recovery(
                hardState: HardState(term: term, vote: nil),
                snapshot: Snapshot(position: base, configuration: group),
                entries: entries(from: base.index + 1, terms, payload: payload),
                appliedIndex: base.index
            ),
            generator: SplitMix64(seed: id),
            now: 0
        )
    }

    private func entries(
        from index: LogIndex,
        _ terms: [Term],
        payload: UInt8 = 0
    ) -> [Entry] {
        terms.enumerated().map { place, term in
            Entry(term: term, index: index + LogIndex(place), content: .payload([payload]))
        }
    }

    private mutating func commit(
        _ entries: [Entry],
        by id: UInt64,
        in term: Term
    ) -> String? {
        violation { () throws(Violation) in
            try raft.noteCommitted(entries, by: MemberID(id), in: term)
        }
    }

    private mutating func lead(_ member: Member) -> String? {
        violation { () throws(Violation) in try raft.noteLeader(member) }
    }

    @Test("two leaders in one term")
    mutating func twoLeaders() {
        #expect(lead(member(1, term: 3)) == nil)
        #expect(lead(member(1, term: 3)) == nil)
        #expect(lead(member(2, term: 4)) == nil)
        #expect(lead(member(2, term: 3)) == "1 and 2 lead in term 3")
        #expect(raft.leadersCount == 2)
    }

    @Test("a leader that misses what was committed in a term before its own")
    mutating func incompleteLeader() {
        #expect(commit(entries(from: 1, [1, 2]), by: 1, in: 2) == nil)
        // Known as committed in its own term: that it need not have at the beginning.
        #expect(lead(member(3, term: 2, 1)) == nil)
        #expect(lead(member(2, term: 3, 1, 2)) == nil)
        #expect(lead(member(3, term: 4, 1)) == "3 leads and misses committed entries")
        let told = lead(member(3, term: 5, 1, 3))
        #expect(told == "3 leads and holds another entry at 2")
        #expect(raft.committedMax == 2)
    }

    @Test("two members that apply different entries in one place")
    mutating func otherEntry() {
        #expect(commit(entries(from: 1, [1, 1]), by: 1, in: 1) == nil)
        #expect(commit(entries(from: 1, [1, 1, 1]), by: 2, in: 1) == nil)
        #expect(commit(entries(from: 3, [2]), by: 3, in: 2) == "3 applies another entry at 3")
        let changed = entries(from: 2, [1], payload: 9)
        #expect(commit(changed, by: 3, in: 2) == "3 applies another entry at 2")
    }

    @Test("an entry that is applied before the one before it")
    mutating func gap() {
        let told = commit(entries(from: 2, [1]), by: 1, in: 1)
        #expect(told == "1 applies 2, with a gap before it")
    }

    private mutating func apply(_ index: LogIndex, _ id: UInt64) -> String? {
        violation { () throws(Violation) in try raft.noteApplied(index, by: MemberID(id)) }
    }

    @Test("a state that goes back, unless its member begins anew")
    mutating func goesBack() {
        #expect(commit(entries(from: 1, [1, 1, 1]), by: 1, in: 1) == nil)
        #expect(apply(3, 1) == nil)
        #expect(apply(2, 2) == nil)
        #expect(apply(2, 1) == "1 goes back to 2")
        raft.forget(MemberID(1))
        #expect(apply(2, 1) == nil)
    }

    @Test("a state that is ahead of what is committed")
    mutating func notCommitted() {
        #expect(commit(entries(from: 1, [1]), by: 1, in: 1) == nil)
        #expect(apply(2, 1) == "1 applies what is not committed")
    }

    private func logs(_ members: Member...) -> String? {
        violation { () throws(Violation) in try raft.checkLogs(members) }
    }

    @Test("logs that agree at a place and not before it")
    func disagreement() {
        let same = logs(member(1, term: 2, 1, 1, 2), member(2, term: 2, 1, 1, 2))
        #expect(same == nil)
        let apart = logs(member(1, term: 3, 1, 1, 2), member(2, term: 3, 1, 1, 3))
        #expect(apart == nil)
        let terms = logs(member(1, term: 3, 1, 1, 3), member(2, term: 3, 1, 2, 3))
        #expect(terms == "1 and 2 disagree at 2")
        let contents = logs(member(1, term: 1, 1, 1), member(2, term: 1, 1, 1, payload: 5))
        #expect(contents == "1 and 2 disagree at 1")
        let base = LogPosition(index: 1, term: 1)
        #expect(logs(member(1, term: 2, 1, 1, 2), member(2, term: 2, 1, 2, base: base)) == nil)
    }

    @Test("a member that knows of a commit and holds another entry there")
    mutating func heldOther() {
        #expect(commit(entries(from: 1, [1, 1]), by: 1, in: 1) == nil)
        // What is behind its snapshot is not known as committed to it.
        #expect(logs(member(2, term: 2, 2, 2)) == nil)
        var knowing = member(2, term: 2, 2, 2)
        let heartbeat = Heartbeat(commit: 2, stamp: Stamp(round: 1, clock: 0))
        _ = knowing.step(
            .receive(
                Message(from: MemberID(1), to: MemberID(2), term: 2, kind: .heartbeat(heartbeat))
            ),
            at: 1
        )
        #expect(knowing.commitIndex == 2)
        let told = violation { () throws(Violation) in try raft.checkLogs([knowing]) }
        #expect(told == "2  holds another entry at 1")
    }
}

/// Whatever happens comes out by time, and at one time in the order it was put in.
@Suite("event queue")
struct EventQueueTests {
    @Test("by time, then by the order of arrival", arguments: UInt64(0)..<50)
    func order(seed: UInt64) {
        var chance = Chance(seed: seed)
        var queue = EventQueue<Int>()
        var model: [(time: UInt64, event: Int)] = []
        var next = 0
        for _ in 0..<400 {
            if chance.isLucky(60) {
                let time = UInt64(chance.below(20))
                queue.push(next, at: time)
                let place = model.firstIndex { $0.time > time } ?? model.count
                model.insert((time, next), at: place)
                next += 1
            } else {
                #expect(queue.nextTime == model.first?.time)
                #expect(queue.pop() == model.first?.event)
                if !model.isEmpty { model.removeFirst() }
            }
            #expect(queue.count == model.count)
        }
        while let event = queue.pop() { #expect(event == model.removeFirst().event) }
        #expect(model.isEmpty)
        #expect(queue.nextTime == nil)
    }
}
