// SPDX-License-Identifier: Apache-2.0

import Foundation
import SwiftASN1
import X509

extension ClusterIdentity {
    /// Who a certificate says its owner is; PEM.
    ///
    /// Throws ``BootstrapError/certificate(reason:)`` where it does not say it exactly once.
    package init(pem: String) throws(BootstrapError) {
        let bytes = try CertificateAuthority.caught { () throws -> [UInt8] in
            try Certificate(pemEncoded: pem).serializeAsPEM().derBytes
        }
        guard let identity = ClusterIdentity(certificate: bytes) else {
            throw .certificate(reason: "it does not say which member it belongs to")
        }
        self = identity
    }

    /// A cluster id in lower case; throws ``BootstrapError/clusterID(_:)`` where it is no UUID.
    package static func validated(clusterID text: String) throws(BootstrapError) -> String {
        guard let id = UUID(uuidString: text) else { throw .clusterID(text) }
        return id.uuidString.lowercased()
    }

    /// Draws the id of a new cluster.
    package static func newClusterID() -> String { UUID().uuidString.lowercased() }
}
