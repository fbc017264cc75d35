// SPDX-License-Identifier: Apache-2.0

import Dispatch
import FSMap
import GroupHarness
import Identity
import Node
import Raft
import Replica
import Synchronization
import Testing

/// Who is in a group while it runs.
@Suite("members of a group that runs", .serialized)
struct GroupMembersTests {
    private let newcomer = GroupMember(id: 0, name: "n4", address: "127.0.0.1:7004")

    /// Changes the group through a node; again while a change is under way or nobody leads.
    private func change(
        _ change: GroupChange,
        through node: LocalNode,
        in group: MemoryGroup
    ) throws {
        try #require(
            group.holds {
                let answered = DispatchSemaphore(value: 0)
                let isDone = Flag()
                node.changeGroup(change) { result in
                    isDone.value.withLock { $0 = (try? result.get()) != nil }
                    answered.signal()
                }
                answered.wait()
                return isDone.value.withLock { $0 }
            }
        )
    }

    @Test("whoever is added begins with the founders, gets everything, and votes once promoted")
    func joins() throws {
        let group = try MemoryGroup()
        defer { group.end() }
        try group.put("s1")
        let any = try #require(group.nodes[MemberID(1)])
        try change(.add(newcomer), through: any, in: group)
        try #require(group.holds { any.membersNow.contains { $0.id == 4 && $0.name == "n4" } })
        try group.start(MemberID(4))
        let joined = try #require(group.nodes[MemberID(4)])
        try #require(group.holds { group.shows(joined, "s1") })
        try #require(group.holds { joined.cluster.role == "learner" && joined.freshAsOf > 0 })

        try change(.promote(4), through: any, in: group)
        try #require(group.holds { joined.cluster.role == "follower" })
        // A fresh one for a lost one: of four two are gone now, of three one.
        let lost = try #require(group.nodes.keys.first { $0 != joined.configuration.member })
        group.stop(lost)
        let rest = try #require(group.nodes.values.first { $0.configuration.member != MemberID(4) })
        try change(.remove(lost.rawValue), through: rest, in: group)
        let second = try #require(
            group.nodes.keys.first { $0 != MemberID(4) && $0 != rest.configuration.member }
        )
        group.stop(second)
        try group.put("s2")
        try #require(group.holds { group.shows(joined, "s2") })
    }

    @Test("of two that are added at the same time, each gets a number of its own")
    func together() throws {
        let group = try MemoryGroup()
        defer { group.end() }
        let leader = try #require(group.leader())
        let names = ["n4", "n5", "n6"]
        let answered = DispatchGroup()
        for (place, name) in names.enumerated() {
            answered.enter()
            let member = GroupMember(id: 0, name: name, address: "127.0.0.1:\(7100 + place)")
            leader.changeGroup(.add(member)) { _ in answered.leave() }
        }
        answered.wait()
        // Changes come one at a time, so some were refused; none took another's name away.
        let added = leader.membersNow.filter { names.contains($0.name) }
        #expect(!added.isEmpty)
        #expect(Set(leader.group.map(\.id)).count == leader.group.count)
        for name in names where !added.contains(where: { $0.name == name }) {
            let member = GroupMember(id: 0, name: name, address: "127.0.0.1:7200")
            try change(.add(member), through: leader, in: group)
        }
        try #require(
            group.holds {
                names.allSatisfy { name in leader.membersNow.contains { $0.name == name } }
            }
        )
    }
}

private final class Flag: Sendable {
    let value = Mutex(false)
}
