// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Identity
import Samples
import Testing

@Suite("generator")
struct GeneratorTests {
    private static let company = Shape(
        sessions: 200,
        users: 150,
        groups: 30,
        memberships: 900,
        contextValues: 60,
        serviceAccounts: 12
    )

    @Test("every line loads, whatever the seed and the size", arguments: Shape.seeds, Shape.all)
    func everyLineLoads(seed: UInt64, shape: Shape) throws {
        for line in try shape.generator(seed: seed) {
            #expect(throws: Never.self, "seed \(seed): \(line)") { try LoadLine.parse(line) }
            #expect(!line.contains("\n"), "seed \(seed)")
        }
    }

    @Test("the same seed gives the same bytes, another seed others")
    func deterministic() throws {
        let first = try Array(Shape.all[6].generator(seed: 9))
        let second = try Array(Shape.all[6].generator(seed: 9))
        let other = try Array(Shape.all[6].generator(seed: 10))
        #expect(first == second)
        #expect(first.count == other.count)
        let same = zip(first, other).count { $0 == $1 }
        #expect(same < first.count / 10)
    }

    @Test("a second iteration starts over")
    func iteratesAgain() throws {
        let generator = try Shape.all[6].generator(seed: 9)
        #expect(Array(generator.prefix(20)) == Array(generator.prefix(20)))
    }

    @Test("each kind comes in exactly the number asked for", arguments: Shape.seeds, Shape.all)
    func counts(seed: UInt64, shape: Shape) throws {
        let generator = try shape.generator(seed: seed)
        let lines = try generator.map(SampleLine.init)
        func count(_ type: RecordType) -> Int { lines.count { $0.type == type.name } }
        #expect(generator.count == lines.count)
        #expect(count(.directoryGroup) == shape.groups)
        #expect(count(.user) == shape.users)
        #expect(count(.directoryUser) == shape.users)
        #expect(count(.serviceAccount) == shape.serviceAccounts)
        #expect(count(.session) == shape.sessions)
        #expect(count(.context) == shape.contextValues)
        let memberships = lines.reduce(0) { $0 + ($1.data.group_ids?.count ?? 0) }
        #expect(memberships == shape.memberships, "seed \(seed)")
    }

    @Test("no record is made twice", arguments: Shape.seeds)
    func unique(seed: UInt64) throws {
        let lines = try Self.company.generator(seed: seed).map(SampleLine.init)
        #expect(Set(lines.map { "\($0.type) \($0.id)" }).count == lines.count)
    }

    @Test("more users than names still have ids and addresses of their own")
    func manyUsers() throws {
        let lines = try Shape(users: 2300).generator(seed: 3).prefix(2300).map(SampleLine.init)
        #expect(Set(lines.map(\.id)).count == 2300)
    }

    @Test("groups come first, context last")
    func order() throws {
        let types = try Self.company.generator(seed: 1).map { try SampleLine($0).type }
        var runs: [String] = []
        for type in types where runs.last != type { runs.append(type) }
        #expect(
            runs == [
                "directory-group", "user", "directory-user", "service-account", "session",
                "context",
            ]
        )
    }

    @Test("who is named exists", arguments: Shape.seeds)
    func references(seed: UInt64) throws {
        let generator = try Self.company.generator(seed: seed)
        let groups = Set(try generator.lines(of: .directoryGroup).map(\.id))
        let users = try generator.lines(of: .user).map(\.id)
        let accounts = try generator.lines(of: .serviceAccount)
        let directoryUsers = try generator.lines(of: .directoryUser)
        #expect(users == directoryUsers.map(\.id))
        for user in directoryUsers {
            #expect(groups.isSuperset(of: user.data.group_ids ?? []), "seed \(seed)")
        }
        for account in accounts { #expect(users.contains(account.data.user_id ?? "")) }
        let principals = Set(users + accounts.map(\.id))
        let owners = Set(try generator.lines(of: .session).compactMap(\.data.user_id))
        #expect(principals.isSuperset(of: owners), "seed \(seed)")
        #expect(!owners.isDisjoint(with: accounts.map(\.id)), "seed \(seed)")
    }

    @Test("user ids come in every style")
    func userIDStyles() throws {
        let ids = try Self.company.generator(seed: 2).lines(of: .user).map(\.id)
        #expect(ids.contains { $0.wholeMatch(of: /auth0\|[0-9a-f]{24}/) != nil })
        #expect(ids.contains { $0.wholeMatch(of: /google-oauth2\|1[0-9]{20}/) != nil })
        #expect(ids.contains { $0.wholeMatch(of: /[a-z]+\.[a-z]+@example\.com/) != nil })
        #expect(ids.contains { $0.wholeMatch(of: Self.uuid) != nil })
        #expect(ids.contains { $0.wholeMatch(of: /cn=.+\\, .+,ou=.+\/.+/) != nil })
        #expect(ids.contains { $0.utf8.contains { $0 > 127 } })
    }

    @Test("session and group ids come in every style")
    func otherIDStyles() throws {
        let generator = try Self.company.generator(seed: 2)
        let sessions = try generator.lines(of: .session).map(\.id)
        #expect(sessions.count { $0.wholeMatch(of: Self.uuid) != nil } > sessions.count * 3 / 4)
        #expect(sessions.contains { $0.hasPrefix("host=") && $0.contains("%3A443&path=%2F") })
        #expect(sessions.contains { $0.hasSuffix("==") })
        #expect(sessions.contains { $0.utf8.count > 200 })
        let groups = try generator.lines(of: .directoryGroup).map(\.id)
        #expect(groups.contains { $0.wholeMatch(of: Self.uuid) != nil })
        #expect(groups.contains { $0.hasPrefix("00g") })
        #expect(groups.contains { $0.hasSuffix("@groups.example.com") })
        #expect(groups.contains { $0.wholeMatch(of: /[a-z]+-[a-z]+/) != nil })
        let sources = try generator.lines(of: .context).map { $0.id.prefix { $0 != "/" } }
        #expect(Set(sources) == ["device", "oncall", "risk", "route"])
    }

    @Test("a generator of a billion sessions starts at once")
    func lazy() throws {
        let shape = Shape(sessions: 1 << 30, users: 1 << 30, groups: 10, memberships: 5 << 30)
        let generator = try shape.generator(seed: 1)
        #expect(generator.count == 10 + 3 << 30)
        #expect(generator.underestimatedCount == generator.count)
        #expect(Array(generator.prefix(12)).count == 12)
    }

    @Test("what cannot be made is refused")
    func refusals() {
        #expect(throws: GeneratorError.outOfRange(-1)) {
            try Shape(sessions: -1).generator(seed: 0)
        }
        #expect(throws: GeneratorError.outOfRange(1 << 30 + 1)) {
            try Shape(users: 1 << 30 + 1).generator(seed: 0)
        }
        #expect(throws: GeneratorError.noUsers) { try Shape(sessions: 1).generator(seed: 0) }
        #expect(throws: GeneratorError.tooManyMemberships(7, max: 6)) {
            try Shape(users: 3, groups: 2, memberships: 7).generator(seed: 0)
        }
    }

    private static var uuid: Regex<Substring> {
        /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}/
    }
}
