// SPDX-License-Identifier: Apache-2.0

import Cluster
import Foundation
import FuseMount
import Identity
import Testing

@testable import brokerfs

/// The configuration of a member of a group, read in this process.
struct ClusterSettingsTests {
    private static let cluster = """
        cluster:
          id: 0e3d1c5a-8a55-4b3e-9d59-0a2f3f1c7b11
          listen: "0.0.0.0:7701"
          members: n1=10.0.0.1:7701,n2=b.example.com:7701,n3=[fd00::3]:7701
          tls: {ca: ca.pem, certificate: node.pem, key: /etc/keys/node.key}
          founding: founding

        """
    private static let whole = "node: n1\ndata: data\nmount: mnt\n" + cluster

    private func load(
        _ text: String,
        environment: [String: String] = [:]
    ) throws -> Settings {
        let root = try MountedNode.temporaryDirectory()
        defer { _ = Shell.run("rm -rf \(root)") }
        let file = root + "/brokerfs.yaml"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        var settings = try Settings.load(file: file, environment: environment)
        // What is asked about does not depend on where the file was.
        let folder = { (path: String) in path.replacingOccurrences(of: root, with: "FOLDER") }
        settings.data = folder(settings.data)
        for index in settings.mounts.indices {
            settings.mounts[index].directory = folder(settings.mounts[index].directory)
        }
        if var cluster = settings.cluster {
            cluster.authorityPath = folder(cluster.authorityPath)
            cluster.foundingPath = cluster.foundingPath.map(folder)
            settings.cluster = cluster
        }
        return settings
    }

    private func refusal(_ text: String, environment: [String: String] = [:]) -> String {
        do {
            _ = try load(text, environment: environment)
            return ""
        } catch let failure as Failure {
            return failure.message
        } catch {
            return "\(error)"
        }
    }

    @Test("short forms, defaults, and paths that are seen from the folder of the file")
    func defaults() throws {
        let settings = try load(Self.whole)
        let cluster = try #require(settings.cluster)
        #expect(settings.name == "n1")
        #expect(settings.data == "FOLDER/data")
        #expect(settings.mounts.map(\.directory) == ["FOLDER/mnt"])
        #expect(settings.mounts[0].isMadeWhenMissing)
        #expect(cluster.authorityPath == "FOLDER/ca.pem")
        #expect(cluster.keyPath == "/etc/keys/node.key")
        #expect(cluster.foundingPath == "FOLDER/founding")
        #expect(cluster.members.map(\.name) == ["n1", "n2", "n3"])
        #expect(cluster.electionTimeoutMilliseconds == 300)
        #expect(cluster.heartbeatMilliseconds == 50)
        #expect(cluster.stalenessMaxMilliseconds == 1000)
        #expect(cluster.followerWrites == .refuse)
    }

    @Test("what bootstrap writes is a good configuration")
    func bootstrapped() throws {
        let root = try MountedNode.temporaryDirectory()
        defer { _ = Shell.run("rm -rf \(root)") }
        let members = try MemberList.parse("n1=10.0.0.1:7701,n2=[fd00::2]:7702")
        let id = ClusterIdentity.newClusterID()
        for admits in [true, false] {
            let folders = try ClusterFolders(
                clusterID: id,
                members: members,
                nodesAdmit: admits,
                now: Timestamp(seconds: 1_795_000_000)
            )
            let directory = "\(root)/\(admits)"
            try folders.write(to: directory)
            let settings = try Settings.load(
                file: directory + "/n2/brokerfs.yaml",
                environment: [:]
            )
            let cluster = try #require(settings.cluster)
            #expect(settings.name == "n2")
            #expect(settings.data == directory + "/n2/data")
            #expect(cluster.id == id)
            #expect(cluster.listen == "[::]:7702")
            #expect(cluster.members == members)
            #expect((cluster.authorityKeyPath != nil) == admits)
            let start = try #require(try ClusterStart(settings))
            #expect(start.founding.identity.name == "n2")
        }
    }

    @Test("without cluster keys everything is as it was: relative to where one is, on its own")
    func alone() throws {
        let settings = try load("data: data\nmount: {directory: mnt}\nnode: {name: a}\n")
        #expect(settings.cluster == nil)
        #expect(settings.name == "a")
        #expect(settings.data == "data")
        #expect(settings.mounts.map(\.directory) == ["mnt"])
        #expect(!settings.mounts[0].isMadeWhenMissing)
    }

    @Test("the environment goes over the file, in either form")
    func environment() throws {
        let settings = try load(
            Self.whole,
            environment: [
                "BROKERFS_DATA": "/d", "BROKERFS_MOUNT_DIRECTORY": "m",
                "BROKERFS_CLUSTER_ELECTION_TIMEOUT_MS": "400",
                "BROKERFS_CLUSTER_TLS_CA": "ca2.pem",
                "BROKERFS_CLUSTER_FOLLOWER_WRITES": "revocations",
            ]
        )
        #expect(settings.data == "/d")
        #expect(settings.mounts[0].directory == "m")
        #expect(!settings.mounts[0].isMadeWhenMissing)
        #expect(settings.cluster?.electionTimeoutMilliseconds == 400)
        #expect(settings.cluster?.authorityPath == "ca2.pem")
        #expect(settings.cluster?.followerWrites == .revocations)
        let short = ["BROKERFS_MOUNT": "/m", "BROKERFS_NODE": "n2"]
        #expect(try load(Self.whole, environment: short).mounts[0].directory == "/m")
        #expect(try load(Self.whole, environment: short).name == "n2")
        let half = refusal("data: /d\n", environment: ["BROKERFS_CLUSTER_LISTEN": "0.0.0.0:1"])
        #expect(half.contains("cluster.id"))
    }

    @Test(
        "half a section says all that is missing",
        arguments: [
            (
                "cluster: {id: 0e3d1c5a-8a55-4b3e-9d59-0a2f3f1c7b11}",
                [
                    "cluster.listen", "cluster.members", "cluster.tls.ca",
                    "cluster.tls.certificate",
                    "cluster.tls.key", "node",
                ]
            ),
            ("node: n1\ncluster: {heartbeat_ms: 50}", ["cluster.id", "cluster.tls.key"]),
            (cluster, ["node"]),
        ]
    )
    func half(_ text: String, _ missing: [String]) {
        let message = refusal(text)
        #expect(message.contains("not complete"))
        for key in missing { #expect(message.contains(key), "\(message)") }
    }

    @Test(
        "a bad value is refused, and says which",
        arguments: [
            ("  electon_timeout_ms: 300", "did you mean cluster.election_timeout_ms?"),
            ("  tls.c: x", "did you mean cluster.tls.ca?"),
            (
                "  election_timeout_ms: 40",
                "cluster.election_timeout_ms: 40 is not a number from 50"
            ),
            ("  election_timeout_ms: 305", "no multiple of 10"),
            ("  heartbeat_ms: 70", "more than a fifth of cluster.election_timeout_ms"),
            ("  heartbeat_ms: soon", "cluster.heartbeat_ms: soon is not a number"),
            ("  max_staleness_ms: 599", "less than twice cluster.election_timeout_ms"),
            ("  follower_writes: some", "refuse, revocations, all"),
        ]
    )
    func bad(_ line: String, _ reason: String) {
        let message = refusal(Self.whole + line + "\n")
        #expect(message.contains(reason), "\(message)")
    }

    @Test("bounds themselves are good values")
    func bounds() throws {
        let lines = "  election_timeout_ms: 250\n  heartbeat_ms: 50\n  max_staleness_ms: 500\n"
        #expect(try load(Self.whole + lines).cluster?.stalenessMaxMilliseconds == 500)
    }

    @Test(
        "an id, address or list that is none is refused",
        arguments: [
            ("id: 0e3d1c5a-8a55-4b3e-9d59-0a2f3f1c7b11", "id: 17", "cluster.id"),
            ("listen: \"0.0.0.0:7701\"", "listen: everywhere", "cluster.listen"),
            ("n3=[fd00::3]:7701", "n2=[fd00::3]:7701", "cluster.members"),
            ("node: n1", "node: n4", "n4, is not one of n1, n2, n3"),
        ]
    )
    func replaced(_ part: String, _ other: String, _ reason: String) {
        let message = refusal(Self.whole.replacingOccurrences(of: part, with: other))
        #expect(message.contains(reason), "\(message)")
    }
}
