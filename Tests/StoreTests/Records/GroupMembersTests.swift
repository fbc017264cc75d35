// SPDX-License-Identifier: Apache-2.0

import Identity
import Store
import Testing

/// Who is in the group, by names and addresses: replicated, and nobody's identity.
@Suite("members of the group")
struct GroupMembersTests {
    private static let founders = (1...3).map { number in
        GroupMember(id: UInt64(number), name: "n\(number)", address: "10.0.0.\(number):7000")
    }

    private static func founded(_ rig: RecordRig) throws {
        try rig.store.bootstrap(
            GroupConfiguration(index: 0, voters: [1, 2, 3]),
            members: founders.reversed(),
            clusterID: "c-1"
        )
    }

    /// Applies a change of the group in its place.
    private static func adopt(
        _ rig: RecordRig,
        voters: [UInt64],
        learners: [UInt64] = []
    ) throws {
        let index = rig.store.metadata.appliedIndex + 1
        let group = GroupConfiguration(index: index, voters: voters, learners: learners)
        _ = try rig.store.apply(.init(.configuration(group), at: .init(term: 1, index: index)))
    }

    @Test("the founders are there from the beginning, by their ids", arguments: Engine.allCases)
    func founders(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try Self.founded(rig)
            for _ in 0..<2 {
                #expect(rig.store.metadata.members == Self.founders)
                #expect(rig.store.metadata.clusterID == "c-1")
                #expect(rig.store.metadata.nextMemberID == 4)
                #expect(try rig.reader.metadata() == rig.store.metadata)
                try rig.reopen()
            }
            try rig.store.bootstrap(
                GroupConfiguration(index: 0, voters: [9]),
                members: [GroupMember(id: 9, name: "x", address: "x:1")],
                clusterID: "c-2"
            )
            #expect(rig.store.metadata.members == Self.founders)
            #expect(rig.store.metadata.clusterID == "c-1")
        }
    }

    @Test("a node of its own has neither names nor a cluster")
    func alone() throws {
        try RecordRig.with(.memory) { rig in
            try rig.store.bootstrap(GroupConfiguration(index: 0, voters: [1]))
            try rig.reopen()
            #expect(rig.store.metadata.members.isEmpty)
            #expect(rig.store.metadata.clusterID.isEmpty)
            #expect(rig.store.metadata.nextMemberID == 2)
        }
    }

    @Test(
        "a description moves a member, and nothing that a mount shows",
        arguments: Engine.allCases
    )
    func describe(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try Self.founded(rig)
            try rig.accept(.put([try Make.user("alice")]))
            let before = rig.store.metadata
            let moved = GroupMember(id: 2, name: "n2", address: "10.9.9.9:7000")
            let outcome = try rig.apply(.describeMember(moved))
            #expect(try outcome.result.get().count == 1)
            #expect(outcome.effects.isEmpty)
            #expect(outcome.changes.isEmpty)
            #expect(rig.store.metadata.recordVersion == before.recordVersion)
            #expect(rig.store.metadata.lastNumber == before.lastNumber)
            #expect(rig.store.metadata.nextMemberID == 4)
            #expect(try rig.accept(.describeMember(moved)) == 0)
            try rig.reopen()
            #expect(
                rig.store.metadata.members == [Self.founders[0], moved, Self.founders[2]]
            )
        }
    }

    @Test("a new member is known before it is in the group, and forgotten when it has left")
    func comesAndGoes() throws {
        try RecordRig.with(.memory) { rig in
            try Self.founded(rig)
            let new = GroupMember(id: 4, name: "n4", address: "h:1")
            try rig.accept(.describeMember(new))
            #expect(rig.store.metadata.members.map(\.id) == [1, 2, 3, 4])
            try Self.adopt(rig, voters: [1, 2, 3], learners: [4])
            try Self.adopt(rig, voters: [1, 2, 3, 4])
            #expect(rig.store.metadata.members.map(\.id) == [1, 2, 3, 4])
            try Self.adopt(rig, voters: [1, 2, 4])
            #expect(rig.store.metadata.members.map(\.id) == [1, 2, 4])
            try rig.reopen()
            #expect(rig.store.metadata.members.map(\.id) == [1, 2, 4])
            #expect(rig.store.metadata.nextMemberID == 5)
        }
    }

    @Test("no id comes back, described or not, and also after a restart")
    func numbers() throws {
        try RecordRig.with(.memory) { rig in
            try Self.founded(rig)
            try Self.adopt(rig, voters: [1, 2, 3], learners: [7])
            try Self.adopt(rig, voters: [1, 2, 3])
            try rig.reopen()
            #expect(rig.store.metadata.nextMemberID == 8)
            for id: UInt64 in [0, 4, 7] {
                let again = GroupMember(id: id, name: "again", address: "h:1")
                #expect(try rig.refuse(.describeMember(again)) == .notFound(id: "member \(id)"))
            }
            // One that is in the group may be named late.
            try Self.adopt(rig, voters: [1, 2, 3], learners: [9])
            try rig.accept(.describeMember(GroupMember(id: 9, name: "late", address: "h:1")))
            #expect(rig.store.metadata.members.map(\.id) == [1, 2, 3, 9])
        }
    }

    @Test("names are unique by their bytes; one that never came in gives its name up")
    func names() throws {
        try RecordRig.with(.memory) { rig in
            try Self.founded(rig)
            let taken = GroupMember(id: 4, name: "n1", address: "h:1")
            #expect(try rig.refuse(.describeMember(taken)) == .exists(id: "n1"))
            let renamed = GroupMember(id: 2, name: "n3", address: "h:1")
            #expect(try rig.refuse(.describeMember(renamed)) == .exists(id: "n3"))
            try rig.accept(.describeMember(GroupMember(id: 4, name: "\u{E9}", address: "h:4")))
            try rig.accept(.describeMember(GroupMember(id: 5, name: "e\u{301}", address: "h:5")))
            #expect(rig.store.metadata.members.map(\.id) == [1, 2, 3, 4, 5])
            // Only the spelling changes: that is another name.
            let respelled = GroupMember(id: 5, name: "\u{E9}", address: "h:5")
            try rig.accept(.describeMember(respelled))
            try rig.reopen()
            #expect(rig.store.metadata.members.map(\.id) == [1, 2, 3, 5])
            #expect(Array((rig.store.metadata.members.last?.name ?? "").utf8) == [0xC3, 0xA9])
            try Self.adopt(rig, voters: [1, 2])
            try rig.accept(.describeMember(GroupMember(id: 6, name: "n3", address: "h:6")))
            #expect(rig.store.metadata.members.map(\.name) == ["n1", "n2", "\u{E9}", "n3"])
        }
    }

    @Test("names and addresses have bounds, and so has their number")
    func bounds() throws {
        try RecordRig.with(.memory) { rig in
            try Self.founded(rig)
            let long = GroupMember(id: 4, name: String(repeating: "n", count: 64), address: "h:1")
            #expect(
                try rig.refuse(.describeMember(long))
                    == .tooLarge(id: "the name of member 4", bytes: 64, limit: 63)
            )
            let far = GroupMember(id: 4, name: "n", address: String(repeating: "a", count: 260))
            #expect(
                try rig.refuse(.describeMember(far))
                    == .tooLarge(id: "the address of member 4", bytes: 260, limit: 259)
            )
            for (name, address) in [("", "h:1"), ("a\nb", "h:1"), ("n", "")] {
                let odd = GroupMember(id: 4, name: name, address: address)
                #expect(
                    try rig.refuse(.describeMember(odd)) == .undecodable(id: "member 4")
                )
            }
            for id in UInt64(4)...UInt64(Limits.membersMax) {
                try rig.accept(.describeMember(GroupMember(id: id, name: "n\(id)", address: "h:1")))
            }
            let next = rig.store.metadata.nextMemberID
            let more = GroupMember(id: next, name: "more", address: "h:1")
            #expect(
                try rig.refuse(.describeMember(more)) == .tooManyMembers(limit: Limits.membersMax)
            )
            // Those who are known may move all the same.
            try rig.accept(.describeMember(GroupMember(id: 4, name: "n4", address: "h:2")))
            #expect(rig.store.metadata.nextMemberID == next)
        }
    }

    @Test("a refused description leaves nothing behind")
    func refusedLeavesNothing() throws {
        try RecordRig.with(.memory) { rig in
            try Self.founded(rig)
            let before = rig.store.metadata
            let taken = GroupMember(id: 9, name: "n1", address: "h:1")
            _ = try rig.refuse(.describeMember(taken))
            #expect(rig.store.metadata.members == before.members)
            #expect(rig.store.metadata.nextMemberID == before.nextMemberID)
        }
    }
}
