// SPDX-License-Identifier: Apache-2.0

import Identity
import Raft
import Replica
import Store
import Testing

/// The replica as a value: events in, actions out.
///
/// Here it is a group of one.
@Suite struct ReplicaTests {
    private var owner: Owner

    private let at = Timestamp(seconds: 1_800_000_000)
    private var replica: Replica { owner.replica }

    init() throws {
        owner = try Owner(MemoryStore())
    }

    private func proposal(_ number: UInt64, _ kind: Command.Kind) -> Event {
        .propose([Proposal(id: ProposalID(number), kind: kind)])
    }

    private func session(_ id: String) throws -> Command.Kind {
        .put([try Document.parse(Array(#"{"user_id":"alice"}"#.utf8), type: .session, id: id)])
    }

    @Test("a member on its own leads, names its history, and only then takes changes")
    mutating func beginning() throws {
        owner = try Owner(MemoryStore(), isStarted: false)
        let early = owner.step(proposal(1, try session("s1")))
        #expect(early == ["reply 1 notWritable(reason: \"no member leads at the moment\")"])
        #expect(owner.step(.tick) == ["preCandidate 0", "candidate 1", "persist 1 vote"])
        #expect(owner.step(.persisted(through: 1)) == ["leader 1", "persist 2 1...1"])
        #expect(!replica.isWritable(now: 1))
        #expect(owner.step(.persisted(through: 2)) == ["warn"])
        #expect(owner.step(.warned) == ["applied", "persist 3 2...2", "prepare"])
        #expect(owner.step(.persisted(through: 3)) == ["warn"])
        #expect(!replica.isWritable(now: 1))
        #expect(owner.step(.warned) == ["applied"])
        #expect(replica.isWritable(now: 1))
        #expect(replica.store.metadata.serverVersion != 0)
    }

    @Test("a proposal is made durable, warned of, applied and answered, in this order")
    mutating func order() throws {
        #expect(owner.step(proposal(1, try session("s1"))) == ["persist 4 3...3", "prepare"])
        #expect(owner.step(.prepare).isEmpty)
        #expect(try replica.store.reader.header(.session, "s1") == nil)

        #expect(owner.step(.persisted(through: 4)) == ["warn"])
        #expect(try replica.store.reader.header(.session, "s1") == nil)

        #expect(owner.step(.warned) == ["applied", "reply 1 success"])
        #expect(try replica.store.reader.header(.session, "s1") != nil)
        #expect(replica.commitIndex == 3)
    }

    @Test("what arrives while a batch is under way becomes one later batch")
    mutating func groupCommit() throws {
        _ = owner.step(proposal(1, try session("s1")))
        for number in UInt64(2)...5 {
            #expect(owner.step(proposal(number, try session("s\(number)"))).isEmpty)
        }
        _ = owner.step(.persisted(through: 4))
        let actions = owner.step(.warned)
        #expect(actions == ["applied", "reply 1 success", "persist 5 4...7", "prepare"])
    }

    @Test("a full disk refuses what is not logged yet, revocations excepted, until there is room")
    mutating func noSpace() throws {
        _ = owner.step(proposal(1, try session("s1")))
        _ = owner.step(proposal(2, try session("s2")))
        #expect(owner.step(.persistFailed(.noSpace)) == ["reply 2 noSpace"])
        #expect(owner.step(.persistFailed(.noSpace)).isEmpty)
        #expect(owner.step(proposal(3, try session("s3"))) == ["reply 3 noSpace"])
        #expect(owner.step(proposal(4, .revoke(.session("s1"), reason: ""))).isEmpty)
        #expect(owner.step(.persisted(through: 4)) == ["warn"])
        let applied = owner.step(.warned)
        #expect(applied == ["applied", "reply 1 success", "persist 5 4...4", "prepare"])
        _ = owner.step(.persisted(through: 5))
        #expect(owner.step(.warned) == ["applied", "reply 4 success"])
        #expect(try replica.store.reader.isRevoked(.session, "s1"))
        #expect(try replica.store.reader.header(.session, "s2") == nil)
    }

    @Test("a failed sync stops the member for good")
    mutating func stopped() throws {
        _ = owner.step(proposal(1, try session("s1")))
        _ = owner.step(proposal(2, try session("s2")))
        let failed = owner.step(.persistFailed(.stopped("EIO")))
        #expect(failed == ["reply 1 stopped", "reply 2 stopped", "stop", "stopped 1"])
        #expect(owner.step(proposal(3, try session("s3"))) == ["reply 3 stopped"])
        #expect(owner.step(.read(ProposalID(4))) == ["reply 4 stopped"])
    }

    @Test("an overdue proposal is answered once, and still applied when it becomes durable")
    mutating func overdue() throws {
        _ = owner.step(proposal(1, try session("s1")))
        _ = owner.step(proposal(2, try session("s2")))
        owner.now = 3_000_000_000
        #expect(owner.step(.tick) == ["reply 2 timedOut", "reply 1 timedOut"])
        _ = owner.step(.persisted(through: 4))
        #expect(owner.step(.warned).first == "applied")
        #expect(try replica.store.reader.header(.session, "s1") != nil)
        #expect(try replica.store.reader.header(.session, "s2") == nil)
    }

    @Test("a full queue is an answer")
    mutating func busy() throws {
        var limits = ReplicaLimits()
        limits.proposalsMax = 1
        owner = try Owner(MemoryStore(), limits: limits)
        _ = owner.step(proposal(1, try session("s1")))
        #expect(owner.step(proposal(2, try session("s2"))) == ["reply 2 busy"])
    }

    @Test("a store that cannot be written stops the member instead of answering")
    mutating func brokenStore() throws {
        let base = MemoryStore()
        owner = try Owner(base)
        _ = owner.step(proposal(1, try session("s1")))
        _ = owner.step(.persisted(through: 4))
        base.failNext(.write, with: .io("broken"))
        #expect(owner.step(.warned) == ["reply 1 stopped", "stop", "stopped 1"])
    }

    @Test("a read is answered once everything committed before it is applied")
    mutating func read() throws {
        #expect(owner.step(.read(ProposalID(1))) == ["reply 1 success"])
        _ = owner.step(proposal(2, try session("s1")))
        #expect(owner.step(.persisted(through: 4)) == ["warn"])
        // It is committed, so a read has to see it, and nobody can before the warning.
        #expect(owner.step(.read(ProposalID(3))).isEmpty)
        let applied = owner.step(.warned)
        #expect(applied == ["applied", "reply 2 success", "reply 3 success"])
    }

    @Test("a group of one is always fresh, unless something committed is not visible yet")
    mutating func freshness() throws {
        owner.now = 60_000_000_000
        #expect(replica.freshAsOf(now: owner.now) == owner.now)
        _ = owner.step(.tick)
        _ = owner.step(proposal(1, try session("s1")))
        _ = owner.step(.persisted(through: 4))
        #expect(replica.freshAsOf(now: owner.now + 5) == owner.now)
        _ = owner.step(.warned)
        #expect(replica.freshAsOf(now: owner.now + 5) == owner.now + 5)
    }

    @Test("memory keeps a few applied entries and no more")
    mutating func compaction() throws {
        var limits = ReplicaLimits()
        limits.retainedBytesMax = 500
        owner = try Owner(MemoryStore(), limits: limits)
        var most: UInt64 = 0
        for number in UInt64(1)...100 {
            owner.run(proposal(number, try session("s\(number)")))
            most = max(most, replica.heldEntriesCount)
        }
        #expect((2..<30).contains(most))
        #expect(replica.appliedIndex == 102)
    }

    @Test("an expired session goes with the next tick, by a command of its own")
    mutating func expiry() throws {
        let json = #"{"user_id":"alice","expires_at":"2027-01-15T08:00:10Z"}"#
        let write = try Document.parse(Array(json.utf8), type: .session, id: "s1")
        owner.run(proposal(1, .put([write])))
        #expect(try replica.store.reader.header(.session, "s1") != nil)
        owner.wall = at.adding(seconds: 5)
        owner.run(.tick)
        #expect(try replica.store.reader.header(.session, "s1") != nil)
        owner.wall = at.adding(seconds: 20)
        owner.run(.tick)
        #expect(try replica.store.reader.header(.session, "s1") == nil)
    }

    @Test("a revocation of very many takes steps, each told of, and one answer")
    mutating func steps() throws {
        owner = try Owner(MemoryStore(), revokedTogetherMax: 2)
        for number in 1...5 { owner.run(proposal(UInt64(number), try session("s\(number)"))) }
        let revocation = proposal(6, .revoke(.user("alice"), reason: ""))
        #expect(owner.step(revocation) == ["persist 9 8...8", "prepare"])
        #expect(owner.step(proposal(7, try session("s7"))).isEmpty)
        #expect(owner.step(.persisted(through: 9)) == ["warn"])
        for left in [3, 1] {
            #expect(owner.step(.warned) == ["applied", "warn"])
            #expect(replica.appliedIndex == 7)
            let sessions = try replica.store.reader.entries(
                in: .sessions(ofUser: "alice"),
                after: 0,
                limit: .max
            )
            #expect(sessions.count == left)
        }
        let last = owner.step(.warned)
        #expect(last == ["applied", "reply 6 success", "persist 10 9...9", "prepare"])
        #expect(owner.answers[ProposalID(6)]?.count == 5)
        #expect(owner.answers[ProposalID(6)]?.receipt?.index == 8)
        #expect(replica.appliedIndex == 8)
    }

    @Test("an answer says where its change stands, and the history's time there")
    mutating func receipts() throws {
        owner.run(proposal(1, try session("s1")))
        owner.wall = at.adding(seconds: -100)
        owner.step(proposal(2, try session("s2")))
        owner.step(.persisted(through: 5))
        owner.step(.warned)
        let receipt = Receipt(index: 4, term: 1, acceptedAt: at)
        #expect(owner.answers[ProposalID(2)]?.receipt == receipt)
        #expect(replica.store.metadata.appliedIndex == 4)
        // A read has no place in the log.
        owner.step(.read(ProposalID(3)))
        #expect(owner.answers[ProposalID(3)] != nil)
        #expect(owner.answers[ProposalID(3)]?.receipt == nil)
    }

    @Test("an idle replica writes nothing")
    mutating func idle() throws {
        owner.run(proposal(1, try session("s1")))
        for second in Int64(1)...10 {
            owner.wall = at.adding(seconds: second)
            owner.now += 1_000_000_000
            #expect(owner.step(.tick).isEmpty)
        }
    }

    @Test("a wall clock that jumps back does not turn the history's time back")
    mutating func clockJump() throws {
        owner.run(proposal(1, try session("s1")))
        owner.wall = Timestamp(seconds: 1000)
        owner.run(proposal(2, try session("s2")))
        #expect(try replica.store.reader.header(.session, "s2")?.modifiedAt == at)
    }
}
