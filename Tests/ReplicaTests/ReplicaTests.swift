// SPDX-License-Identifier: Apache-2.0

import Identity
import Log
import Replica
import Store
import Testing

/// The replica as a value: events in, actions out.
@Suite struct ReplicaTests {
    private var replica: Replica
    private let at = Timestamp(seconds: 1_800_000_000)

    init() throws {
        replica = Replica(try RecordStore(MemoryStore()))
    }

    private func proposal(_ number: UInt64, _ kind: Command.Kind) -> Event {
        .propose([Proposal(id: ProposalID(number), kind: kind)], at: at, now: number)
    }

    private func session(_ id: String) throws -> Command.Kind {
        .put([try Document.parse(Array(#"{"user_id":"alice"}"#.utf8), type: .session, id: id)])
    }

    @Test("a proposal is appended, warned of, applied and answered, in this order")
    mutating func order() throws {
        let first = replica.step(proposal(1, try session("s1")))
        #expect(first.map(\.name) == ["append 1...1", "prepare"])
        #expect(replica.step(.prepare).isEmpty)
        #expect(try replica.store.reader.header(.session, "s1") == nil)

        let second = replica.step(.written(through: 1))
        #expect(second.map(\.name) == ["warn"])
        #expect(try replica.store.reader.header(.session, "s1") == nil)

        let third = replica.step(.warned)
        #expect(third.map(\.name) == ["applied", "reply 1 success"])
        #expect(try replica.store.reader.header(.session, "s1") != nil)
        #expect(replica.commitIndex == 1)
    }

    @Test("what arrives while an append is outstanding becomes one later append")
    mutating func groupCommit() throws {
        _ = replica.step(proposal(1, try session("s1")))
        for number in UInt64(2)...5 {
            #expect(replica.step(proposal(number, try session("s\(number)"))).isEmpty)
        }
        _ = replica.step(.written(through: 1))
        let actions = replica.step(.warned)
        #expect(actions.map(\.name) == ["applied", "reply 1 success", "append 2...5", "prepare"])
    }

    @Test("a full disk refuses what was not logged and nothing else")
    mutating func noSpace() throws {
        _ = replica.step(proposal(1, try session("s1")))
        _ = replica.step(proposal(2, try session("s2")))
        // What was worked out ahead for the lost entry must not stand for the next one.
        #expect(replica.step(.prepare).isEmpty)
        let failed = replica.step(.appendFailed(.noSpace))
        #expect(failed.map(\.name) == ["reply 1 noSpace", "append 1...1", "prepare"])
        _ = replica.step(.written(through: 1))
        #expect(replica.step(.warned).map(\.name) == ["applied", "reply 2 success"])
        #expect(try replica.store.reader.header(.session, "s1") == nil)
        #expect(try replica.store.reader.header(.session, "s2") != nil)
    }

    @Test("a failed sync stops the member for good")
    mutating func stopped() throws {
        _ = replica.step(proposal(1, try session("s1")))
        _ = replica.step(proposal(2, try session("s2")))
        let failed = replica.step(.appendFailed(.stopped("EIO")))
        #expect(failed.map(\.name) == ["reply 1 stopped", "reply 2 stopped", "stop"])
        #expect(replica.step(proposal(3, try session("s3"))).map(\.name) == ["reply 3 stopped"])
    }

    @Test("an overdue proposal is answered once, and still applied when it becomes durable")
    mutating func overdue() throws {
        _ = replica.step(proposal(1, try session("s1")))
        _ = replica.step(proposal(2, try session("s2")))
        let late = replica.step(.tick(at: at, now: 3_000_000_000))
        #expect(late.map(\.name) == ["reply 2 timedOut", "reply 1 timedOut"])
        _ = replica.step(.written(through: 1))
        #expect(replica.step(.warned).map(\.name).first == "applied")
        #expect(try replica.store.reader.header(.session, "s1") != nil)
        #expect(try replica.store.reader.header(.session, "s2") == nil)
    }

    @Test("a full queue is an answer")
    mutating func busy() throws {
        var limits = ReplicaLimits()
        limits.proposalsMax = 1
        replica = Replica(try RecordStore(MemoryStore()), limits: limits)
        _ = replica.step(proposal(1, try session("s1")))
        #expect(replica.step(proposal(2, try session("s2"))).map(\.name) == ["reply 2 busy"])
    }

    @Test("a store that cannot be written stops the member instead of answering")
    mutating func brokenStore() throws {
        let base = MemoryStore()
        replica = Replica(try RecordStore(base))
        _ = replica.step(proposal(1, try session("s1")))
        _ = replica.step(.written(through: 1))
        base.failNext(.write, with: .io("broken"))
        #expect(replica.step(.warned).map(\.name) == ["reply 1 stopped", "stop"])
    }

    @Test("an expired session goes with the next tick, by a command of its own")
    mutating func expiry() throws {
        let json = #"{"user_id":"alice","expires_at":"2027-01-15T08:00:10Z"}"#
        let write = try Document.parse(Array(json.utf8), type: .session, id: "s1")
        run(proposal(1, .put([write])))
        #expect(try replica.store.reader.header(.session, "s1") != nil)
        run(.tick(at: at.adding(seconds: 5), now: 5))
        #expect(try replica.store.reader.header(.session, "s1") != nil)
        run(.tick(at: at.adding(seconds: 20), now: 6))
        #expect(try replica.store.reader.header(.session, "s1") == nil)
    }

    @Test("a revocation of very many takes steps, each told of, and one answer")
    mutating func steps() throws {
        replica = Replica(try RecordStore(MemoryStore(), revokedTogetherMax: 2))
        for number in 1...5 { run(proposal(UInt64(number), try session("s\(number)"))) }
        let revocation = proposal(6, .revoke(.user("alice"), reason: ""))
        #expect(replica.step(revocation).map(\.name) == ["append 6...6", "prepare"])
        #expect(replica.step(proposal(7, try session("s7"))).isEmpty)
        #expect(replica.step(.written(through: 6)).map(\.name) == ["warn"])
        for left in [3, 1] {
            #expect(replica.step(.warned).map(\.name) == ["applied", "warn"])
            #expect(replica.store.metadata.appliedIndex == 5)
            let sessions = try replica.store.reader.entries(
                in: .sessions(ofUser: "alice"),
                after: 0,
                limit: .max
            )
            #expect(sessions.count == left)
        }
        let last = replica.step(.warned)
        #expect(last.map(\.name) == ["applied", "reply 6 success", "append 7...7", "prepare"])
        guard case .reply(_, .success(let applied)) = last[1] else { return }
        #expect(applied.count == 5)
        #expect(replica.store.metadata.appliedIndex == 6)
    }

    @Test("an idle replica writes nothing")
    mutating func idle() throws {
        run(proposal(1, try session("s1")))
        for second in Int64(1)...10 {
            let actions = replica.step(.tick(at: at.adding(seconds: second), now: UInt64(second)))
            #expect(actions.isEmpty)
        }
    }

    @Test("a wall clock that jumps back does not turn the history's time back")
    mutating func clockJump() throws {
        run(proposal(1, try session("s1")))
        let early = Event.propose(
            [Proposal(id: ProposalID(2), kind: try session("s2"))],
            at: Timestamp(seconds: 1000),
            now: 2
        )
        run(early)
        #expect(try replica.store.reader.header(.session, "s2")?.modifiedAt == at)
    }

    /// Performs everything at once, as a disk without latency would.
    private mutating func run(_ event: Event) {
        var actions = replica.step(event)[...]
        while let action = actions.popFirst() {
            switch action {
            case .append(let entries):
                actions += replica.step(.written(through: entries.last?.index ?? 0))
            case .prepare: actions += replica.step(.prepare)
            case .warn: actions += replica.step(.warned)
            default: break
            }
        }
    }
}

extension Action {
    /// What a test reads.
    var name: String {
        switch self {
        case .append(let entries):
            "append \(entries.first?.index ?? 0)...\(entries.last?.index ?? 0)"
        case .prepare: "prepare"
        case .warn: "warn"
        case .applied: "applied"
        case .reply(let id, .success): "reply \(id.rawValue) success"
        case .reply(let id, .failure(let error)): "reply \(id.rawValue) \(error)"
        case .discardLog(let index): "discard \(index)"
        case .stop: "stop"
        }
    }
}
