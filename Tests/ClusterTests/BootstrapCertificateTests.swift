// SPDX-License-Identifier: Apache-2.0

import Cluster
import Foundation
import Identity
import SwiftASN1
import Testing
@_spi(FixedExpiryValidationTime) import X509

struct BootstrapCertificateTests {
    private let authority: CertificateAuthority

    init() throws {
        authority = try CertificateAuthority(clusterID: Sample.clusterID, now: Sample.now)
    }

    private func issue(_ member: UInt64, host: String) throws -> Certificate {
        let pair = try authority.issue(Sample.identity(member), host: host, now: Sample.now)
        let key = try Certificate.PrivateKey(pemEncoded: pair.key)
        let certificate = try Certificate(pemEncoded: pair.certificate)
        #expect(certificate.publicKey == key.publicKey)
        return certificate
    }

    private func isTrusted(
        _ certificate: Certificate,
        by authority: CertificateAuthority,
        at time: Date
    ) async throws -> Bool {
        let root = try Certificate(pemEncoded: authority.encoded().certificate)
        var verifier = Verifier(rootCertificates: CertificateStore([root])) {
            RFC5280Policy(fixedExpiryValidationTime: time)
        }
        let result = await verifier.validate(
            leaf: certificate,
            intermediates: CertificateStore([])
        )
        if case .validCertificate = result { return true }
        return false
    }

    @Test("a member's certificate is trusted for ten years, by its own cluster only")
    func trust() async throws {
        let certificate = try issue(2, host: "10.0.0.2")
        let other = try CertificateAuthority(clusterID: Sample.clusterID, now: Sample.now)
        let now = Date(timeIntervalSince1970: TimeInterval(Sample.now.seconds))
        let day: TimeInterval = 86_400
        #expect(try await isTrusted(certificate, by: authority, at: now))
        #expect(try await isTrusted(certificate, by: authority, at: now + 3649 * day))
        #expect(try await !isTrusted(certificate, by: authority, at: now + 3651 * day))
        #expect(try await !isTrusted(certificate, by: authority, at: now - day))
        #expect(try await !isTrusted(certificate, by: other, at: now))
    }

    @Test("it names member and host, and serves both ends of a connection")
    func names() throws {
        for (host, name) in [
            ("node-2.example.com", GeneralName.dnsName("node-2.example.com")),
            ("10.0.0.2", .ipAddress(ASN1OctetString(contentBytes: [10, 0, 0, 2]))),
            (
                "fd00::2",
                .ipAddress(
                    ASN1OctetString(
                        contentBytes: [0xFD] + [UInt8](repeating: 0, count: 14) + [2]
                    )
                )
            ),
        ] {
            let certificate = try issue(2, host: host)
            let names = try #require(try certificate.extensions.subjectAlternativeNames)
            let uri = "brokerfs://\(Sample.clusterID)/2/n2"
            #expect(Array(names) == [.uniformResourceIdentifier(uri), name])
            let pem = try certificate.serializeAsPEM().pemString
            #expect(try ClusterIdentity(pem: pem) == Sample.identity(2))
            let usage = try #require(try certificate.extensions.extendedKeyUsage)
            #expect(usage.contains(.serverAuth) && usage.contains(.clientAuth))
            #expect(
                try certificate.extensions.basicConstraints == .notCertificateAuthority
            )
        }
    }

    @Test("a member cannot make members")
    func noAuthority() async throws {
        let pair = try authority.issue(Sample.identity(2), host: "a", now: Sample.now)
        #expect(throws: BootstrapError.self) {
            try CertificateAuthority(
                clusterID: Sample.clusterID,
                certificate: pair.certificate,
                key: pair.key
            )
        }
    }

    @Test("an authority is read from its files; another's key or cluster is refused")
    func reading() throws {
        let pair = try authority.encoded()
        let read = try CertificateAuthority(
            clusterID: Sample.clusterID,
            certificate: pair.certificate,
            key: pair.key
        )
        #expect(try read.encoded().certificate == pair.certificate)
        let other = try CertificateAuthority(clusterID: Sample.clusterID, now: Sample.now)
        let otherPair = try other.encoded()
        #expect(throws: BootstrapError.self) {
            try CertificateAuthority(
                clusterID: Sample.clusterID,
                certificate: pair.certificate,
                key: otherPair.key
            )
        }
        #expect(throws: BootstrapError.self) {
            try CertificateAuthority(
                clusterID: Sample.otherClusterID,
                certificate: pair.certificate,
                key: pair.key
            )
        }
    }

    @Test("the authority's own certificate names no member")
    func authorityIsNoMember() throws {
        let pem = try authority.encoded().certificate
        #expect(throws: BootstrapError.self) { try ClusterIdentity(pem: pem) }
        #expect(throws: BootstrapError.self) { try ClusterIdentity(pem: "no PEM") }
    }
}
