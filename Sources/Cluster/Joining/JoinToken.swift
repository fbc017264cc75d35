// SPDX-License-Identifier: Apache-2.0

import Crypto
import Foundation
import SwiftASN1
import X509

/// What lets one machine join a group, once: a secret, and which authority to expect.
///
/// Written `bfsjoin-` and 64 characters of base64url (RFC 4648, section 5).
package struct JoinToken: Equatable, Sendable {
    static let secretBytes = 16
    /// Known to the node that made the token and to whoever was given it.
    let secret: [UInt8]
    /// The SHA-256 of the authority's certificate: whoever joins says its secret to nobody else.
    let authority: [UInt8]

    init(secret: [UInt8], authority: [UInt8]) {
        self.secret = secret
        self.authority = authority
    }

    /// Draws a token for a group with this authority.
    init(for authority: Certificate) throws(BootstrapError) {
        var random = SystemRandomNumberGenerator()
        self.init(
            secret: (0..<Self.secretBytes).map { _ in .random(in: 0...255, using: &random) },
            authority: try Self.fingerprint(authority)
        )
    }

    /// Reads what ``text`` wrote; nil for anything else.
    package init?(_ text: String) {
        guard text.hasPrefix(Self.prefix) else { return nil }
        let base64 = text.dropFirst(Self.prefix.count)
            .replacing("-", with: "+").replacing("_", with: "/")
        guard let bytes = Data(base64Encoded: String(base64)),
            bytes.count == Self.secretBytes + SHA256.byteCount
        else { return nil }
        self.init(
            secret: Array(bytes.prefix(Self.secretBytes)),
            authority: Array(bytes.dropFirst(Self.secretBytes))
        )
        // One token has one spelling.
        guard self.text == text else { return nil }
    }

    /// How it is handed over.
    package var text: String {
        let base64 = Data(secret + authority).base64EncodedString()
        return Self.prefix + base64.replacing("+", with: "-").replacing("/", with: "_")
    }

    /// Whether a certificate is the authority's.
    func names(_ certificate: Certificate) -> Bool {
        (try? Self.fingerprint(certificate)) == authority
    }

    private static let prefix = "bfsjoin-"

    private static func fingerprint(_ certificate: Certificate) throws(BootstrapError) -> [UInt8] {
        try CertificateAuthority.caught { () throws -> [UInt8] in
            Array(SHA256.hash(data: try certificate.serializeAsPEM().derBytes))
        }
    }
}
