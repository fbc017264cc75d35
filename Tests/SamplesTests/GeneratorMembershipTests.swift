// SPDX-License-Identifier: Apache-2.0

import Identity
import Samples
import Testing

@Suite("generated memberships")
struct GeneratorMembershipTests {
    /// The members of each group, found from the users' side.
    private static func members(_ shape: Shape, seed: UInt64) throws -> [String: Set<String>] {
        var members: [String: Set<String>] = [:]
        for user in try shape.generator(seed: seed).lines(of: .directoryUser) {
            let groups = user.data.group_ids ?? []
            #expect(Set(groups).count == groups.count, "\(user.id) is in a group twice")
            for group in groups { members[group, default: []].insert(user.id) }
        }
        return members
    }

    private static let shape = Shape(users: 400, groups: 40, memberships: 1200)

    @Test("everyone has everybody", arguments: Shape.seeds)
    func everyone(seed: UInt64) throws {
        let members = try Self.members(Self.shape, seed: seed)
        #expect(members["everyone"]?.count == 400)
    }

    @Test("with fewer memberships than users nobody claims to have everybody")
    func nobodyIsEveryone() throws {
        let shape = Shape(users: 400, groups: 40, memberships: 399)
        let members = try Self.members(shape, seed: 1)
        #expect(members["everyone"] == nil)
        #expect(members.values.allSatisfy { $0.count < 399 })
    }

    @Test("few groups are large, many are small", arguments: Shape.seeds)
    func zipf(seed: UInt64) throws {
        let sizes = try Self.members(Self.shape, seed: seed).values.map(\.count).sorted(by: >)
        try #require(sizes.count == 40)
        #expect(sizes[1] >= 10 * sizes[20], "\(sizes)")
        #expect(sizes[39] >= 1)
    }

    @Test("nested groups are flattened", arguments: Shape.seeds)
    func nested(seed: UInt64) throws {
        let members = try Self.members(Self.shape, seed: seed)
        let sets = members.filter { $0.key != "everyone" }.map(\.value)
        let inner = sets.filter { set in sets.contains { $0.isStrictSuperset(of: set) } }
        #expect(inner.count >= 5, "seed \(seed)")
        #expect(inner.count <= 25, "seed \(seed)")
    }

    @Test("every place taken: all users are in all groups")
    func full() throws {
        let members = try Self.members(Shape(users: 9, groups: 8, memberships: 72), seed: 4)
        #expect(members.count == 8)
        #expect(members.values.allSatisfy { $0.count == 9 })
    }
}
