// SPDX-License-Identifier: Apache-2.0

import Identity

/// One session before it becomes a line.
///
/// Groups are never among the claims: they are joined from the directory when they are read.
struct SessionSample {
    /// What tokens the session carries; that decides its size.
    enum Size {
        /// About 0.5 KB: a short ID token, opaque access and refresh tokens.
        case small
        /// About 3 KB: ID and access tokens of 1.1 KB each.
        case medium
        /// About 10 KB: long JSON Web Tokens throughout, and many entitlements.
        case large
    }

    enum Device {
        case credential(id: String)
        case unavailable(typeID: String)
    }

    var id: String
    var person: Person
    var issuedAt: Timestamp
    var accessedAt: Timestamp
    var expiresAt: Timestamp
    /// The times of the tokens, which are renewed while the session lasts.
    var tokenIssuedAt: Timestamp
    var tokenExpiresAt: Timestamp
    var provider: Provider
    var audience: [String]
    var methods: [String]
    var size: Size
    var devices: [Device] = []
    var isRefreshDisabled = false

    /// An identity provider.
    struct Provider: Sendable {
        let id: String
        let issuer: String

        static let all = [
            Provider(id: "okta", issuer: "https://example.okta.com"),
            Provider(id: "auth0", issuer: "https://example.eu.auth0.com/"),
            Provider(id: "google", issuer: "https://accounts.google.com"),
            Provider(id: "keycloak", issuer: "https://sso.example.com/realms/main"),
        ]
    }

    /// The line that loads the session; chance decides nothing but the tokens' content.
    func line(random: inout SplitMix64) -> String {
        let capacity =
            switch size {
            case .small: 1536
            case .medium: 4096
            case .large: 12_288
            }
        return JSONLine.record(.session, id: id, capacity: capacity) { line in
            line.member("id", id)
            line.member("user_id", person.id)
            line.member("issued_at", issuedAt)
            line.member("expires_at", expiresAt)
            line.member("accessed_at", accessedAt)
            line.member("idp_id", provider.id)
            line.member("audience", audience)
            line.key("claims")
            line.object { writeClaims(to: &$0, random: &random) }
            line.key("id_token")
            line.object { writeIDToken(to: &$0, random: &random) }
            line.key("oauth_token")
            line.object { writeOAuthToken(to: &$0, random: &random) }
            if !devices.isEmpty { writeDevices(to: &line) }
            if isRefreshDisabled {
                line.key("refresh_disabled")
                line.literal(true)
            }
        }
    }

    private func writeClaims(to line: inout JSONLine, random: inout SplitMix64) {
        line.member("amr", methods)
        line.member("email", [person.email])
        guard size != .small else { return }
        line.member("aud", audience)
        line.key("email_verified")
        line.array { $0.literal(true) }
        line.member("family_name", [person.familyName])
        line.member("given_name", [person.givenName])
        line.member("iss", [provider.issuer])
        line.member("name", [person.name])
        line.member("sub", [person.id])
        guard size == .large else { return }
        line.member("entitlements", (0..<60).map { _ in Token.entitlement(random: &random) })
    }

    private func writeIDToken(to line: inout JSONLine, random: inout SplitMix64) {
        line.member("issuer", provider.issuer)
        line.member("subject", person.id)
        line.member("issued_at", tokenIssuedAt)
        line.member("expires_at", tokenExpiresAt)
        line.key("raw")
        switch size {
        case .small: writeToken(.hs256, charactersMin: 0, to: &line, random: &random)
        case .medium: writeToken(.rs256, charactersMin: 1100, to: &line, random: &random)
        case .large: writeToken(.rs256, charactersMin: 2400, to: &line, random: &random)
        }
    }

    private func writeOAuthToken(to line: inout JSONLine, random: inout SplitMix64) {
        line.key("access_token")
        switch size {
        case .small: Token.writeOpaque(bytes: 32, to: &line, random: &random)
        case .medium: writeToken(.es256, charactersMin: 1100, to: &line, random: &random)
        case .large: writeToken(.rs256, charactersMin: 3600, to: &line, random: &random)
        }
        line.member("token_type", "Bearer")
        line.member("expires_at", tokenExpiresAt)
        guard !isRefreshDisabled else { return }
        line.key("refresh_token")
        switch size {
        case .small: Token.writeOpaque(bytes: 32, to: &line, random: &random)
        case .medium: Token.writeOpaque(bytes: 96, to: &line, random: &random)
        case .large: writeToken(.rs256, charactersMin: 1600, to: &line, random: &random)
        }
    }

    private func writeToken(
        _ algorithm: Token.Algorithm,
        charactersMin: Int,
        to line: inout JSONLine,
        random: inout SplitMix64
    ) {
        var token = Token(
            algorithm: algorithm,
            issuer: provider.issuer,
            subject: person.id,
            audience: audience.first ?? "",
            issuedAt: tokenIssuedAt,
            expiresAt: tokenExpiresAt,
            charactersMin: charactersMin
        )
        if size != .small {
            token.email = person.email
            token.name = person.name
        }
        token.write(to: &line, random: &random)
    }

    private func writeDevices(to line: inout JSONLine) {
        line.key("device_credentials")
        line.array { line in
            for device in devices {
                line.object { line in
                    switch device {
                    case .credential(let id):
                        line.member("type_id", "any")
                        line.member("id", id)
                    case .unavailable(let typeID):
                        line.member("type_id", typeID)
                        line.key("unavailable")
                        line.object { _ in }
                    }
                }
            }
        }
    }
}
