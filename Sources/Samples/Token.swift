// SPDX-License-Identifier: Apache-2.0

import Identity

/// Tokens as identity providers hand them out: JSON Web Tokens (RFC 7519) and opaque ones.
///
/// Header and payload decode to JSON; the signature is random, so no token is worth anything.
struct Token {
    enum Algorithm: String {
        case hs256 = "HS256"
        case es256 = "ES256"
        case rs256 = "RS256"

        fileprivate var signatureBytes: Int {
            switch self {
            case .hs256: 32
            case .es256: 64
            case .rs256: 256
            }
        }
    }

    var algorithm: Algorithm
    var issuer: String
    var subject: String
    var audience: String
    var issuedAt: Timestamp
    var expiresAt: Timestamp
    /// Written where it is not empty; a small token has neither.
    var email = ""
    var name = ""
    /// The token is filled up with entitlements until it has about so many characters.
    var charactersMin = 0

    /// Appends the token as a JSON string.
    func write(to line: inout JSONLine, random: inout SplitMix64) {
        let header = headerBytes(random: &random)
        let payload = payloadBytes(headerBytes: header.count, random: &random)
        var signature: [UInt8] = []
        Self.appendRandom(algorithm.signatureBytes, to: &signature, random: &random)
        line.plainString { bytes in
            Base64.append(header, to: &bytes)
            bytes.append(UInt8(ascii: "."))
            Base64.append(payload, to: &bytes)
            bytes.append(UInt8(ascii: "."))
            Base64.append(signature, to: &bytes)
        }
    }

    /// Appends an opaque token of random bytes as a JSON string.
    static func writeOpaque(
        bytes count: Int,
        to line: inout JSONLine,
        random: inout SplitMix64
    ) {
        var token: [UInt8] = []
        appendRandom(count, to: &token, random: &random)
        line.plainString { Base64.append(token, to: &$0) }
    }

    /// One right that a token or a session claims, for example `billing:read`.
    static func entitlement(random: inout SplitMix64) -> String {
        random.pick(entitlements)
    }

    private func headerBytes(random: inout SplitMix64) -> [UInt8] {
        var header = JSONLine(capacity: 80)
        header.object { header in
            header.member("alg", algorithm.rawValue)
            if algorithm != .hs256 {
                let key = Hexadecimal.digits(random.next(), count: 16)
                header.member("kid", String(decoding: key, as: UTF8.self))
            }
            header.member("typ", "JWT")
        }
        return header.bytes
    }

    private func payloadBytes(headerBytes: Int, random: inout SplitMix64) -> [UInt8] {
        let around = Base64.characters(ofBytes: headerBytes + algorithm.signatureBytes)
        let payloadBytesMin = (charactersMin - around) * 3 / 4
        var payload = JSONLine(capacity: max(256, payloadBytesMin + 64))
        payload.object { payload in
            payload.member("iss", issuer)
            payload.member("sub", subject)
            payload.member("aud", audience)
            payload.key("iat")
            payload.literal(issuedAt.seconds)
            payload.key("exp")
            payload.literal(expiresAt.seconds)
            if !email.isEmpty { payload.member("email", email) }
            if !name.isEmpty { payload.member("name", name) }
            guard payload.bytes.count + 40 < payloadBytesMin else { return }
            payload.key("entitlements")
            payload.array { payload in
                repeat {
                    payload.string(Self.entitlement(random: &random))
                } while payload.bytes.count + 20 < payloadBytesMin
            }
        }
        return payload.bytes
    }

    private static func appendRandom(
        _ count: Int,
        to bytes: inout [UInt8],
        random: inout SplitMix64
    ) {
        bytes.reserveCapacity(count + 8)
        while bytes.count < count {
            let word = random.next()
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        bytes.removeLast(bytes.count - count)
    }

    private static let entitlements: [String] = {
        let applications = [
            "billing", "builds", "crm", "deploy", "docs", "incidents", "inventory", "ledger",
            "metrics", "payroll", "search", "support", "tickets", "wiki",
        ]
        let rights = ["admin", "approve", "audit", "comment", "export", "read", "write"]
        return applications.flatMap { application in rights.map { "\(application):\($0)" } }
    }()
}
