// SPDX-License-Identifier: Apache-2.0

import Identity

/// Sessions and external context.
extension Generator {
    func sessionLine(_ index: Int) -> String {
        var source = SampleSource(seed: seed, kind: .session, index: index)
        let id = sessionID(&source)
        let isMachine = serviceAccounts > 0 && source.random.chance(percent: 3)
        let person =
            isMachine
            ? serviceAccount(source.random.below(serviceAccounts))
            : Person(seed: seed, index: owner(&source))
        let age = Int64(source.random.below(13 * 3600))
        let issuedAt = now.adding(seconds: -age)
        let tokenAge = Swift.min(age, Int64(source.random.below(3000)))
        let tokenIssuedAt = now.adding(seconds: -tokenAge)
        var session = SessionSample(
            id: id,
            person: person,
            issuedAt: issuedAt,
            accessedAt: now.adding(seconds: -Int64(source.random.below(Int(tokenAge) + 1))),
            expiresAt: fixedExpiry ?? issuedAt.adding(seconds: 14 * 3600),
            tokenIssuedAt: tokenIssuedAt,
            tokenExpiresAt: fixedExpiry ?? tokenIssuedAt.adding(seconds: 3600),
            provider: source.random.pick(SessionSample.Provider.all),
            audience: audience(&source),
            methods: isMachine ? ["key"] : source.random.pick(Self.methods),
            size: isMachine ? .small : size(&source),
            isRefreshDisabled: isMachine
        )
        if !isMachine, source.random.chance(percent: 15) {
            session.devices = [.credential(id: source.hex(digits: 16))]
        } else if source.random.chance(percent: 5) {
            session.devices = [.unavailable(typeID: "enclave_only")]
        }
        return session.line(random: &source.random)
    }

    /// Context of four kinds; those that one user or group has once make way for devices.
    func contextLine(_ index: Int) -> String {
        var source = SampleSource(seed: seed, kind: .context, index: index)
        let place = index / 4
        switch index % 4 {
        case 1 where place < users: return riskLine(place, &source)
        case 2 where place + 1 < groups: return onCallLine(place + 1, &source)
        case 3: return routeLine(&source)
        default: return deviceLine(&source)
        }
    }

    /// Half of the sessions belong to a tenth of the users.
    private func owner(_ source: inout SampleSource) -> Int {
        source.random.below(source.random.chance(percent: 45) ? Swift.max(1, users / 10) : users)
    }

    private func size(_ source: inout SampleSource) -> SessionSample.Size {
        switch source.random.below(100) {
        case 0..<70: .small
        case 70..<95: .medium
        default: .large
        }
    }

    private func audience(_ source: inout SampleSource) -> [String] {
        let first = source.random.pick(Self.hosts)
        return source.random.chance(percent: 80) ? [first] : [first, "api.example.com"]
    }

    /// Mostly UUIDs; also URL-encoded composites, base64, and ids too long for a file name.
    private func sessionID(_ source: inout SampleSource) -> String {
        switch source.random.below(100) {
        case 0..<90: source.uuid()
        case 90..<95: composite("%2Freports%2Fq\(source.random.below(4) + 1)", &source)
        case 95..<98: base64ID(&source)
        default: composite(String(repeating: "%2Farchive%2F2026", count: 14), &source)
        }
    }

    private func composite(_ path: String, _ source: inout SampleSource) -> String {
        "host=\(source.random.pick(Self.hosts))%3A443&path=\(path)&sid=\(source.uniqueHex)"
    }

    private func base64ID(_ source: inout SampleSource) -> String {
        var bytes: [UInt8] = []
        for word in [source.unique, source.random.next()] {
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        var text: [UInt8] = []
        Base64.append(bytes, as: .standard, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    private static let hosts = [
        "app.example.com", "crm.example.com", "git.example.com", "grafana.example.com",
        "payroll.example.com", "wiki.example.com",
    ]

    private static let methods = [
        ["mfa"], ["mfa", "pwd"], ["pwd"], ["hwk", "mfa", "user"], ["otp", "pwd"],
    ]
}

/// What is known of devices, risks, duty and routes.
extension Generator {
    private func deviceLine(_ source: inout SampleSource) -> String {
        var posture = JSONLine(capacity: 256)
        posture.object { posture in
            let system = source.random.pick(["linux 6.12", "macos 15.7", "windows 11", "ios 19"])
            posture.member("os", system)
            posture.key("disk_encrypted")
            posture.literal(source.random.chance(percent: 95))
            posture.key("firewall")
            posture.literal(source.random.chance(percent: 90))
            posture.key("managed")
            posture.literal(source.random.chance(percent: 80))
            posture.member("owner", Person(seed: seed, index: owner(&source)).id)
            posture.member("checked_at", now.adding(seconds: -Int64(source.random.below(3600))))
        }
        let kind = source.random.pick(["desktop", "laptop", "phone"])
        return contextLine(
            "device/\(kind)-\(source.uniqueHex)",
            posture.text + "\n",
            lastsSeconds: nil
        )
    }

    private func riskLine(_ user: Int, _ source: inout SampleSource) -> String {
        let id = Person(seed: seed, index: user).id
        return contextLine("risk/\(id)", "\(source.random.below(101))\n", lastsSeconds: 7 * 86_400)
    }

    private func onCallLine(_ group: Int, _ source: inout SampleSource) -> String {
        let person = Person(seed: seed, index: source.random.below(users))
        return contextLine("oncall/\(groupID(group))", "\(person.id)\n", lastsSeconds: 12 * 3600)
    }

    private func routeLine(_ source: inout SampleSource) -> String {
        let state = source.random.pick(["open", "open", "open", "maintenance"])
        return contextLine("route/\(composite("%2F", &source))", "\(state)\n", lastsSeconds: nil)
    }

    private func contextLine(_ id: String, _ text: String, lastsSeconds: Int64?) -> String {
        JSONLine.record(.context, id: id) { line in
            line.member("text", text)
            guard let lastsSeconds else { return }
            line.member("expires_at", fixedExpiry ?? now.adding(seconds: lastsSeconds))
        }
    }
}
