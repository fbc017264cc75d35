// SPDX-License-Identifier: Apache-2.0

import AdminSocket
import FSMap
import Foundation
import GroupHarness
import Identity
import Logging
import Node
import Raft
import Testing

/// The commands against three nodes of this process, each behind its socket.
@Suite(.serialized) struct GroupCommandTests {
    private final class Group {
        let group: MemoryGroup
        private var servers: [AdminServer] = []

        init() throws {
            group = try MemoryGroup()
            let log = Logger(label: "admin") { _ in SwiftLogNoOpLogHandler() }
            for member in group.nodes.keys.sorted() {
                guard let node = group.nodes[member] else { continue }
                servers.append(
                    try AdminServer(
                        node,
                        path: AdminServer.path(inData: data(member)),
                        status: AdminStatus(version: "test", mounts: { [] }),
                        log: log
                    )
                )
            }
        }

        func data(_ member: MemberID) -> String { group.directory + "/n\(member)" }

        func end() {
            for server in servers { server.close() }
            group.end()
        }

        func run(_ member: MemberID, _ arguments: String) -> Shell.Result {
            Shell.run("BROKERFS_DATA=\(data(member)) \(MountedNode.binary) \(arguments)")
        }

        func leader() throws -> MemberID {
            try #require(group.leader()).configuration.member
        }

        func follower() throws -> MemberID {
            let leader = try leader()
            return try #require(group.nodes.keys.sorted().first { $0 != leader })
        }

        /// Waits until every member has heard of every other, which is asked twice a second.
        func settle() throws {
            let isSettled = group.holds {
                group.nodes.values.allSatisfy { node in
                    node.cluster.nodes.count >= 3
                        && node.cluster.nodes.allSatisfy { $0.state == "ok" }
                }
            }
            #expect(isSettled)
        }
    }

    @Test("any node loads, revokes and says where the revocation has arrived")
    func revoke() throws {
        let group = try Group()
        defer { group.end() }
        let follower = try group.follower()
        let file = group.group.directory + "/load.jsonl"
        try (Line.session("s1") + "\n" + Line.session("s2") + "\n").write(
            toFile: file,
            atomically: true,
            encoding: .utf8
        )
        let loaded = group.run(follower, "load \(file)")
        #expect(loaded.output == "loaded 2 records\n")
        let all = group.run(follower, "revoke session:s1 --wait all")
        #expect(all.status == 0, "\(all.output)")
        let lines = all.output.split(separator: "\n")
        #expect(lines.count == 5)
        #expect(lines.first == "session:s1: revoked 1, version 3")
        for (line, name) in zip(lines.dropFirst(2), ["n1", "n2", "n3"]) {
            #expect(line.hasPrefix("\(name)  applied ") && line.contains("  forgotten "))
        }
        let json = group.run(follower, "revoke session:s2 --wait all --json")
        let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8))
        let report = try #require(object as? [String: Any])
        #expect((report["nodes"] as? [[String: Any]])?.count == 3)
        #expect(report["max_staleness_ms"] as? Int == 1000)
        #expect((report["index"] as? Int ?? 0) > 0)
    }

    @Test("a node that is cut off is named, and the exit code says partly")
    func partly() throws {
        let group = try Group()
        defer { group.end() }
        try group.settle()
        let leader = try group.leader()
        let file = group.group.directory + "/load.jsonl"
        try (Line.session("s1") + "\n").write(toFile: file, atomically: true, encoding: .utf8)
        #expect(group.run(leader, "load \(file)").output == "loaded 1 records\n")
        let cut = try #require(group.group.nodes.keys.sorted().last { $0 != leader })
        group.group.network.isolate(cut)
        let result = group.run(leader, "revoke user:alice --wait all --timeout 3")
        #expect(result.status == 3, "\(result.output)")
        #expect(result.output.contains("n\(cut)  no answer"))
        #expect(result.output.contains("not on n\(cut) yet"))
    }

    @Test("members, their numbers, and changes with the arithmetic, through a follower")
    func changes() throws {
        let group = try Group()
        defer { group.end() }
        try group.settle()
        let follower = try group.follower()
        let members = group.run(follower, "cluster members")
        #expect(members.output.contains("3 voters, quorum 2: bears the loss of 1"))
        #expect(members.output.contains("n1    1   127.0.0.1:7001"))
        let added = group.run(follower, "cluster add n4=127.0.0.1:7004")
        #expect(added.status == 0, "\(added.output)")
        #expect(added.output.hasPrefix("added n4 as a learner; 3 voters"))
        #expect(group.run(follower, "cluster add n4=127.0.0.1:7005").status == 1)
        let promoted = group.run(follower, "cluster promote n4")
        #expect(promoted.status == 5)
        #expect(promoted.output.contains("n4 does not answer"))
        #expect(group.run(follower, "cluster promote n9").status == 6)
        let nodes = group.run(follower, "nodes --json")
        let list = try JSONSerialization.jsonObject(with: Data(nodes.output.utf8))
        let roles = (list as? [[String: Any]])?.map { $0["role"] as? String }
        #expect(roles?.filter { $0 == "learner" }.count == 1)
        #expect(roles?.filter { $0 == "leader" }.count == 1)
        let removed = group.run(follower, "cluster remove n4")
        #expect(removed.output == "removed n4; 3 voters, quorum 2: bears the loss of 1\n")
        #expect(group.run(follower, "cluster add x=nowhere").status == 1)
    }

    @Test("the leadership is handed to whom one says")
    func transfer() throws {
        let group = try Group()
        defer { group.end() }
        try group.settle()
        let follower = try group.follower()
        let result = group.run(follower, "cluster transfer n\(follower)")
        #expect(result.status == 0)
        #expect(result.output == "n\(follower) leads\n")
        #expect(group.run(follower, "wait --writable").status == 0)
        #expect(group.run(follower, "cluster transfer nobody").status == 6)
    }

    @Test("wait: reached, pending, and nobody there")
    func wait() throws {
        let group = try Group()
        defer { group.end() }
        let follower = try group.follower()
        #expect(group.run(follower, "wait --ready").status == 0)
        #expect(group.run(follower, "wait --applied 1").status == 0)
        let late = group.run(follower, "wait --applied 100000 --timeout 1")
        #expect(late.status == 4, "\(late.output)")
        let pending = group.run(follower, "wait --writable --timeout 1")
        #expect(pending.status == 4)
        #expect(pending.output.contains("leads"))
        #expect(group.run(follower, "wait --timeout 1").status == 1)
        #expect(group.run(follower, "wait --ready --writable").status == 1)
        #expect(group.run(MemberID(9), "wait --ready --timeout 0").status == 2)
    }
}
