// SPDX-License-Identifier: Apache-2.0

import Crypto
import Foundation
package import Identity
import SwiftASN1
import X509

/// The authority of one cluster: its key signs the certificate of every member.
///
/// Keys are P-256, which every TLS 1.3 implementation has.
package struct CertificateAuthority: Sendable {
    package let clusterID: String
    let certificate: Certificate
    let key: Certificate.PrivateKey

    /// A certificate and the key that belongs to it, as PEM.
    package struct Pair: Sendable {
        package let certificate: String
        package let key: String
    }

    /// Ten years; members' certificates end with it.
    private static let lifeSeconds: TimeInterval = 10 * 365 * 86_400
    /// For machines whose clocks are behind.
    private static let backdatedSeconds: TimeInterval = 3600

    /// Makes the authority of a new cluster.
    package init(clusterID: String, now: Timestamp) throws(BootstrapError) {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let name = Self.name(clusterID)
        self.clusterID = clusterID
        self.key = key
        certificate = try Self.caught { () throws -> Certificate in
            try Certificate(
                version: .v3,
                serialNumber: .init(),
                publicKey: key.publicKey,
                notValidBefore: now.date - Self.backdatedSeconds,
                notValidAfter: now.date + Self.lifeSeconds,
                issuer: name,
                subject: name,
                signatureAlgorithm: .ecdsaWithSHA256,
                extensions: Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: key.publicKey)
                },
                issuerPrivateKey: key
            )
        }
    }

    /// Reads the authority from its two files, as PEM.
    ///
    /// Throws ``BootstrapError/certificate(reason:)`` where they do not belong together or to this
    /// cluster.
    package init(clusterID: String, certificate: String, key: String) throws(BootstrapError) {
        self.clusterID = clusterID
        let (authority, key) = try Self.caught {
            () throws -> (Certificate, Certificate.PrivateKey) in
            (try Certificate(pemEncoded: certificate), try Certificate.PrivateKey(pemEncoded: key))
        }
        guard authority.publicKey == key.publicKey else {
            throw .certificate(reason: "the key is not that of the authority's certificate")
        }
        guard authority.subject == Self.name(clusterID) else {
            throw .certificate(reason: "the authority is not that of the cluster \(clusterID)")
        }
        self.certificate = authority
        self.key = key
    }

    /// Finds the certificate that belongs to a key among several, which a file has while the
    /// authority changes; PEM.
    package init(
        clusterID: String,
        certificates: String,
        key: String
    ) throws(BootstrapError) {
        let pem = try Self.caught { () throws -> String in
            let key = try Certificate.PrivateKey(pemEncoded: key).publicKey
            let all = try PEMDocument.parseMultiple(pemString: certificates)
            guard
                let own = try all.first(where: { try Certificate(pemDocument: $0).publicKey == key }
                )
            else {
                throw BootstrapError.certificate(
                    reason: "the key is that of none of the authority's certificates"
                )
            }
            return own.pemString
        }
        try self.init(clusterID: clusterID, certificate: pem, key: key)
    }

    /// Both files of the authority.
    package func encoded() throws(BootstrapError) -> Pair {
        try Self.caught { () throws -> Pair in
            Pair(
                certificate: try certificate.serializeAsPEM().pemString + "\n",
                key: try key.serializeAsPEM().pemString + "\n"
            )
        }
    }

    /// Makes a key and its certificate for a member that is reached at `host`.
    package func issue(
        _ identity: ClusterIdentity,
        host: String,
        now: Timestamp
    ) throws(BootstrapError) -> Pair {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let issued = try issue(identity, host: host, publicKey: key.publicKey, now: now)
        return try Self.caught { () throws -> Pair in
            Pair(
                certificate: try issued.serializeAsPEM().pemString + "\n",
                key: try key.serializeAsPEM().pemString + "\n"
            )
        }
    }

    /// Certifies a key that somebody else keeps; PEM.
    func issue(
        _ identity: ClusterIdentity,
        host: String,
        publicKey: String,
        now: Timestamp
    ) throws(BootstrapError) -> String {
        let key = try Self.caught { () throws -> Certificate.PublicKey in
            try Certificate.PublicKey(pemEncoded: publicKey)
        }
        let issued = try issue(identity, host: host, publicKey: key, now: now)
        return try Self.caught { () throws -> String in
            try issued.serializeAsPEM().pemString + "\n"
        }
    }

    /// Throws ``BootstrapError/certificate(reason:)`` for what is no P-256 key in PEM.
    static func check(publicKey: String) throws(BootstrapError) {
        let key = try caught { () throws -> Certificate.PublicKey in
            try Certificate.PublicKey(pemEncoded: publicKey)
        }
        guard P256.Signing.PublicKey(key) != nil else {
            throw .certificate(reason: "the key to certify is not one of P-256")
        }
    }

    /// Certifies a key that somebody else keeps.
    func issue(
        _ identity: ClusterIdentity,
        host: String,
        publicKey: Certificate.PublicKey,
        now: Timestamp
    ) throws(BootstrapError) -> Certificate {
        precondition(identity.clusterID == clusterID, "an authority speaks for its own cluster")
        return try Self.caught { () throws -> Certificate in
            let usages = try ExtendedKeyUsage([.serverAuth, .clientAuth])
            let subject = try DistinguishedName {
                OrganizationName("brokerfs")
                CommonName(identity.name)
            }
            let authorityKey = SubjectKeyIdentifier(hash: self.key.publicKey)
            return try Certificate(
                version: .v3,
                serialNumber: .init(),
                publicKey: publicKey,
                notValidBefore: now.date - Self.backdatedSeconds,
                notValidAfter: certificate.notValidAfter,
                issuer: certificate.subject,
                subject: subject,
                signatureAlgorithm: .ecdsaWithSHA256,
                extensions: Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    usages
                    SubjectAlternativeNames([
                        .uniformResourceIdentifier(identity.uri), Self.name(ofHost: host),
                    ])
                    SubjectKeyIdentifier(hash: publicKey)
                    AuthorityKeyIdentifier(keyIdentifier: authorityKey.keyIdentifier)
                },
                issuerPrivateKey: self.key
            )
        }
    }

    private static func name(ofHost host: String) -> GeneralName {
        let bytes = (try? HostPort(host.contains(":") ? "[\(host)]:1" : "\(host):1"))?.ipBytes
        guard let bytes else { return .dnsName(host) }
        return .ipAddress(ASN1OctetString(contentBytes: bytes[...]))
    }

    private static func name(_ clusterID: String) -> DistinguishedName {
        do {
            return try DistinguishedName {
                OrganizationName("brokerfs")
                CommonName(clusterID)
            }
        } catch {
            preconditionFailure("a UUID can be a name: \(error)")
        }
    }

    /// The one place where what the library throws gets a type.
    static func caught<T>(_ body: () throws -> T) throws(BootstrapError) -> T {
        do {
            return try body()
        } catch let error as BootstrapError {
            throw error
        } catch {
            throw .certificate(reason: "\(error)")
        }
    }
}

extension Timestamp {
    fileprivate var date: Date {
        Date(timeIntervalSince1970: TimeInterval(seconds) + TimeInterval(nanoseconds) / 1e9)
    }
}
