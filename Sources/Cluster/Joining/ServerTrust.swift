// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOSSL
import SwiftASN1
import X509

/// Whom a machine trusts that has only a token: nodes that the authority named there vouches for.
struct ServerTrust: Sendable {
    private let token: JoinToken

    init(_ token: JoinToken) {
        self.token = token
    }

    /// TLS 1.3, without a certificate of its own; ``verify`` decides about the node's.
    static var configuration: TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv13
        configuration.certificateVerification = .noHostnameVerification
        configuration.trustRoots = .certificates([])
        return configuration
    }

    /// Judges what a node presents: its own certificate, and somewhere behind it the authority's.
    var verify: NIOSSLCustomVerificationCallback {
        { [self] presented, promise in
            let chain = presented.compactMap { certificate in
                (try? certificate.toDERBytes()).flatMap { try? Certificate(derEncoded: $0) }
            }
            guard let leaf = chain.first, chain.count == presented.count else {
                return promise.succeed(.failed)
            }
            Task {
                let isTrusted = await isIssued(leaf, by: Array(chain.dropFirst()))
                promise.succeed(isTrusted ? .certificateVerified : .failed)
            }
        }
    }

    /// Whether the authority of the token is among these certificates, in PEM, and has issued one
    /// that names a member and is valid now.
    func isIssued(_ certificate: Certificate, by authorities: String) async throws -> Bool {
        let all = try PEMDocument.parseMultiple(pemString: authorities)
        return await isIssued(certificate, by: try all.map { try Certificate(pemDocument: $0) })
    }

    private func isIssued(_ leaf: Certificate, by authorities: [Certificate]) async -> Bool {
        guard let authority = authorities.first(where: { token.names($0) }),
            let bytes = try? leaf.serializeAsPEM().derBytes,
            ClusterIdentity(certificate: bytes) != nil
        else { return false }
        var verifier = Verifier(rootCertificates: CertificateStore([authority])) {
            RFC5280Policy()
        }
        let result = await verifier.validate(leaf: leaf, intermediates: CertificateStore())
        if case .validCertificate = result { return true }
        return false
    }
}
