// SPDX-License-Identifier: Apache-2.0

import Cluster
import Testing

/// Names that stand in certificates and configurations.
@Suite struct IdentityTests {
    @Test("an identity has one spelling")
    func identity() {
        let identity = ClusterIdentity(clusterID: "c-1", member: 7, name: "n7")
        #expect(identity.uri == "brokerfs://c-1/7/n7")
        #expect(ClusterIdentity(uri: identity.uri) == identity)
        for uri in [
            "", "brokerfs://", "brokerfs://c/1", "brokerfs://c/1/n/", "brokerfs://c/0/n",
            "brokerfs://c/+1/n", "brokerfs://c/01/n", "brokerfs:///1/n", "brokerfs://c/1/",
            "brokerfs://c/1/..", "brokerfs://c/1/a b", "https://c/1/n", "BROKERFS://c/1/n",
            "brokerfs://c/18446744073709551616/n", "brokerfs://c/1/n?x", "brokerfs://c/-1/n",
        ] {
            #expect(ClusterIdentity(uri: uri) == nil, "\(uri)")
        }
    }

    @Test("a certificate names one member, or nobody")
    func certificate() throws {
        let authority = try TestAuthority()
        let uri = "brokerfs://c/1/n1"
        func identity(_ uris: [String]) throws -> ClusterIdentity? {
            let pem = try authority.issue(uris: uris).certificate
            return try ClusterIdentity(certificate: TestAuthority.der(pem))
        }
        #expect(try identity([uri])?.uri == uri)
        #expect(try identity([]) == nil)
        #expect(try identity([uri, "brokerfs://c/2/n2"]) == nil)
        #expect(try identity([uri, uri]) == nil)
        #expect(try identity(["spiffe://c/1/n1"]) == nil)
        #expect(ClusterIdentity(certificate: [1, 2, 3]) == nil)
    }

    @Test("addresses have a host and a port")
    func address() {
        #expect(PeerAddress("n1:7400").map { [$0.host, "\($0.port)"] } == ["n1", "7400"])
        #expect(PeerAddress("[::1]:7400")?.host == "::1")
        #expect(PeerAddress("192.0.2.1:1")?.host == "192.0.2.1")
        for text in [
            "", ":", "n1", "n1:", ":7400", "::1:7400", "n1:65536", "n1:-1", "n1:+1", "n 1:1",
            "[]:1", "n1:7400x",
        ] {
            #expect(PeerAddress(text) == nil, "\(text)")
        }
    }
}
