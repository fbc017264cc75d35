// SPDX-License-Identifier: Apache-2.0

import Identity
import Samples
import Testing

@Suite("demo state")
struct DemoStateTests {
    private static let now = Shape.now

    @Test("every line loads, nothing comes twice, everything is alive")
    func loads() throws {
        var seen: Set<String> = []
        for line in DemoState.lines(now: Self.now) {
            let write = try LoadLine.parse(line)
            #expect(seen.insert("\(write.type.url) \(write.id)").inserted, "\(write.id)")
            if let expiresAt = write.facts.expiresAt { #expect(expiresAt > Self.now, "\(line)") }
        }
        #expect(seen.count > 100)
    }

    @Test("the named people have the sessions and groups the documentation says")
    func named() throws {
        let writes = try DemoState.lines(now: Self.now).map(LoadLine.parse)
        func sessions(_ user: String) -> [String] {
            writes.filter { $0.type == .session && $0.facts.userID == user }.map(\.id)
        }
        func groups(_ user: String) -> [String]? {
            writes.first { $0.type == .directoryUser && $0.id == user }?.facts.groupIDs
        }
        #expect(sessions("alice") == ["alice-laptop", "alice-phone", "alice-ssh"])
        #expect(sessions("bob") == ["bob-desktop"])
        #expect(sessions("carol") == ["carol-tablet"])
        #expect(sessions("ci-deploy") == ["ci-deploy-1"])
        #expect(groups("alice") == ["everyone", "engineering", "oncall"])
        #expect(groups("bob") == ["everyone", "engineering"])
        #expect(groups("carol") == ["everyone", "contractors"])
        let account = writes.first { $0.type == .serviceAccount && $0.id == "ci-deploy" }
        #expect(account?.facts.userID == "alice")
        let ids = Set(writes.map { "\($0.type.name) \($0.id)" })
        #expect(
            ids.isSuperset(of: [
                "context device/alice-laptop", "context risk/alice",
                "pomerium.io/ActiveUsersMetricState daily_active_users",
                "directory-group oncall", "directory-group contractors", "user carol",
            ])
        )
    }

    @Test("everyone includes the others")
    func everyone() throws {
        let writes = try DemoState.lines(now: Self.now).map(LoadLine.parse)
        let users = writes.filter { $0.type == .directoryUser }
        #expect(users.count == 23)
        #expect(users.allSatisfy { $0.facts.groupIDs.contains("everyone") })
    }

    @Test("times follow the given now")
    func relative() throws {
        let later = Self.now.adding(seconds: 1_000_000)
        let early = try DemoState.lines(now: Self.now).map {
            try LoadLine.parse($0).facts.expiresAt
        }
        let late = try DemoState.lines(now: later).map { try LoadLine.parse($0).facts.expiresAt }
        #expect(early.map { $0?.adding(seconds: 1_000_000) } == late)
    }

    @Test("examples/data/identity.jsonl is what the generator makes")
    func exampleFile() throws {
        try ExampleFile(name: "identity.jsonl").expect(DemoState.exampleLines())
    }

    @Test("the example data has every kind of record and odd ids, and never expires")
    func exampleContent() throws {
        let writes = try DemoState.exampleLines().map(LoadLine.parse)
        #expect((130...170).contains(writes.count))
        #expect(RecordType.named.allSatisfy { named in writes.contains { $0.type == named.type } })
        #expect(writes.contains { !$0.type.hasFace })
        let end = Timestamp(seconds: 4_102_444_799)
        #expect(writes.allSatisfy { $0.facts.expiresAt == nil || $0.facts.expiresAt == end })
        let users = writes.filter { $0.type == .user }.map(\.id)
        for part in ["auth0|", "google-oauth2|", "@example.com", "cn="] {
            #expect(users.contains { $0.contains(part) }, "\(part)")
        }
        let sessions = writes.filter { $0.type == .session }
        #expect(sessions.contains { $0.id.contains("%3A443&path=%2F") })
        #expect(sessions.contains { $0.id.utf8.count > 200 })
        #expect(sessions.contains { $0.id.hasSuffix("==") })
        let bytes = sessions.compactMap { $0.record?.payload.count }
        #expect(bytes.contains { $0 < 1000 } && bytes.contains { $0 > 9000 })
    }
}
