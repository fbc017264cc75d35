// SPDX-License-Identifier: Apache-2.0

import SwiftASN1
import X509

/// Who a certificate says its holder is: `brokerfs://<cluster-id>/<member-id>/<name>`, the one URI
/// in its subject alternative names.
package struct ClusterIdentity: Equatable, Hashable, Sendable {
    package var clusterID: String
    package var member: UInt64
    package var name: String

    /// Joins a cluster, a member's number there, and its name.
    package init(clusterID: String, member: UInt64, name: String) {
        self.clusterID = clusterID
        self.member = member
        self.name = name
    }

    /// The URI that stands in the certificate.
    package var uri: String { "\(Self.scheme)\(clusterID)/\(member)/\(name)" }

    /// Reads a URI; nil for any other, and for one that is written in another way.
    package init?(uri: String) {
        guard uri.hasPrefix(Self.scheme) else { return nil }
        let parts = uri.dropFirst(Self.scheme.count)
            .split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, let member = UInt64(parts[1]), member != 0,
            Self.isName(parts[0]), Self.isName(parts[2])
        else { return nil }
        self.init(clusterID: String(parts[0]), member: member, name: String(parts[2]))
        // One identity has one spelling: neither `+1` nor `01` is member 1.
        guard self.uri == uri else { return nil }
    }

    /// Reads the only such URI of a certificate in DER; nil where there is none, or several.
    package init?(certificate bytes: [UInt8]) {
        guard let certificate = try? Certificate(derEncoded: bytes),
            let names = try? certificate.extensions.subjectAlternativeNames
        else { return nil }
        let uris = names.compactMap { name in
            if case .uniformResourceIdentifier(let uri) = name { uri } else { nil }
        }
        guard uris.count == 1, let identity = ClusterIdentity(uri: uris[0]) else { return nil }
        self = identity
    }

    /// Whether a text can name a cluster or a node: letters, digits, `-`, `_` and `.`, the latter
    /// not first; 1 to 64 of them.
    package static func isName(_ text: some StringProtocol) -> Bool {
        let bytes = text.utf8
        guard (1...PeerBounds.nameBytesMax).contains(bytes.count),
            bytes.first != UInt8(ascii: ".")
        else { return false }
        return bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: "."):
                true
            default: false
            }
        }
    }

    private static let scheme = "brokerfs://"
}
