// SPDX-License-Identifier: Apache-2.0

import Identity
import Store
import Testing

/// What goes by itself, and the change log it leaves (the contract's S19 to S23 and H1).
@Suite("maintenance")
struct MaintenanceTests {
    private static let maintain = Command.Kind.maintain(
        changeRetentionSeconds: 3600,
        recordsMax: 100
    )

    @Test("expired sessions and context go, accounts stay", arguments: Engine.allCases)
    func expiry(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            let end = rig.now + 100
            try rig.accept(.put([try Make.session("s1", user: "a", expires: end)]))
            try rig.accept(.put([try Make.context("risk/a", "high", expires: end)]))
            try rig.accept(.put([try Make.account("bot", owner: "a", expires: end)]))
            rig.now = end - 1
            #expect(try rig.accept(Self.maintain) == 0)
            let outcome = try rig.apply(Self.maintain)
            #expect(outcome.changes.map(\.kind) == [.expire, .expire])
            #expect(try rig.ids(.records(.session)).isEmpty)
            #expect(try rig.ids(.contextSources).isEmpty)
            #expect(try rig.ids(.principals).isEmpty)
            #expect(try rig.ids(.records(.serviceAccount)) == ["bot"])
            #expect(try !rig.reader.isRevoked(.session, "s1"))
        }
    }

    @Test("a longer life moves the expiry", arguments: Engine.allCases)
    func expiryMoves(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            let end = rig.now + 100
            try rig.accept(.put([try Make.session("s1", user: "a", expires: end)]))
            try rig.accept(.put([try Make.session("s1", user: "a", expires: end + 100)]))
            rig.now = end + 10
            #expect(try rig.accept(Self.maintain) == 0)
            rig.now = end + 100
            #expect(try rig.accept(Self.maintain) == 1)
        }
    }

    @Test("a TTL counts from the last change; without one nothing goes", arguments: Engine.allCases)
    func timeToLive(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.put([try Make.user("a"), try Make.user("b")]))
            try rig.accept(.setOptions(.user, RecordOptions(ttlSeconds: 50)))
            rig.now += 30
            try rig.accept(.put([try Make.user("a", name: "again")]))
            rig.now += 30
            #expect(try rig.accept(Self.maintain) == 1)
            #expect(try rig.ids(.records(.user)) == ["a"])
            try rig.accept(.setOptions(.user, RecordOptions()))
            rig.now += 1000
            #expect(try rig.accept(Self.maintain) == 0)
        }
    }

    @Test("a TTL below a second is not none", arguments: Engine.allCases)
    func shortTimeToLive(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            var options = RecordOptions(ttlSeconds: 0)
            options.ttlNanoseconds = 50_000_000
            try rig.accept(.setOptions(.user, options))
            func apply(_ milliseconds: Int32, _ kind: Command.Kind) throws {
                let at = Timestamp(seconds: 2_000_000, nanoseconds: milliseconds * 1_000_000)
                let index = rig.store.metadata.appliedIndex + 1
                let place = RecordStore.Position(term: 1, index: index)
                _ = try rig.store.apply(.init(Command(at: at, kind: kind), at: place))
            }
            try apply(0, .put([try Make.user("a")]))
            try apply(30, .put([try Make.user("a")]))
            try apply(60, Self.maintain)
            #expect(try rig.ids(.records(.user)) == ["a"])
            try apply(80, Self.maintain)
            #expect(try rig.ids(.records(.user)).isEmpty)
        }
    }

    @Test("TTL and capacity together, and each removal is in the log", arguments: Engine.allCases)
    func both(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.setOptions(.user, RecordOptions(capacity: 5, ttlSeconds: 50)))
            for id in 0..<10 { try rig.accept(.put([try Make.user("\(id)")])) }
            #expect(try rig.ids(.records(.user)).count == 5)
            rig.now += 100
            #expect(try rig.accept(Self.maintain) == 5)
            #expect(try rig.ids(.records(.user)).isEmpty)
            guard case .changes(let changes) = try rig.reader.changes(after: 0, limit: 100) else {
                Issue.record("trimmed")
                return
            }
            #expect(changes.count { $0.kind == .evict } == 5)
            #expect(changes.count { $0.kind == .expire } == 5)
        }
    }

    @Test("one maintenance removes no more than it may", arguments: Engine.allCases)
    func bounded(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            for id in 0..<5 {
                try rig.accept(.put([try Make.session("\(id)", user: "a", expires: rig.now + 50)]))
            }
            rig.now += 100
            for left in [5, 3, 1, 0] {
                let count: UInt32 = left == 5 ? 0 : 2
                try rig.accept(.maintain(changeRetentionSeconds: 3600, recordsMax: count))
                #expect(try rig.ids(.records(.session)).count == left)
            }
        }
    }

    @Test("changes are read since a version, and a trimmed log says so", arguments: Engine.allCases)
    func changeLog(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            for id in 1...3 { try rig.accept(.put([try Make.user("\(id)")])) }
            try rig.accept(.put([RecordWrite(delete: .user, id: "1")]))
            func ids(after version: UInt64, limit: Int = 100) throws -> [String]? {
                guard case .changes(let page) = try rig.reader.changes(after: version, limit: limit)
                else { return nil }
                return page.map { "\($0.kind) \($0.id)" }
            }
            #expect(try ids(after: 0) == ["put 1", "put 2", "put 3", "delete 1"])
            #expect(try ids(after: 1, limit: 2) == ["put 2", "put 3"])
            #expect(try ids(after: 1, limit: 0) == [])
            #expect(try ids(after: 4) == [])
            #expect(try ids(after: .max) == [])
            rig.now += 5000
            try rig.accept(.maintain(changeRetentionSeconds: 3600, recordsMax: 2))
            #expect(try ids(after: 1) == nil)
            #expect(try rig.reader.changes(after: 0, limit: 9) == .trimmed(earliest: 3))
            #expect(try ids(after: 2) == ["put 3", "delete 1"])
            try rig.accept(.maintain(changeRetentionSeconds: 0, recordsMax: 100))
            try rig.reopen()
            #expect(try ids(after: 3) == ["delete 1"])
        }
    }
}
