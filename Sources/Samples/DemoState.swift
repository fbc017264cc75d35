// SPDX-License-Identifier: Apache-2.0

package import Identity

/// The few people that the demo and the documentation speak of, with company.
///
/// Alice and Bob are engineers, Alice is on call, Carol is a contractor, and a service account
/// deploys for Alice. Everybody else comes from a ``Generator``.
package enum DemoState {
    /// The state of `brokerfs demo`: the named people, 20 more users and 30 more sessions.
    ///
    /// Everything is alive at `now`; sessions last 14 hours.
    package static func lines(now: Timestamp) -> [String] {
        lines(now: now, expiresAt: nil, company: Company(users: 20, sessions: 30))
    }

    /// The state in `examples/data/identity.jsonl`: larger, and alive until the year 2099.
    package static func exampleLines() -> [String] {
        lines(
            now: Timestamp(seconds: 1_795_442_531),
            expiresAt: Timestamp(seconds: 4_102_444_799),
            company: Company(users: 32, sessions: 44)
        )
    }

    /// How many others there are.
    private struct Company {
        var users: Int
        var sessions: Int
    }

    private static func lines(
        now: Timestamp,
        expiresAt: Timestamp?,
        company: Company
    ) -> [String] {
        let others = try? Generator(
            seed: 5,
            sessions: company.sessions,
            users: company.users,
            groups: 6,
            memberships: company.users * 3,
            now: now,
            contextValues: 8,
            serviceAccounts: 2,
            expiresAt: expiresAt
        )
        guard let others else { preconditionFailure("the demo's numbers fit together") }
        let named = NamedState(now: Timestamp(seconds: now.seconds), fixedExpiry: expiresAt)
        // The first of the others' groups is everyone, which the named state has already.
        return named.lines + others.dropFirst()
    }
}

/// The named people's records.
private struct NamedState {
    let now: Timestamp
    let fixedExpiry: Timestamp?

    var lines: [String] {
        Self.groups.map(groupLine)
            + Self.members.map { userLine($0.person) }
            + Self.members.map { directoryUserLine($0.person, groups: $0.groups) }
            + [serviceAccountLine]
            + sessionLines
            + [postureLine, riskLine, activeUsersLine]
    }

    private static let alice = Person(
        id: "alice",
        givenName: "Alice",
        familyName: "Example",
        email: "alice@example.com"
    )
    private static let bob = Person(
        id: "bob",
        givenName: "Bob",
        familyName: "Example",
        email: "bob@example.com"
    )
    private static let carol = Person(
        id: "carol",
        givenName: "Carol",
        familyName: "Contractor",
        email: "carol@partner.example.org"
    )
    private static let deployer = Person(
        id: "ci-deploy",
        givenName: "ci-deploy",
        email: "ci-deploy@service.example.com"
    )

    private static let groups = [
        (id: "everyone", name: "Everyone"),
        (id: "engineering", name: "Engineering"),
        (id: "oncall", name: "On Call"),
        (id: "contractors", name: "Contractors"),
    ]

    private static let members = [
        (person: alice, groups: ["everyone", "engineering", "oncall"]),
        (person: bob, groups: ["everyone", "engineering"]),
        (person: carol, groups: ["everyone", "contractors"]),
    ]

    private func groupLine(id: String, name: String) -> String {
        JSONLine.record(.directoryGroup, id: id) { line in
            line.member("id", id)
            line.member("name", name)
            line.member("email", "\(id)@groups.example.com")
        }
    }

    private func userLine(_ person: Person) -> String {
        JSONLine.record(.user, id: person.id) { line in
            line.member("id", person.id)
            line.member("name", person.name)
            line.member("email", person.email)
            line.key("claims")
            line.object { line in
                line.member("email", [person.email])
                line.member("family_name", [person.familyName])
                line.member("given_name", [person.givenName])
                line.member("name", [person.name])
                line.member("sub", [person.id])
            }
        }
    }

    private func directoryUserLine(_ person: Person, groups: [String]) -> String {
        JSONLine.record(.directoryUser, id: person.id) { line in
            line.member("id", person.id)
            line.member("display_name", person.name)
            line.member("email", person.email)
            line.member("group_ids", groups)
        }
    }

    private var serviceAccountLine: String {
        JSONLine.record(.serviceAccount, id: Self.deployer.id) { line in
            line.member("id", Self.deployer.id)
            line.member("user_id", Self.alice.id)
            line.member("issued_at", now.adding(seconds: -30 * 86_400))
            line.member("expires_at", fixedExpiry ?? now.adding(seconds: 60 * 86_400))
            line.member("accessed_at", now)
            line.member("description", "Deploys what passed the tests")
            line.member("originator_id", Self.alice.id)
        }
    }

    private var sessionLines: [String] {
        [
            line("alice-laptop", Self.alice, age: 3631, devices: ["alice-laptop"]),
            line("alice-phone", Self.alice, age: 7260, methods: ["pwd"]),
            line("alice-ssh", Self.alice, age: 840, size: .medium, audience: "ssh.example.com"),
            line("bob-desktop", Self.bob, age: 5400, size: .large),
            line("carol-tablet", Self.carol, age: 1800, size: .medium, methods: ["otp", "pwd"]),
            line("ci-deploy-1", Self.deployer, age: 600, audience: "deploy.example.com"),
        ]
    }

    private func line(
        _ id: String,
        _ person: Person,
        age: Int64,
        size: SessionSample.Size = .small,
        audience: String = "app.example.com",
        methods: [String] = ["mfa"],
        devices: [String] = []
    ) -> String {
        let issuedAt = now.adding(seconds: -age)
        let isMachine = person.id == Self.deployer.id
        let session = SessionSample(
            id: id,
            person: person,
            issuedAt: issuedAt,
            accessedAt: now.adding(seconds: -age / 60),
            expiresAt: fixedExpiry ?? issuedAt.adding(seconds: 14 * 3600),
            tokenIssuedAt: now.adding(seconds: -age / 30),
            tokenExpiresAt: fixedExpiry ?? now.adding(seconds: 3600 - age / 30),
            provider: SessionSample.Provider.all[0],
            audience: [audience],
            methods: isMachine ? ["key"] : methods,
            size: size,
            devices: devices.map(SessionSample.Device.credential),
            isRefreshDisabled: isMachine
        )
        var random = SplitMix64(seed: UInt64(age))
        return session.line(random: &random)
    }

    private var postureLine: String {
        var posture = JSONLine(capacity: 256)
        posture.object { posture in
            posture.member("os", "linux 6.12")
            posture.key("disk_encrypted")
            posture.literal(true)
            posture.key("firewall")
            posture.literal(true)
            posture.key("managed")
            posture.literal(true)
            posture.member("owner", Self.alice.id)
            posture.member("checked_at", now.adding(seconds: -300))
        }
        return JSONLine.record(.context, id: "device/alice-laptop") { line in
            line.member("text", posture.text + "\n")
        }
    }

    private var riskLine: String {
        JSONLine.record(.context, id: "risk/alice") { line in
            line.member("text", "12\n")
            line.member("expires_at", fixedExpiry ?? now.adding(seconds: 7 * 86_400))
        }
    }

    /// A record of a type without a face in the tree, as access proxies keep for themselves.
    private var activeUsersLine: String {
        let type = RecordType("pomerium.io/ActiveUsersMetricState")
        return JSONLine.record(type, id: "daily_active_users") { line in
            line.member("last_reset", now.adding(seconds: -now.seconds % 86_400))
            line.member("users", Self.members.map(\.person.id))
        }
    }
}
