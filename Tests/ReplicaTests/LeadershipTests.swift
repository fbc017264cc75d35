// SPDX-License-Identifier: Apache-2.0

import Identity
import Raft
import Replica
import Store
import Testing

/// A replica that gains and loses the leadership, or whose disk and state fail while it leads.
@Suite struct LeadershipTests {
    private var trio: Trio
    private let base = MemoryStore()

    init() throws {
        trio = try Trio(base)
        trio.lead()
    }

    private var replica: Replica { trio.replica }

    private func append(
        after previous: LogPosition,
        _ entries: [Entry],
        commit: LogIndex
    ) -> Message.Kind {
        let stamp = Stamp(round: 1, clock: 1)
        return .append(Append(previous: previous, entries: entries, commit: commit, stamp: stamp))
    }

    @Test("it leads with the help of a majority")
    func leads() {
        #expect(replica.role == .leader)
        #expect(replica.isWritable(now: trio.owner.now))
        #expect(replica.appliedIndex == 2)
    }

    @Test("what an earlier term left in flight does not stand between a change and its answer")
    mutating func leadsAgain() throws {
        trio.isPeerUp = false
        try trio.propose(10...13)
        #expect(replica.lastIndex == 6)

        // Member 3 has led meanwhile, without having seen any of it, and hands over again.
        let second = Entry(term: 2, index: 3, content: .empty)
        trio.hear(append(after: LogPosition(index: 2, term: 1), [second], commit: 2), term: 2)
        #expect(replica.role == .follower)
        trio.isPeerUp = true
        trio.hear(.timeoutNow, term: 2)
        #expect(replica.role == .leader && replica.term == 3)
        #expect(replica.appliedIndex == 4)

        try trio.propose(20...20)
        #expect(replica.appliedIndex == 5)
        #expect(trio.replies.last == "reply 20 success")
        try trio.propose(21...21)
        let lost = (10...13).map {
            "reply \($0) notWritable(reason: \"another leader took its place\")"
        }
        #expect(trio.replies == lost + ["reply 20 success", "reply 21 success"])
    }

    @Test("what waits for a place in the log goes with the leadership, all of it")
    mutating func waitingGoes() throws {
        var limits = ReplicaLimits()
        limits.batchEntriesMax = 1
        trio = try Trio(MemoryStore(), limits: limits)
        trio.lead()
        trio.isPeerUp = false
        try trio.propose(10...10)
        try trio.propose(11...14)
        // Nothing is stepped after this: it takes one step for all of them.
        trio.isDiskUp = false
        let second = Entry(term: 2, index: 3, content: .empty)
        trio.hear(append(after: LogPosition(index: 2, term: 1), [second], commit: 2), term: 2)
        #expect(replica.role == .follower)
        let refused = (11...14).map { "reply \($0) notWritable(reason: \"member 3 leads\")" }
        #expect(trio.replies == refused)
    }

    @Test("a state that cannot be written ends the leadership")
    mutating func brokenState() throws {
        base.failNext(.write, with: .io("broken"))
        try trio.propose(10...10)
        #expect(trio.replies == ["reply 10 stopped"])
        #expect(replica.isStopped)
        #expect(replica.role == .stopped)
        let count = trio.sent.count
        trio.pass(ticks: 5)
        #expect(trio.sent.count == count)
    }

    @Test("a state without room is written once there is some, and nothing is answered before")
    mutating func fullState() throws {
        base.failNext(.write, with: .noSpace("full"), count: 4)
        try trio.propose(10...10)
        #expect(trio.replies.isEmpty)
        #expect(replica.isOutOfSpace && !replica.isStopped)
        #expect(replica.appliedIndex == 2)
        trio.pass(ticks: 1)
        #expect(replica.freshAsOf(now: trio.owner.now) < trio.owner.now)
        // Whoever else has room is asked to lead; nobody does here, so it goes on by itself.
        #expect(trio.sent.contains { $0.kind == .timeoutNow })
        trio.pass(ticks: 3)
        #expect(trio.replies == ["reply 10 success"])
        #expect(replica.appliedIndex >= 3 && !replica.isOutOfSpace)
        #expect(try replica.store.reader.header(.session, "s10") != nil)
    }

    @Test("a snapshot that comes without its state is not taken")
    mutating func bareSnapshot() throws {
        let group = Configuration(voters: [MemberID(1), MemberID(2), MemberID(3)])
        let position = LogPosition(index: 100, term: 2)
        trio.hear(.snapshot(Snapshot(position: position, configuration: group)), term: 2)
        #expect(replica.lastIndex == 2)
        #expect(replica.appliedIndex == 2)
    }

    @Test("what becomes durable while readers are told of a snapshot is not forgotten")
    mutating func persistedMeanwhile() throws {
        let state = try RecordStore(base)
        let snapshot = try #require(Snapshot(describing: state.metadata))
        trio = try Trio(MemoryStore())
        trio.isDiskUp = false
        trio.isWarning = false
        let message = Message(
            from: MemberID(3),
            to: MemberID(1),
            term: 1,
            kind: .snapshot(snapshot)
        )
        trio.feed(.receiveSnapshot(message, state))
        let third = Entry(term: 1, index: 3, content: .empty)
        trio.hear(append(after: snapshot.position, [third], commit: 2), term: 1)
        #expect(trio.writes.map(\.number) == [1, 2])
        trio.feed(.persisted(through: 1))
        trio.feed(.persisted(through: 2))
        trio.feed(.warned)
        #expect(replica.appliedIndex == 2)
        let matches = trio.sent.compactMap { message in
            if case .appendReply(let reply) = message.kind { reply.outcome } else { nil }
        }
        #expect(matches == [.accepted(match: 2), .accepted(match: 3)])
    }

    @Test("a leader without room goes on looking for a successor")
    mutating func handsOverAgain() throws {
        trio.isPeerDiskUp = false
        trio.isDiskUp = false
        try trio.propose(10...10)
        trio.feed(.persistFailed(.noSpace))
        trio.pass(ticks: 12)
        #expect(replica.role == .leader)
        #expect(!trio.sent.contains { $0.kind == .timeoutNow })

        trio.isPeerDiskUp = true
        trio.pass(ticks: 2)
        trio.feed(.persistFailed(.noSpace))
        #expect(trio.sent.contains { $0.kind == .timeoutNow })
    }

    @Test("a history that could not begin while the leadership was handed over begins later")
    mutating func beginsLater() throws {
        trio = try Trio(MemoryStore())
        trio.isWarning = false
        trio.lead()
        #expect(replica.commitIndex == 1)
        #expect(replica.appliedIndex == 0)
        trio.feed(.transferLeadership(to: MemberID(3)))
        trio.isWarning = true
        trio.feed(.warned)
        #expect(replica.appliedIndex == 1)
        trio.pass(ticks: 12)
        #expect(replica.role == .leader && replica.term == 1)
        #expect(replica.isWritable(now: trio.owner.now))
    }

    @Test("a full disk refuses what waits, revocations excepted")
    mutating func waitingRevocation() throws {
        trio.isPeerUp = false
        trio.isDiskUp = false
        try trio.propose(10...10)
        try trio.propose(11...11)
        let revocation = Command.Kind.revoke(.session("s1"), reason: "")
        trio.feed(.propose([Proposal(id: ProposalID(12), kind: revocation)]))
        trio.feed(.persistFailed(.noSpace))
        #expect(trio.replies == ["reply 11 noSpace"])
    }

    @Test("a read is answered in the end, confirmed or not")
    mutating func overdueReads() throws {
        trio.isDiskUp = false
        try trio.propose(10...10)
        let reply = AppendReply(
            outcome: .accepted(match: 3),
            stamp: Stamp(round: 1, clock: 1),
            reading: Reading(run: 3, clock: 1)
        )
        trio.hear(.appendReply(reply), term: 1)
        // The others have it: it is committed, and not durable here.
        #expect(replica.commitIndex == 3)
        #expect(replica.appliedIndex == 2)
        trio.feed(.read(ProposalID(11)))
        trio.isPeerUp = false
        trio.feed(.read(ProposalID(12)))
        #expect(trio.replies.isEmpty)
        trio.owner.now += 3_000_000_000
        trio.feed(.tick)
        #expect(trio.replies == (10...12).map { "reply \($0) timedOut" })
        trio.isPeerUp = true
        trio.catchUp()
        trio.pass(ticks: 2)
        #expect(trio.replies.count == 3)
        #expect(replica.appliedIndex == 3)
    }

    @Test("on a full disk what a leader proposes itself neither heaps up nor is waited for")
    mutating func ownProposals() throws {
        var owner = try Owner(MemoryStore())
        let json = Array(#"{"user_id":"alice","expires_at":"2027-01-15T08:00:10Z"}"#.utf8)
        let write = try Document.parse(json, type: .session, id: "s1")
        _ = owner.step(.propose([Proposal(id: ProposalID(1), kind: .put([write]))]))
        _ = owner.step(.persistFailed(.noSpace))
        for second in Int64(1)...20 {
            owner.wall = Timestamp(seconds: 1_800_000_000 + second)
            owner.now += 1_000_000_000
            _ = owner.step(.tick)
        }
        // The change has been answered for, so a node that shuts down waits for nobody.
        #expect(owner.replica.pendingCount == 0)
        _ = owner.step(.persisted(through: 4))
        #expect(owner.step(.warned) == ["applied", "persist 5 4...4", "prepare"])
    }
}
