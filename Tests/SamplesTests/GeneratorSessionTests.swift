// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Identity
import Samples
import Testing

@Suite("generated sessions")
struct GeneratorSessionTests {
    private static let shape = Shape(
        sessions: 400,
        users: 80,
        groups: 6,
        memberships: 200,
        contextValues: 40,
        serviceAccounts: 8
    )

    @Test("payloads have about 0.5, 3 and 10 KB, in 70, 25 and 5 of 100", arguments: Shape.seeds)
    func sizes(seed: UInt64) throws {
        var counts = (small: 0, medium: 0, large: 0)
        for line in try Self.shape.generator(seed: seed) {
            let write = try LoadLine.parse(line)
            guard write.type == .session else { continue }
            switch write.record?.payload.count ?? 0 {
            // An id of the longest kind alone adds 300 bytes.
            case 450..<1100: counts.small += 1
            case 2600..<3600: counts.medium += 1
            case 9000..<11_500: counts.large += 1
            case let size: Issue.record("seed \(seed): a session of \(size) bytes: \(write.id)")
            }
        }
        #expect((250...310).contains(counts.small), "\(counts)")
        #expect((75...125).contains(counts.medium), "\(counts)")
        #expect((8...35).contains(counts.large), "\(counts)")
    }

    @Test("a small payload has half a kilobyte in the middle of its range")
    func smallMedian() throws {
        let sizes = try Self.shape.generator(seed: 5)
            .map(LoadLine.parse)
            .filter { $0.type == .session }
            .compactMap { $0.record?.payload.count }
            .sorted()
        #expect((450...750).contains(sizes[sizes.count * 35 / 100]))
    }

    @Test("everything is alive now, and was not issued in the future", arguments: Shape.seeds)
    func alive(seed: UInt64) throws {
        let now = Shape.now
        for line in try Self.shape.generator(seed: seed) {
            if let expiresAt = try LoadLine.parse(line).facts.expiresAt {
                #expect(expiresAt > now, "seed \(seed): \(line)")
            }
            let fields = try SampleLine(line).data
            guard let issuedAt = fields.issued_at, let accessedAt = fields.accessed_at else {
                continue
            }
            #expect(issuedAt <= accessedAt, "seed \(seed): \(line)")
            #expect(accessedAt.timeIntervalSince1970 <= Double(now.seconds), "seed \(seed)")
        }
    }

    @Test("a fixed expiry is everybody's expiry")
    func fixedExpiry() throws {
        let end = Timestamp(seconds: 4_102_444_799)
        let expiries = try Self.shape.generator(seed: 1, expiresAt: end)
            .map { try LoadLine.parse($0).facts.expiresAt }
        #expect(Set(expiries) == [nil, end])
        #expect(expiries.count { $0 == end } >= 408)
    }

    @Test("tokens decode as JSON Web Tokens of the session's user")
    func tokens() throws {
        var accessTokens = 0
        var refreshTokens = 0
        for session in try Self.shape.generator(seed: 6).lines(of: .session) {
            let raw = try #require(session.data.id_token).raw
            let payload = try #require(WebToken(raw), "\(raw)").payload
            #expect(payload.sub == session.data.user_id)
            #expect(payload.exp > Shape.now.seconds && payload.iat <= Shape.now.seconds)
            let oauth = try #require(session.data.oauth_token)
            if WebToken(oauth.access_token) != nil { accessTokens += 1 }
            if let refresh = oauth.refresh_token, WebToken(refresh) != nil { refreshTokens += 1 }
            let opaque = oauth.access_token.contains(".") || oauth.access_token.count == 43
            #expect(opaque, "\(oauth.access_token)")
        }
        #expect((90...150).contains(accessTokens))
        #expect((8...35).contains(refreshTokens))
    }

    @Test("groups are never claims of a session")
    func noGroups() throws {
        let sessions = try Self.shape.generator(seed: 8).lines(of: .session)
        for session in sessions {
            let claims = try #require(session.data.claims)
            #expect(claims["amr"] != nil && claims["email"] != nil)
            #expect(claims["groups"] == nil)
        }
        #expect(sessions.contains { $0.data.claims?["iss"] != nil })
    }
}

/// A token in three parts, of which two are read.
private struct WebToken {
    struct Header: Decodable {
        var alg: String
        var typ: String
    }

    struct Payload: Decodable {
        var iss: String
        var sub: String
        var aud: String
        var iat: Int64
        var exp: Int64
    }

    let payload: Payload

    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let bytes = parts.compactMap(Self.decoded)
        guard parts.count == 3, bytes.count == 3, bytes[2].count >= 32,
            let header = try? JSONDecoder().decode(Header.self, from: bytes[0]),
            let payload = try? JSONDecoder().decode(Payload.self, from: bytes[1]),
            header.typ == "JWT", ["HS256", "ES256", "RS256"].contains(header.alg)
        else { return nil }
        self.payload = payload
    }

    private static func decoded(_ part: Substring) -> Data? {
        let standard = part.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
        let padding = String(repeating: "=", count: (4 - standard.count % 4) % 4)
        return Data(base64Encoded: String(standard) + padding)
    }
}
