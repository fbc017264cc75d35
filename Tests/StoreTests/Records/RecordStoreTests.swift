// SPDX-License-Identifier: Apache-2.0

import Identity
import Store
import Testing

/// The databroker contract's storage cases (its suite S and X), as far as they are this room's.
@Suite("record store")
struct RecordStoreTests {
    @Test("a missing record is nil, a put one is whole", arguments: Engine.allCases)
    func putAndGet(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            #expect(try rig.reader.record(.session, "s1") == nil)
            try rig.accept(.beginHistory(serverVersion: 42))
            let write = try Make.session("s1", user: "alice")
            try rig.accept(.put([write, try Make.user("alice")]))
            let stored = try #require(try rig.reader.record(.session, "s1"))
            #expect(stored.record == write.record)
            #expect(stored.header.facts == write.facts)
            #expect(stored.header.version == 1)
            #expect(stored.header.modifiedAt == Timestamp(seconds: rig.now))
            #expect(rig.store.metadata.serverVersion == 42)
            #expect(rig.store.metadata.recordVersion == 2)
        }
    }

    @Test("a history keeps its name", arguments: Engine.allCases)
    func history(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            #expect(try rig.accept(.beginHistory(serverVersion: 42)) == 1)
            #expect(try rig.accept(.beginHistory(serverVersion: 43)) == 0)
            try rig.reopen()
            #expect(rig.store.metadata.serverVersion == 42)
        }
    }

    @Test("a command stamped behind the history happens now", arguments: Engine.allCases)
    func timeNeverGoesBack(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.put([try Make.user("alice")]))
            let before = Timestamp(seconds: rig.now)
            rig.now -= 100
            let outcome = try rig.apply(.put([try Make.user("bob")]))
            #expect(outcome.changes.map(\.at) == [before])
            #expect(rig.store.metadata.lastAppliedAt == before)
        }
    }

    @Test("deleting an id that never was is no error and no change", arguments: Engine.allCases)
    func deleteMissing(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.put([try Make.user("alice")]))
            #expect(try rig.accept(.put([RecordWrite(delete: .user, id: "bob")])) == 0)
            #expect(rig.store.metadata.recordVersion == 1)
            #expect(rig.store.metadata.appliedIndex == 2)
        }
    }

    @Test(
        "capacity keeps the newest in order, also when it is set later",
        arguments: Engine.allCases
    )
    func capacity(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.setOptions(.user, RecordOptions(capacity: 3)))
            for id in 0..<10 { try rig.accept(.put([try Make.user("\(id)")])) }
            #expect(try rig.ids(.records(.user)) == ["7", "8", "9"])
            #expect(try rig.reader.statistics(of: .records(.user))?.count == 3)
            try rig.accept(.put([try Make.user("7", name: "again")]))
            try rig.accept(.setOptions(.user, RecordOptions(capacity: 1)))
            #expect(try rig.ids(.records(.user)) == ["7"])
            #expect(try rig.ids(.principals) == ["7"])
        }
    }

    @Test("members who come by a membership count for the capacity", arguments: Engine.allCases)
    func membershipCapacity(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.put([try Make.directoryGroup("g")]))
            try rig.accept(.setOptions(.directoryUser, RecordOptions(capacity: 2)))
            let change = MembershipChange(group: "g", add: ["a", "b", "c"])
            #expect(try rig.accept(.changeMembers(change)) == 3)
            #expect(try rig.members("g") == ["b", "c"])
            #expect(try rig.ids(.records(.directoryUser)) == ["b", "c"])
        }
    }

    @Test("types are listed once they had a record, and stay", arguments: Engine.allCases)
    func types(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            #expect(try rig.reader.types().isEmpty)
            try rig.accept(.put([try Make.user("a"), try Make.other("x.io/T", "1")]))
            try rig.accept(.put([RecordWrite(delete: .user, id: "a")]))
            #expect(try rig.reader.types() == [.user, RecordType("x.io/T")])
        }
    }

    @Test(
        "a patch changes the named fields of what exists and skips the rest",
        arguments: Engine.allCases
    )
    func patch(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.put([try Make.session("s1", user: "alice", token: "keep-this")]))
            let before = try #require(try rig.reader.header(.session, "s1"))
            let writes = [
                try Make.session("missing", user: "bob"),
                try Make.session("s1", user: "bob", token: "not-this"),
            ]
            #expect(try rig.accept(.patch(writes, paths: ["user_id"])) == 1)
            let stored = try #require(try rig.reader.record(.session, "s1"))
            #expect(stored.header.version > before.version)
            #expect(stored.header.number == before.number)
            #expect(stored.header.facts.userID == "bob")
            #expect(String(decoding: stored.record.payload, as: UTF8.self).contains("keep-this"))
            #expect(try rig.reader.header(.session, "missing") == nil)
            #expect(try rig.ids(.sessions(ofUser: "alice")).isEmpty)
            #expect(try rig.ids(.sessions(ofUser: "bob")) == ["s1"])
        }
    }

    @Test("two writers that patch different fields both keep theirs", arguments: Engine.allCases)
    func patchTwoFields(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.put([try Make.session("s1", user: "alice")]))
            for round in 1...100 {
                let access = try Make.session("s1", user: "x", token: "access-\(round)")
                try rig.accept(.patch([access], paths: ["oauth_token.access_token"]))
                let text = "{\"oauth_token\":{\"refresh_token\":\"refresh-\(round)\"}}"
                let refresh = try Document.parse(Array(text.utf8), type: .session, id: "s1")
                try rig.accept(.patch([refresh], paths: ["oauth_token.refresh_token"]))
            }
            let payload = try #require(try rig.reader.record(.session, "s1")).record.payload
            let text = String(decoding: payload, as: UTF8.self)
            #expect(text.contains("access-100"))
            #expect(text.contains("refresh-100"))
        }
    }

    @Test("an unknown path refuses the patch as a whole", arguments: Engine.allCases)
    func patchUnknownPath(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.put([try Make.session("s1", user: "alice")]))
            let write = try Make.session("s1", user: "bob")
            #expect(
                try rig.refuse(.patch([write], paths: ["user_id", "nope"]))
                    == .undecodable(id: "s1")
            )
            #expect(try rig.reader.header(.session, "s1")?.facts.userID == "alice")
        }
    }

    @Test("compare and set is all or nothing, deletes included", arguments: Engine.allCases)
    func compareAndSet(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            let first = try Make.session("s1", user: "alice", version: 0)
            try rig.accept(.put([first]))
            #expect(try rig.refuse(.put([first])) == .exists(id: "s1"))
            let dump = try rig.dump().filter { $0.key != [1] }
            let batch = [
                try Make.user("bob"),
                RecordWrite(delete: .session, id: "s1", expectedVersion: 1),
                try Make.session("s2", user: "alice", version: 7),
            ]
            #expect(try rig.refuse(.put(batch)) == .versionMismatch(id: "s2", stored: 0))
            #expect(try rig.dump().filter { $0.key != [1] } == dump)
            #expect(
                try rig.refuse(.put([RecordWrite(delete: .session, id: "s1", expectedVersion: 2)]))
                    == .versionMismatch(id: "s1", stored: 1)
            )
            try rig.accept(.put([try Make.session("s1", user: "bob", version: 1)]))
            #expect(try rig.reader.header(.session, "s1")?.version == 2)
        }
    }

    @Test("an expired session is not created, a stored one may end", arguments: Engine.allCases)
    func expiredOnCreate(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            let late = try Make.session("s1", user: "alice", expires: rig.now)
            #expect(try rig.refuse(.put([late])) == .expired(id: "s1"))
            try rig.accept(.put([try Make.session("s1", user: "alice")]))
            try rig.accept(.put([late]))
        }
    }

    @Test("options come back as they were set; empty ones are none", arguments: Engine.allCases)
    func options(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            #expect(try rig.reader.options(.user) == nil)
            var fine = RecordOptions(ttlSeconds: 0)
            fine.ttlNanoseconds = 1_000_000
            var indexed = RecordOptions(capacity: 0, ttlSeconds: 900)
            indexed.indexableFields = ["user_id", "a.b"]
            var onlyIndexed = RecordOptions()
            onlyIndexed.indexableFields = ["key"]
            for options in [
                RecordOptions(capacity: 5), RecordOptions(ttlSeconds: 60), fine, indexed,
                onlyIndexed, RecordOptions(capacity: .max, ttlSeconds: .max),
            ] {
                try rig.accept(.setOptions(.user, options))
                #expect(try rig.reader.options(.user) == options)
                try rig.reopen()
                #expect(try rig.reader.options(.user) == options)
            }
            try rig.accept(.setOptions(.user, RecordOptions()))
            #expect(try rig.reader.options(.user) == nil)
        }
    }

    @Test("a cut-short name leads to its id", arguments: Engine.allCases)
    func nameSuffix(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            let id = String(repeating: "é", count: 100)
            try rig.accept(.put([try Make.session(id, user: id)]))
            let suffix = Digest.nameSuffix(of: id)
            let places: [IdentityCollection] = [
                .records(.session), .sessions(ofUser: id), .principals,
            ]
            for place in places {
                #expect(try rig.reader.id(withNameSuffix: suffix, in: place) == id)
            }
            try rig.accept(.revoke(.session(id), reason: ""))
            for place in places {
                #expect(try rig.reader.id(withNameSuffix: suffix, in: place) == nil)
            }
        }
    }

    @Test("a listing is read in pages by number and survives changes", arguments: Engine.allCases)
    func pages(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            for id in 0..<20 { try rig.accept(.put([try Make.user("u\(id)")])) }
            var seen: [String] = []
            var last: UInt64 = 0
            while true {
                let page = try rig.reader.entries(in: .principals, after: last, limit: 3)
                guard let end = page.last else { break }
                seen += page.map(\.id)
                last = end.number
                try rig.accept(.put([RecordWrite(delete: .user, id: page[0].id)]))
            }
            #expect(seen == (0..<20).map { "u\($0)" })
            #expect(try rig.reader.entries(in: .principals, after: .max, limit: 3).isEmpty)
            #expect(try rig.reader.entries(in: .principals, after: 0, limit: 0).isEmpty)
        }
    }
}
