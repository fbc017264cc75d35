// SPDX-License-Identifier: Apache-2.0

import Identity

/// Groups, users, their directory entries, and service accounts.
extension Generator {
    func groupLine(_ index: Int) -> String {
        let slug = groupSlug(index)
        let id = groupID(index)
        return JSONLine.record(.directoryGroup, id: id) { line in
            line.member("id", id)
            line.member("name", Self.title(slug))
            line.member("email", "\(slug)@groups.example.com")
        }
    }

    func userLine(_ index: Int) -> String {
        let person = Person(seed: seed, index: index)
        var source = SampleSource(seed: seed, kind: .directoryUser, index: index)
        return JSONLine.record(.user, id: person.id) { line in
            line.member("id", person.id)
            line.member("name", person.name)
            line.member("email", person.email)
            line.key("claims")
            line.object { line in
                line.member("email", [person.email])
                line.member("family_name", [person.familyName])
                line.member("given_name", [person.givenName])
                line.member("locale", [source.random.pick(["de", "en", "es", "fr", "ja"])])
                line.member("name", [person.name])
                line.member("sub", [person.id])
            }
            if source.random.chance(percent: 15) {
                line.member("device_credential_ids", [source.hex(digits: 16)])
            }
        }
    }

    func directoryUserLine(_ index: Int) -> String {
        let person = Person(seed: seed, index: index)
        return JSONLine.record(.directoryUser, id: person.id) { line in
            line.member("id", person.id)
            line.member("display_name", person.name)
            line.member("email", person.email)
            line.member("group_ids", layout.groups(ofUser: index).map(groupID))
        }
    }

    func serviceAccountLine(_ index: Int) -> String {
        var source = SampleSource(seed: seed, kind: .serviceAccount, index: index)
        let owner = Person(seed: seed, index: source.random.below(users))
        let originator = Person(seed: seed, index: source.random.below(users))
        let issuedAt = now.adding(seconds: -Int64(source.random.below(90 * 86_400)))
        let expiresAt = now.adding(seconds: 86_400 + Int64(source.random.below(365 * 86_400)))
        let account = serviceAccount(index)
        return JSONLine.record(.serviceAccount, id: account.id) { line in
            line.member("id", account.id)
            line.member("user_id", owner.id)
            line.member("issued_at", issuedAt)
            line.member("expires_at", fixedExpiry ?? expiresAt)
            line.member("accessed_at", now)
            line.member("description", account.givenName)
            line.member("originator_id", originator.id)
        }
    }

    /// The service account of this number as a principal of sessions.
    func serviceAccount(_ index: Int) -> Person {
        var source = SampleSource(seed: seed, kind: .serviceAccount, index: index)
        let number = index / Self.jobs.count + 1
        let job = Self.jobs[index % Self.jobs.count]
        // Machine clients of some providers have ids nobody can read.
        let isMachineClient = source.random.chance(percent: 25)
        return Person(
            id: isMachineClient ? "\(source.uniqueHex)@clients" : "\(job)-\(number)",
            givenName: "\(Self.title(job)) \(number)",
            email: "\(job)-\(number)@service.example.com"
        )
    }

    /// The id of a group, in one of the shapes directories use.
    func groupID(_ index: Int) -> String {
        if index == 0, layout.hasEveryone { return "everyone" }
        var source = SampleSource(seed: seed, kind: .group, index: index)
        switch source.random.below(100) {
        case 0..<60: return groupSlug(index)
        case 60..<80: return source.uuid()
        case 80..<90: return "00g\(source.uniqueHex)"
        default: return "\(groupSlug(index))@groups.example.com"
        }
    }

    /// A readable name of a group that no other group has.
    private func groupSlug(_ index: Int) -> String {
        if index == 0, layout.hasEveryone { return "everyone" }
        let (outermost, depth) = layout.nesting(ofGroup: index)
        let department = Self.departments[outermost % Self.departments.count]
        let place = outermost / Self.departments.count
        let team = Self.teams[place % Self.teams.count]
        let round = place / Self.teams.count
        let number = round == 0 ? "" : "-\(round + 1)"
        return "\(department)-\(team)\(number)" + String(repeating: "-leads", count: depth)
    }

    /// `data-platform` as people write it, `Data Platform`.
    private static func title(_ slug: String) -> String {
        slug.split(separator: "-")
            .map { $0.prefix(1).uppercased() + $0.dropFirst() }
            .joined(separator: " ")
    }

    private static let departments = [
        "design", "finance", "legal", "marketing", "operations", "people", "platform", "product",
        "research", "sales", "security", "support",
    ]

    private static let teams = [
        "core", "americas", "analytics", "apac", "emea", "events", "partners", "projects",
    ]

    private static let jobs = [
        "backup", "build-agent", "crawler", "deploy", "exporter", "mailer", "scheduler", "sync",
    ]
}
