// SPDX-License-Identifier: Apache-2.0

import Identity
import Store
import Testing

/// Groups, principals and the indexes behind them.
@Suite("membership and indexes")
struct MembershipTests {
    @Test("members are sorted bytewise, counted and measured", arguments: Engine.allCases)
    func members(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.put([try Make.directoryGroup("g")]))
            let change = MembershipChange(group: "g", add: ["b", "a", "\u{E9}", "B", "a"])
            #expect(try rig.accept(.changeMembers(change)) == 4)
            #expect(try rig.members("g") == ["B", "a", "b", "\u{E9}"])
            let row = try #require(try rig.reader.group("g"))
            #expect(row.memberCount == 4)
            #expect(row.memberBytes == 9)
            #expect(try rig.reader.members(of: "g", after: "a", limit: 1) == ["b"])
            #expect(try rig.reader.members(of: "g", after: "aa", limit: 9) == ["b", "\u{E9}"])
        }
    }

    @Test("replacing the set writes only the difference", arguments: Engine.allCases)
    func replace(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.put([try Make.directoryUser("a", groups: ["g", "h"])]))
            try rig.accept(.put([try Make.directoryUser("b", groups: ["g"])]))
            let change = MembershipChange(group: "g", add: ["b", "c"], replace: true)
            let outcome = try rig.apply(.changeMembers(change))
            #expect(outcome.changes.map(\.id) == ["a", "c"])
            #expect(try rig.members("g") == ["b", "c"])
            #expect(try rig.members("h") == ["a"])
            let kept = try #require(try rig.reader.record(.directoryUser, "a"))
            #expect(String(decoding: kept.record.payload, as: UTF8.self).contains("shoe_size"))
            #expect(
                try rig.refuse(.changeMembers(MembershipChange(group: "none", add: ["a"])))
                    == .notFound(id: "none")
            )
        }
    }

    @Test(
        "groups and principals appear with the first and vanish with the last",
        arguments: Engine.allCases
    )
    func appearance(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.put([try Make.directoryUser("a", groups: ["g"])]))
            #expect(try rig.ids(.groups) == ["g"])
            try rig.accept(.put([try Make.session("s", user: "b")]))
            #expect(try rig.ids(.principals) == ["a", "b"])
            try rig.accept(.put([try Make.user("b")]))
            try rig.accept(.revoke(.session("s"), reason: ""))
            #expect(try rig.ids(.principals) == ["a", "b"])
            try rig.accept(.put([RecordWrite(delete: .user, id: "b")]))
            try rig.accept(.put([RecordWrite(delete: .directoryUser, id: "a")]))
            #expect(try rig.ids(.principals).isEmpty)
            #expect(try rig.ids(.groups).isEmpty)
            #expect(try rig.reader.group("g") == nil)
        }
    }

    @Test("deleting a group takes its memberships along", arguments: Engine.allCases)
    func deleteGroup(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.put([try Make.directoryGroup("g")]))
            try rig.accept(.put([try Make.directoryUser("a", groups: ["g", "h"])]))
            #expect(try rig.accept(.deleteGroup("g")) == 2)
            #expect(try rig.ids(.groups) == ["h"])
            #expect(try rig.reader.header(.directoryUser, "a")?.facts.groupIDs == ["h"])
            #expect(try rig.refuse(.deleteGroup("g")) == .notFound(id: "g"))
        }
    }

    @Test("a session that changes hands leaves its old owner (X1)", arguments: Engine.allCases)
    func changesHands(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.put([try Make.session("s", user: "a")]))
            let number = try rig.reader.number(of: "s", in: .sessions(ofUser: "a"))
            let outcome = try rig.apply(.put([try Make.session("s", user: "b")]))
            #expect(
                outcome.effects.contains(
                    .recordWritten(.session, id: "s", created: false, users: ["a", "b"])
                )
            )
            #expect(try rig.ids(.sessions(ofUser: "a")).isEmpty)
            #expect(try rig.reader.number(of: "s", in: .sessions(ofUser: "a")) == nil)
            #expect(try rig.reader.number(of: "s", in: .sessions(ofUser: "b")) == number)
            #expect(try rig.ids(.principals) == ["b"])
        }
    }

    @Test(
        "a delete without data clears the index; the next owner is found (X2)",
        arguments: Engine.allCases
    )
    func deleteWithoutData(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.put([try Make.directoryUser("a", groups: ["g"])]))
            try rig.accept(.put([RecordWrite(delete: .directoryUser, id: "a")]))
            #expect(try rig.members("g").isEmpty)
            try rig.accept(.put([try Make.directoryUser("a", groups: ["h"])]))
            try rig.accept(.put([try Make.directoryUser("b", groups: ["g"])]))
            #expect(try rig.members("g") == ["b"])
            #expect(try rig.members("h") == ["a"])
        }
    }

    @Test("names are the same only where their bytes are", arguments: Engine.allCases)
    func bytewise(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            let (kelvin, kevin) = ("\u{212A}evin", "Kevin")
            #expect(kelvin == kevin, "Swift takes them for the same string")
            try rig.accept(.put([try Make.session("s", user: kelvin)]))
            try rig.accept(.put([try Make.session("s", user: kevin)]))
            #expect(try rig.ids(.sessions(ofUser: kelvin)).isEmpty)
            #expect(try rig.ids(.sessions(ofUser: kevin)) == ["s"])
            try rig.accept(.put([try Make.directoryUser("a", groups: ["\u{E9}"])]))
            try rig.accept(.put([try Make.directoryUser("a", groups: ["e\u{301}"])]))
            #expect(try rig.members("\u{E9}").isEmpty)
            #expect(try rig.members("e\u{301}") == ["a"])
            try rig.accept(.put([try Make.directoryGroup("g")]))
            try rig.accept(.changeMembers(MembershipChange(group: "g", add: [kelvin])))
            let change = MembershipChange(group: "g", add: [kevin], replace: true)
            try rig.accept(.changeMembers(change))
            #expect(try rig.members("g").map(plain) == ["Kevin"])
        }
    }
}
