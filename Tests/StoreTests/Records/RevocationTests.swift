// SPDX-License-Identifier: Apache-2.0

import Identity
import Store
import Testing

/// A revocation that returned success never comes back (PRODUCT, promise 1).
@Suite("revocation")
struct RevocationTests {
    @Test(
        "a revoked session refuses every later write, also after a restart",
        arguments: Engine.allCases
    )
    func tombstone(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            let write = try Make.session("s1", user: "alice")
            try rig.accept(.put([write]))
            #expect(try rig.accept(.revoke(.session("s1"), reason: "left")) == 1)
            #expect(try rig.accept(.revoke(.session("s1"), reason: "twice")) == 0)
            for _ in 0..<2 {
                #expect(try rig.refuse(.put([try Make.user("x"), write])) == .revoked(id: "s1"))
                #expect(try rig.accept(.patch([write], paths: ["user_id"])) == 0)
                #expect(try rig.reader.isRevoked(.session, "s1"))
                #expect(try rig.ids(.sessions(ofUser: "alice")).isEmpty)
                #expect(try rig.ids(.principals).isEmpty)
                try rig.reopen()
            }
        }
    }

    @Test(
        "deleting a session revokes it; put after delete in one command fails",
        arguments: Engine.allCases
    )
    func deleteRevokes(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            let write = try Make.session("s1", user: "alice")
            try rig.accept(.put([write]))
            let delete = RecordWrite(delete: .session, id: "s1")
            #expect(try rig.refuse(.put([delete, write])) == .revoked(id: "s1"))
            #expect(try rig.reader.header(.session, "s1") != nil)
            let outcome = try rig.apply(.put([delete]))
            #expect(outcome.changes.map(\.kind) == [.revoke])
            #expect(
                outcome.effects.contains(
                    .recordRemoved(.session, id: "s1", users: ["alice"], revoked: true)
                )
            )
            #expect(try rig.refuse(.put([write])) == .revoked(id: "s1"))
        }
    }

    @Test(
        "a user's, a group's and an account's sessions go in one command",
        arguments: Engine.allCases
    )
    func bulk(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.put([try Make.directoryUser("alice", groups: ["g"])]))
            try rig.accept(.put([try Make.directoryUser("bob", groups: ["g", "h"])]))
            try rig.accept(.put([try Make.account("bot", owner: "alice")]))
            let owners = ["alice", "alice", "bob", "carol", "bot", "bot"]
            for (number, user) in owners.enumerated() {
                try rig.accept(.put([try Make.session("s\(number)", user: user)]))
            }
            let index = rig.store.metadata.appliedIndex
            #expect(try rig.accept(.revoke(.user("carol"), reason: "")) == 1)
            #expect(try rig.accept(.revoke(.serviceAccount("bot"), reason: "")) == 3)
            let outcome = try rig.apply(.revoke(.group("g"), reason: "incident 7"))
            #expect(outcome.changes.map(\.id) == ["s0", "s1", "s2"])
            #expect(outcome.changes.allSatisfy { $0.kind == .revoke && $0.reason == "incident 7" })
            #expect(rig.store.metadata.appliedIndex == index + 3)
            #expect(try rig.ids(.records(.session)).isEmpty)
            #expect(try rig.members("g") == ["alice", "bob"])
            for (number, user) in owners.enumerated() {
                let again = try Make.session("s\(number)", user: user)
                #expect(try rig.refuse(.put([again])) == .revoked(id: "s\(number)"))
            }
            let account = try Make.account("bot", owner: "alice")
            #expect(try rig.refuse(.put([account])) == .revoked(id: "bot"))
        }
    }

    @Test("revoking what never was says so", arguments: Engine.allCases)
    func missing(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            let targets: [RevocationTarget] = [
                .session("x"), .user("x"), .group("x"), .serviceAccount("x"),
            ]
            for target in targets {
                let error = try rig.refuse(.revoke(target, reason: ""))
                #expect(error == .notFound(id: "x"))
            }
        }
    }

    @Test("a tombstone stays its time and no longer", arguments: Engine.allCases)
    func tombstoneEnds(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            let day: Int64 = 86_400
            let far = rig.now + 60 * day
            try rig.accept(.put([try Make.session("short", user: "a", expires: rig.now + 100)]))
            try rig.accept(.put([try Make.session("far", user: "a", expires: far)]))
            try rig.accept(.put([try Make.session("open", user: "a", expires: nil)]))
            try rig.accept(.revoke(.user("a"), reason: ""))
            let revokedAt = rig.now
            let maintain = Command.Kind.maintain(changeRetentionSeconds: 3600, recordsMax: 100)
            func revoked(at time: Int64) throws -> [Bool] {
                rig.now = time - 1
                try rig.accept(maintain)
                try rig.reopen()
                return try ["short", "far", "open"].map { try rig.reader.isRevoked(.session, $0) }
            }
            #expect(try revoked(at: revokedAt + 31 * day) == [true, true, true])
            #expect(try revoked(at: revokedAt + 31 * day + 1) == [false, true, true])
            #expect(try revoked(at: far + day) == [false, true, true])
            #expect(try revoked(at: far + day + 1) == [false, false, true])
            #expect(try revoked(at: far + 10_000 * day) == [false, false, true])
            try rig.accept(.put([try Make.session("short", user: "a", expires: nil)]))
        }
    }
}
