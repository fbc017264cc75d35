// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Raft

/// One test for a sentence of the thesis about membership, transfer and reads.
@Suite("the thesis on membership, transfer and reads")
struct PaperReadTests {
    private func leader(voters: UInt64 = 3) -> Rig {
        var rig = Rig(voters: voters)
        rig.becomeLeader()
        rig.accept(1, from: 2)
        if voters > 3 { rig.accept(1, from: 3) }
        return rig
    }

    private func lease(_ rig: Rig) -> Bool { rig.member.leaseDeadline != nil }

    @Test("4.1: the new configuration takes effect as soon as it is added to the log")
    func effectOnAppend() {
        var rig = leader()
        rig.step(.changeMembership(RequestID(1), .remove(MemberID(3))))
        #expect(rig.member.configuration.voters == ids(1, 2))
        #expect(rig.member.commitIndex == 1)
    }

    @Test("4.1: a server falls back to the previous configuration when its entry is removed")
    func rollback() {
        var rig = Rig(term: 1)
        let change = Configuration(voters: ids(1, 2))
        let entry = Entry(term: 1, index: 1, content: .configuration(change))
        rig.receive(rig.append([entry]), from: 2, term: 1)
        #expect(rig.member.configuration == change)
        rig.receive(rig.append(log(2)), from: 3, term: 2)
        #expect(rig.member.configuration.voters == ids(1, 2, 3))
    }

    @Test("4.1: any majority of the old group overlaps with any majority of the new one")
    func overlap() throws {
        for count in UInt64(1)...6 {
            let old = Configuration(
                voters: (1...count).map { MemberID($0) },
                learners: ids(9)
            )
            for change in [MembershipChange.promote(MemberID(9)), .remove(MemberID(1))] {
                guard let new = try? old.applying(change) else { continue }
                let all = Configuration(voters: old.voters + new.voters).voters
                #expect(old.quorumSize + new.quorumSize > all.count)
            }
        }
    }

    @Test("4.2.2: a leader that is removed does not count itself in majorities")
    func doesNotCountItself() {
        var rig = leader()
        rig.accept(1, from: 3)
        rig.step(.changeMembership(RequestID(1), .remove(Rig.me)))
        rig.accept(2, from: 2)
        #expect(rig.member.commitIndex == 1)
        rig.accept(2, from: 3)
        #expect(rig.member.commitIndex == 2)
        #expect(rig.member.role == .follower)
    }

    @Test("3.10: TimeoutNow goes only to a target whose log is complete")
    func timeoutNowWhenComplete() {
        var rig = leader()
        rig.step(.propose(RequestID(1), [bytes("x")]))
        rig.step(.transferLeadership(to: MemberID(2)))
        #expect(!rig.sent(to: 2).contains(.timeoutNow))
        rig.accept(2, from: 2)
        #expect(rig.sent(to: 2).contains(.timeoutNow))
    }

    @Test("3.10: a TimeoutNow of somebody who does not lead, or did, is ignored")
    func staleTimeoutNow() {
        var rig = Rig(term: 2)
        rig.receive(rig.append(), from: 2, term: 2)
        rig.receive(.timeoutNow, from: 3, term: 2)
        rig.receive(.timeoutNow, from: 2, term: 1)
        #expect(rig.member.role == .follower)
        rig.receive(.timeoutNow, from: 2, term: 2)
        #expect(rig.member.role == .candidate)
    }

    @Test("3.10: the lease ends before the target is told")
    func leaseGoesFirst() {
        var rig = leader()
        #expect(lease(rig))
        let effects = rig.step(.transferLeadership(to: MemberID(2)))
        let given = effects.firstIndex(of: .lease(until: nil))
        let told = effects.firstIndex { effect in
            if case .send(let message) = effect { message.kind == .timeoutNow } else { false }
        }
        guard let given, let told else {
            Issue.record("\(effects)")
            return
        }
        #expect(given < told)
        rig.accept(1, from: 3)
        #expect(!lease(rig), "and does not come back in this term")
    }

    @Test("6.4: the leader waits until an entry of its current term is committed")
    func readWaitsForOwnTerm() {
        var rig = Rig()
        rig.becomeLeader()
        rig.step(.read(RequestID(7)))
        #expect(rig.sent.isEmpty)
        rig.accept(1, from: 2)
        rig.accept(1, from: 3)
        #expect(rig.effects.contains(.readReady(RequestID(7), 1)))
    }

    @Test("6.4: an answer to what was sent before the read does not confirm it")
    func readNeedsLaterRound() {
        var rig = leader()
        let old = HeartbeatReply(
            stamp: Stamp(round: rig.member.leadership.round, clock: rig.now),
            reading: Reading(run: 9, clock: 1)
        )
        rig.step(.read(RequestID(7)))
        rig.receive(.heartbeatReply(old), from: 2, term: 1)
        #expect(!rig.effects.contains(.readReady(RequestID(7), 1)))
        let new = HeartbeatReply(
            stamp: Stamp(round: rig.member.leadership.round, clock: rig.now),
            reading: Reading(run: 9, clock: 1)
        )
        rig.receive(.heartbeatReply(new), from: 2, term: 1)
        #expect(rig.effects.contains(.readReady(RequestID(7), 1)))
    }

    @Test("6.4.1: the lease counts from the sending of the round, two thirds of a timeout")
    func leaseFromSending() {
        var rig = leader()
        rig.tick()
        let sentAt = rig.now
        let reply = HeartbeatReply(
            stamp: Stamp(round: rig.member.leadership.round, clock: sentAt),
            reading: Reading(run: 9, clock: 1)
        )
        rig.now += 3 * rig.member.options.tickNanoseconds
        rig.receive(.heartbeatReply(reply), from: 3, term: 1)
        let expected = sentAt + rig.member.options.leaseNanoseconds
        #expect(rig.member.leaseDeadline == expected)
        #expect(rig.member.options.leaseNanoseconds < rig.member.options.electionTimeoutNanoseconds)
    }

    @Test("6.4.1: a lease that has run out is none, whether or not a tick has noticed")
    func leaseRunsOut() {
        var rig = leader()
        rig.now += rig.member.options.leaseNanoseconds + 1
        rig.step(.persisted(through: 0))
        #expect(!lease(rig))
        #expect(rig.member.role == .leader)
    }

    @Test("6.4: a reading goes back once a majority has answered what was sent after it came")
    func echoIsConfirmed() {
        var rig = leader()
        func answer(_ clock: UInt64, from id: UInt64) {
            let stamp = Stamp(round: rig.member.leadership.round, clock: rig.now)
            let reading = Reading(run: id, clock: clock)
            rig.receive(.heartbeatReply(.init(stamp: stamp, reading: reading)), from: id, term: 1)
        }
        func echoed() -> [UInt64] {
            rig.tick()
            return rig.sent(to: 2).compactMap { kind in
                guard case .heartbeat(let heartbeat) = kind else { return nil }
                return heartbeat.echo?.reading.clock
            }
        }
        #expect(echoed() != [50])
        answer(50, from: 2)
        #expect(echoed() != [50], "nobody has answered what was sent since")
        answer(60, from: 2)
        #expect(echoed() == [50])
    }
}
