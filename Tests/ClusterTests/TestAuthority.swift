// SPDX-License-Identifier: Apache-2.0

import Cluster
import Crypto
import Foundation
import SwiftASN1
import X509

/// A certificate authority for tests, and the members it vouches for.
struct TestAuthority: Sendable {
    let certificate: Certificate
    private let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
    private let name: DistinguishedName

    init(_ commonName: String = "test authority") throws {
        name = try DistinguishedName { CommonName(commonName) }
        certificate = try Certificate(
            version: .v3,
            serialNumber: Certificate.SerialNumber(),
            publicKey: key.publicKey,
            notValidBefore: Date(timeIntervalSinceNow: -3600),
            notValidAfter: Date(timeIntervalSinceNow: 86_400),
            issuer: name,
            subject: name,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true))
            },
            issuerPrivateKey: key
        )
    }

    /// Certificate and key of somebody, in PEM.
    func issue(
        uris: [String],
        validSeconds: TimeInterval = 3600
    ) throws -> (certificate: String, key: String) {
        let own = P256.Signing.PrivateKey()
        let certificate = try Certificate(
            version: .v3,
            serialNumber: Certificate.SerialNumber(),
            publicKey: Certificate.PrivateKey(own).publicKey,
            notValidBefore: Date(timeIntervalSinceNow: -3600),
            notValidAfter: Date(timeIntervalSinceNow: validSeconds),
            issuer: name,
            subject: try DistinguishedName { CommonName("member") },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth, .clientAuth])
                SubjectAlternativeNames(uris.map { .uniformResourceIdentifier($0) })
            },
            issuerPrivateKey: key
        )
        return (try certificate.serializeAsPEM().pemString, own.pemRepresentation)
    }

    /// The bytes of a certificate in PEM.
    static func der(_ pem: String) throws -> [UInt8] {
        try PEMDocument(pemString: pem).derBytes
    }

    /// Writes all that one member needs into a directory, over what is there.
    @discardableResult
    func write(_ identity: ClusterIdentity, to directory: String) throws -> TLSFiles {
        try write(uris: [identity.uri], to: directory)
    }

    @discardableResult
    func write(
        uris: [String],
        to directory: String,
        validSeconds: TimeInterval = 3600
    ) throws -> TLSFiles {
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
        let files = TLSFiles(
            authority: directory + "/ca.pem",
            certificate: directory + "/node.pem",
            key: directory + "/node.key"
        )
        let pair = try issue(uris: uris, validSeconds: validSeconds)
        for (path, text) in [
            (files.authority, try certificate.serializeAsPEM().pemString),
            (files.certificate, pair.certificate), (files.key, pair.key),
        ] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
        }
        return files
    }
}
