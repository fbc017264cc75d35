// SPDX-License-Identifier: Apache-2.0

import Cluster
import Identity
import Testing

struct BootstrapNamesTests {
    @Test("members are numbered in the order in which they are typed")
    func order() throws {
        let text = "n1=10.0.0.1:7701,n2=node-2.example.com:7701,n3=[fd00::3]:7701"
        let members = try MemberList.parse(text)
        #expect(members == Sample.members)
        #expect(MemberList.text(members) == text)
    }

    @Test(
        "a list that cannot be a group is refused, and says why",
        arguments: [
            ("", "is not NAME=HOST:PORT"),
            ("n1", "is not NAME=HOST:PORT"),
            ("n1=a:1,", "is not NAME=HOST:PORT"),
            ("=a:1", "is empty"),
            ("n1=a:1,n1=b:1", "is there twice"),
            ("n1=a:1,n2=a:1", "is there twice"),
            ("../x=a:1", "letters, digits"),
            ("n/1=a:1", "letters, digits"),
            ("nö=a:1", "letters, digits"),
            (".n=a:1", "begins with . or -"),
            ("-n=a:1", "begins with . or -"),
            ("n1=a", "has no port"),
            ("n1=a:0", "no port from 1 to 65535"),
            ("n1=a:65536", "no port from 1 to 65535"),
            ("n1=a:+1", "no port from 1 to 65535"),
            ("n1=a:", "no port from 1 to 65535"),
            ("n1=:1", "has no host"),
            ("n1=a b:1", "has no host"),
            ("n1=a_b:1", "has no host"),
            ("n1=a..b:1", "has no host"),
            ("n1=-a:1", "has no host"),
            ("n1=fd00::3:1", "has no host"),
            ("n1=[fd00::x]:1", "has no host"),
            ("n1=[10.0.0.1]:1", "has no host"),
            ("n1=0.0.0.0:1", "can dial"),
            ("n1=[::]:1", "can dial"),
        ]
    )
    func refused(_ text: String, _ reason: String) {
        let error = #expect(throws: BootstrapError.self) { try MemberList.parse(text) }
        #expect("\(error, default: "nothing")".contains(reason))
    }

    @Test("a cluster begins with at most nine nodes")
    func count() throws {
        let list = { (count: Int) in
            (1...count).map { "n\($0)=host-\($0):1" }.joined(separator: ",")
        }
        let most = MemberList.foundersMax
        #expect(try MemberList.parse(list(most), countMax: most).count == 9)
        #expect(throws: BootstrapError.members(reason: "10 members; at most 9 are possible")) {
            try MemberList.parse(list(most + 1), countMax: most)
        }
    }

    @Test("one listens everywhere in the family of the address")
    func anywhere() throws {
        #expect(try HostPort("10.0.0.1:7701").anywhere == "0.0.0.0:7701")
        #expect(try HostPort("a.example:7701").anywhere == "0.0.0.0:7701")
        #expect(try HostPort("[fd00::3]:7701").anywhere == "[::]:7701")
        #expect(try HostPort("0.0.0.0:1", isListening: true).text == "0.0.0.0:1")
    }

    @Test("a cluster is named by a UUID, in lower case")
    func clusterID() throws {
        let upper = Sample.clusterID.uppercased()
        #expect(try ClusterIdentity.validated(clusterID: upper) == Sample.clusterID)
        #expect(throws: BootstrapError.clusterID("x")) {
            try ClusterIdentity.validated(clusterID: "x")
        }
        let drawn = ClusterIdentity.newClusterID()
        #expect(try ClusterIdentity.validated(clusterID: drawn) == drawn)
        #expect(ClusterIdentity.newClusterID() != drawn)
    }
}
