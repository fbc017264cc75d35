// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Changes made behind the kernel's back are seen through the mount at once.
///
/// Every test warms the cache first, and shows that it is warm: a second round of the same
/// requests does not reach the node.
@Suite(.serialized) struct CacheTests {
    private let node: MountedNode

    init() throws {
        node = try MountedNode()
        try node.load([
            Line.session("s1"), Line.session("s2"), Line.user("alice"), Line.group("oncall"),
            Line.directoryUser("alice", groups: ["oncall"]),
        ])
        // Names and files changed in the last second are not cached yet.
        usleep(1_200_000)
    }

    /// Runs the command until its requests no longer reach the node.
    ///
    /// The sessions of a group are derived from its members and never cached.
    private func warm(_ command: String) throws {
        for _ in 0..<3 { _ = node.attempt(command) }
        guard !command.contains("groups/oncall/sessions") else { return }
        let before = try requests()
        _ = node.attempt(command)
        let after = try requests()
        // Opening and closing reach the node by design; names, attributes and pages do not.
        #expect(after - before == 0, "the cache is not warm for: \(command)")
    }

    /// Requests for names, attributes, listings and pages that reached the node.
    private func requests() throws -> Int {
        let json = try Shell.check(node.cli("status --json"))
        let object = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        return try #require(object?["cacheable_requests"] as? Int)
    }

    @Test("new content of a cached file")
    func content() throws {
        try warm("cat users/alice/name; stat users/alice/name")
        try node.load([
            Line.user("alice").replacingOccurrences(
                of: "\"name\":\"alice\"",
                with: "\"name\":\"Alice B\""
            )
        ])
        #expect(try node.sh("cat users/alice/name") == "Alice B\n")
    }

    @Test("new content of a cached file of the same size")
    func sameSize() throws {
        try warm("cat users/alice/name")
        try node.load([
            Line.user("alice").replacingOccurrences(
                of: "\"name\":\"alice\"",
                with: "\"name\":\"clara\""
            )
        ])
        #expect(try node.sh("cat users/alice/name") == "clara\n")
    }

    @Test("a revoked session is gone under each of its cached names")
    func deletion() throws {
        let names = [
            "sessions/s1", "users/alice/sessions/s1", "groups/oncall/sessions/s1",
        ]
        for name in names { try warm("cat \(name); stat \(name)") }
        try Shell.check(node.cli("revoke session:s1"))
        for name in names {
            #expect(node.attempt("cat \(name)").status != 0, "\(name) is still readable")
            #expect(node.attempt("stat \(name)").status != 0, "\(name) is still there")
        }
    }

    @Test("a name that was missing and is there now")
    func creationAfterMiss() throws {
        let names = [
            "sessions/s9", "users/alice/sessions/s9", "groups/oncall/sessions/s9", "users/zoe",
            "groups/new", "context/device",
        ]
        for name in names { try warm("stat \(name) 2>&1") }
        try node.load([
            Line.session("s9"), Line.user("zoe"), Line.group("new"),
            #"{"type":"context","id":"device/laptop","data":{"text":"ok"}}"#,
        ])
        for name in names {
            #expect(node.attempt("stat \(name)").status == 0, "\(name) is missing")
        }
    }

    @Test("a cached listing shows what came and went")
    func listing() throws {
        for directory in ["sessions", "users/alice/sessions", "groups/oncall/sessions", "users"] {
            try warm("ls \(directory)")
        }
        try node.load([Line.session("s3"), Line.user("zoe")])
        try Shell.check(node.cli("revoke session:s1"))
        #expect(try node.sh("ls sessions") == "s2\ns3\n")
        #expect(try node.sh("ls users/alice/sessions") == "s2\ns3\n")
        #expect(try node.sh("ls groups/oncall/sessions") == "s2\ns3\n")
        #expect(try node.sh("ls users") == "alice\nzoe\n")
    }

    @Test("a membership change is seen in every file it shows in")
    func membership() throws {
        try warm(
            """
            cd groups/oncall && cat members count ../../users/alice/groups && ls members.d
            """
        )
        try node.load([
            Line.directoryUser("bob", groups: ["oncall"]), Line.directoryUser("alice", groups: []),
        ])
        #expect(try node.sh("cat groups/oncall/members") == "bob\n")
        #expect(try node.sh("cat groups/oncall/count") == "1\n")
        #expect(try node.sh("ls groups/oncall/members.d") == "bob\n")
        #expect(try node.sh("cat users/alice/groups") == "")
        #expect(node.attempt("[ -L groups/oncall/members.d/alice ]").status == 1)
    }

    @Test("an open file of a revoked session cannot be read any more, its old bytes neither")
    func openFile() throws {
        let result = node.attempt(
            """
            exec 7<sessions/s1; head -c 5 <&7 >/dev/null
            \(node.cli("revoke session:s1")) >/dev/null
            exec 8</proc/self/fd/7; cat <&8; cat <&7
            """
        )
        #expect(result.status != 0)
        #expect(!result.output.contains("alice"))
        #expect(result.output.contains("Key has been revoked"))
    }
}
