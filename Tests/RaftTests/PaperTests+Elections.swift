// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Raft

/// One test for a sentence of the thesis about elections; each quotes what it tests.
@Suite("the thesis on elections")
struct PaperElectionTests {
    @Test("3.3: if a candidate or leader discovers that its term is out of date, it reverts")
    func revertsToFollower() {
        var rig = Rig()
        rig.becomeLeader()
        #expect(rig.member.role == .leader)
        rig.receive(.staleTerm, from: 2, term: 7)
        #expect(rig.member.role == .follower)
        #expect(rig.member.term == 7)
        #expect(rig.writes.first?.hardState == HardState(term: 7, vote: nil))
    }

    @Test("3.3: if a server receives a request with a stale term number, it rejects the request")
    func rejectsStaleTerm() {
        var rig = Rig(term: 5)
        rig.receive(rig.append(log(3)), from: 2, term: 4)
        #expect(rig.sent(to: 2) == [.staleTerm])
        #expect(rig.member.lastPosition.index == 0)
        rig.receive(.vote(last: position(9, 4), isTransfer: false), from: 2, term: 4)
        #expect(rig.sent(to: 2) == [.voteReply(isGranted: false)])
    }

    @Test("3.4: when servers start up, they begin as followers")
    func startsAsFollower() {
        #expect(Rig().member.role == .follower)
        #expect(Rig(term: 3, vote: Rig.me).member.role == .follower)
    }

    @Test("3.4: a follower that receives no communication over an election timeout campaigns")
    func campaignsAfterTimeout() {
        var rig = Rig()
        rig.tick(9)
        #expect(rig.member.role == .follower)
        rig.tick(1)
        #expect(rig.member.role == .preCandidate)
    }

    @Test("3.4: as long as it receives valid RPCs from a leader it remains a follower")
    func heartbeatsKeepItFollowing() {
        var rig = Rig(term: 1)
        for _ in 0..<10 {
            let heartbeat = Heartbeat(commit: 0, stamp: Stamp(round: 1, clock: 1))
            rig.receive(.heartbeat(heartbeat), from: 2, term: 1)
            rig.tick(9)
            #expect(rig.member.role == .follower)
        }
    }

    @Test("3.4: to begin an election it increments its term, votes for itself and asks the others")
    func beginsElection() {
        var rig = Rig(term: 4)
        rig.becomeCandidate()
        #expect(rig.member.role == .candidate)
        #expect(rig.writes.first?.hardState == HardState(term: 5, vote: Rig.me))
        let request = Message.Kind.vote(last: position(0, 0), isTransfer: false)
        #expect(rig.sent(to: 2) == [request])
        #expect(rig.sent(to: 3) == [request])
    }

    @Test("3.4: each server will vote for at most one candidate in a term, first come first served")
    func votesOnce() {
        var rig = Rig()
        rig.tick(9)
        rig.now += rig.member.options.tickNanoseconds
        let request = Message.Kind.vote(last: position(0, 0), isTransfer: false)
        rig.receive(request, from: 2, term: 1)
        #expect(rig.sent(to: 2) == [.voteReply(isGranted: true)])
        rig.receive(request, from: 3, term: 1)
        #expect(rig.sent(to: 3) == [.voteReply(isGranted: false)])
        rig.receive(request, from: 2, term: 1)
        #expect(rig.sent(to: 2) == [.voteReply(isGranted: true)])
    }

    @Test("3.8: a vote that was given is remembered over a restart")
    func remembersVote() {
        var rig = Rig(term: 1, vote: MemberID(3))
        rig.now += rig.member.options.electionTimeoutNanoseconds
        rig.receive(.vote(last: position(9, 9), isTransfer: false), from: 2, term: 1)
        #expect(rig.sent(to: 2) == [.voteReply(isGranted: false)])
    }

    @Test("3.8: each server persists its current term and vote before it answers")
    func persistsBeforeAnswer() {
        var rig = Rig()
        rig.isDiskInstant = false
        rig.now += rig.member.options.electionTimeoutNanoseconds
        rig.receive(.vote(last: position(0, 0), isTransfer: false), from: 2, term: 1)
        #expect(rig.writes.first?.hardState == HardState(term: 1, vote: MemberID(2)))
        #expect(rig.sent.isEmpty)
        rig.step(.persisted(through: 1))
        #expect(rig.sent(to: 2) == [.voteReply(isGranted: true)])
    }

    @Test("3.8: a vote in the term that the server is in already is written as well")
    func persistsVoteOfSameTerm() {
        var rig = Rig(term: 4)
        rig.now += rig.member.options.electionTimeoutNanoseconds
        rig.receive(.vote(last: position(0, 0), isTransfer: false), from: 2, term: 4)
        #expect(rig.writes.map(\.hardState) == [HardState(term: 4, vote: MemberID(2))])
        #expect(rig.sent(to: 2) == [.voteReply(isGranted: true)])
    }

    @Test("3.8: a candidate asks for votes once the log that it speaks of is durable")
    func requestWaitsForLog() {
        var rig = Rig(term: 1)
        rig.isDiskInstant = false
        rig.receive(rig.append(log(1)), from: 2, term: 1)
        rig.becomeCandidate()
        #expect(rig.member.role == .candidate)
        #expect(rig.sent.isEmpty)
        rig.step(.persisted(through: 1))
        #expect(rig.sent(to: 3).isEmpty)
        rig.step(.persisted(through: 2))
        #expect(rig.sent(to: 3) == [.vote(last: position(1, 1), isTransfer: false)])
    }

    @Test("3.4: a candidate wins with votes from a majority of the servers", arguments: [3, 5])
    func winsWithMajority(voters: UInt64) {
        var rig = Rig(voters: voters)
        rig.becomeCandidate()
        let needed = voters / 2
        for voter in 2..<(2 + needed) {
            #expect(rig.member.role == .candidate)
            rig.receive(.voteReply(isGranted: true), from: voter, term: 1)
        }
        #expect(rig.member.role == .leader)
    }

    @Test("3.4: a vote that arrives twice counts once")
    func countsVotesOnce() {
        var rig = Rig(voters: 5)
        rig.becomeCandidate()
        rig.receive(.voteReply(isGranted: true), from: 2, term: 1)
        rig.receive(.voteReply(isGranted: true), from: 2, term: 1)
        #expect(rig.member.role == .candidate)
    }

    @Test("3.4: votes of strangers and of older terms do not count")
    func countsVotersOnly() {
        var rig = Rig(term: 3)
        rig.becomeCandidate()
        rig.receive(.voteReply(isGranted: true), from: 9, term: 4)
        rig.receive(.voteReply(isGranted: true), from: 2, term: 3)
        #expect(rig.member.role == .candidate)
    }

    @Test("3.8: a candidate counts its own vote once it is durable")
    func ownVoteDurable() {
        var rig = Rig(voters: 1)
        rig.isDiskInstant = false
        rig.tick()
        #expect(rig.member.role == .candidate)
        rig.step(.persisted(through: 1))
        #expect(rig.member.role == .leader)
    }

    @Test("3.4: a candidate that hears from a leader of its term returns to follower state")
    func candidateYields() {
        var rig = Rig()
        rig.becomeCandidate()
        rig.receive(rig.append(), from: 2, term: 1)
        #expect(rig.member.role == .follower)
        #expect(rig.member.leader == MemberID(2))
    }

    @Test("3.4: if the term in the RPC is smaller, the candidate remains a candidate")
    func candidateStays() {
        var rig = Rig(term: 4)
        rig.becomeCandidate()
        rig.receive(rig.append(), from: 2, term: 4)
        #expect(rig.member.role == .candidate)
    }

    @Test("3.4: election timeouts are chosen randomly from a fixed interval: T to 2 T")
    func randomTimeouts() {
        var member = Member(
            id: Rig.me,
            recovery: Recovery(
                snapshot: Snapshot(bootstrapping: Configuration(voters: ids(1, 2, 3)))
            ),
            generator: SeededGenerator(seed: 42),
            now: 1
        )
        var drawn: [Int] = []
        for _ in 0..<200 {
            member.setElectionTimer()
            drawn.append(member.electionTimeout)
        }
        #expect(drawn.min() == 10)
        #expect(drawn.max() == 19)
    }

    @Test(
        "3.6.1: the voter denies its vote if its own log is more up-to-date",
        arguments: [
            (position(1, 3), false), (position(9, 1), false), (position(2, 2), false),
            (position(3, 2), true), (position(2, 3), true), (position(3, 3), true),
        ]
    )
    func electionRestriction(last: LogPosition, isGranted: Bool) {
        let rivals = last == position(1, 3) ? log(1, 3) : log(1, 1, 2)
        for isPreVote in [true, false] {
            var rig = Rig(term: 3, entries: rivals)
            rig.now += rig.member.options.electionTimeoutNanoseconds
            if isPreVote {
                rig.receive(.preVote(last: last), from: 2, term: 4)
                #expect(rig.sent(to: 2) == [.preVoteReply(isGranted: isGranted)])
                #expect(rig.member.term == 3)
            } else {
                rig.receive(.vote(last: last, isTransfer: false), from: 2, term: 4)
                #expect(rig.sent(to: 2) == [.voteReply(isGranted: isGranted)])
                #expect(rig.member.term == 4)
            }
        }
    }

    @Test("9.6: a candidate increments its term only once a majority would vote for it")
    func preVoteKeepsTerm() {
        var rig = Rig(term: 4)
        rig.tick(60)
        #expect(rig.member.role == .preCandidate)
        #expect(rig.member.term == 4)
        rig.receive(.preVoteReply(isGranted: true), from: 2, term: 5)
        #expect(rig.member.term == 5)
    }

    @Test("4.2.3: within the minimum election timeout of hearing from a leader it grants nothing")
    func stickiness() {
        var rig = Rig(term: 1)
        rig.receive(rig.append(), from: 2, term: 1)
        rig.now += rig.member.options.electionTimeoutNanoseconds - 1
        rig.receive(.vote(last: position(9, 9), isTransfer: false), from: 3, term: 8)
        #expect(rig.sent.isEmpty)
        #expect(rig.member.term == 1)
        rig.receive(.preVote(last: position(9, 9)), from: 3, term: 8)
        #expect(rig.sent(to: 3) == [.preVoteReply(isGranted: false)])
        rig.now += 1
        rig.receive(.vote(last: position(9, 9), isTransfer: false), from: 3, term: 8)
        #expect(rig.sent(to: 3) == [.voteReply(isGranted: true)])
    }

    @Test("4.2.3: that holds in the term which it came into meanwhile as well")
    func stickinessInNewTerm() {
        var rig = Rig(term: 1)
        rig.receive(rig.append(), from: 2, term: 1)
        rig.receive(.preVoteReply(isGranted: false), from: 3, term: 2)
        #expect(rig.member.term == 2)
        rig.now += rig.member.options.electionTimeoutNanoseconds - 1
        rig.receive(.vote(last: position(9, 9), isTransfer: false), from: 3, term: 2)
        #expect(rig.sent(to: 3) == [.voteReply(isGranted: false)])
        rig.receive(.vote(last: position(9, 9), isTransfer: true), from: 4, term: 2)
        #expect(rig.sent(to: 4) == [.voteReply(isGranted: true)])
        // What it has given already it says again.
        rig.receive(.vote(last: position(9, 9), isTransfer: false), from: 4, term: 2)
        #expect(rig.sent(to: 4) == [.voteReply(isGranted: true)])
    }

    @Test("3.10: a vote that the leader asked for is given despite its heartbeats")
    func transferVote() {
        var rig = Rig(term: 1)
        rig.receive(rig.append(), from: 2, term: 1)
        rig.receive(.vote(last: position(0, 0), isTransfer: true), from: 3, term: 2)
        #expect(rig.sent(to: 3) == [.voteReply(isGranted: true)])
    }

    @Test("6.4.1: a member that restarts votes for nobody for one election timeout")
    func quietAfterRestart() {
        var rig = Rig(term: 1)
        rig.now += rig.member.options.electionTimeoutNanoseconds - 1
        rig.receive(.vote(last: position(9, 9), isTransfer: false), from: 3, term: 8)
        #expect(rig.sent.isEmpty)
        #expect(rig.member.term == 1)
    }

    @Test("6.2: a leader steps down if an election timeout elapses without a round to a majority")
    func checkQuorum() {
        var rig = Rig()
        rig.becomeLeader()
        rig.accept(1, from: 2)
        rig.tick(9)
        #expect(rig.member.role == .leader)
        rig.tick(1)
        #expect(rig.member.role == .follower)
    }
}
