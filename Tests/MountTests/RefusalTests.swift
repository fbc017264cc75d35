// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Input that must be refused, clearly, with nothing lost (PRODUCT section 6).
@Suite(.serialized) struct RefusalTests {
    private let node: MountedNode

    init() throws {
        node = try MountedNode()
        try node.load([Line.session("s1"), Line.group("oncall")])
    }

    /// The write fails with this message, and the session is what it was.
    private func expectRefused(_ document: String, _ message: String, id: String = "s1") throws {
        let before = try node.sh("cat sessions/s1; ls sessions")
        let file = node.root + "/document"
        try document.write(toFile: file, atomically: true, encoding: .utf8)
        let result = node.attempt("cp \(file) sessions/\(id)")
        #expect(result.status != 0)
        #expect(result.output.contains(message), "\(result.output)")
        #expect(try node.sh("cat sessions/s1; ls sessions") == before)
    }

    @Test("bad JSON") func badJSON() throws {
        try expectRefused("{\"user_id\":", "Invalid argument")
    }

    @Test("an empty document") func empty() throws { try expectRefused("", "Invalid argument") }

    @Test("an unknown field") func unknownField() throws {
        try expectRefused(#"{"user_id":"alice","usr":"x"}"#, "Invalid argument")
    }

    @Test("a document that names another id") func otherID() throws {
        try expectRefused(#"{"id":"s2","user_id":"alice"}"#, "Invalid argument")
    }

    @Test("a record over 1 MiB") func tooLarge() throws {
        let filler = String(repeating: "x", count: 1 << 20)
        try expectRefused(#"{"user_id":"alice","idp_id":"\#(filler)"}"#, "File too large")
    }

    @Test("an expired session on create") func expired() throws {
        let document = #"{"user_id":"alice","expires_at":"2001-01-01T00:00:00Z"}"#
        try expectRefused(document, "Invalid argument", id: "s7")
    }

    @Test("a shell that writes a bad document is told by the write itself")
    func failsInWrite() throws {
        let result = node.attempt("echo nonsense > sessions/s1")
        #expect(result.status != 0)
        #expect(try node.sh("cat sessions/s1").contains("alice"))
    }

    @Test("ids with a line feed, or over 1024 bytes, in load and in members")
    func badIDs() throws {
        let long = String(repeating: "x", count: 1025)
        let lines = [
            Line.session("a\\nb"), Line.session("a\\u0000b"), Line.session(long),
            Line.session("good"),
            "{", #"{"type":"session","id":"s5","data":{},"extra":1}"#,
        ]
        let file = node.root + "/bad.jsonl"
        try lines.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
        let result = Shell.run(node.cli("load \(file)"))
        #expect(result.status == 3)
        #expect(result.output.contains("loaded 1 records, refused 5"))
        for line in [1, 2, 3, 5, 6] { #expect(result.output.contains("bad.jsonl:\(line): ")) }
        #expect(try node.sh("ls sessions") == "good\ns1\n")
        #expect(node.attempt("printf '\(long)\\n' >> groups/oncall/members").status != 0)
        #expect(try node.sh("cat groups/oncall/members") == "")
    }

    @Test("a second node on the same data directory")
    func secondNode() throws {
        let other = node.root + "/other"
        let result = Shell.run(
            "mkdir -p \(other) && \(MountedNode.binary) mount \(other) --data \(node.data)"
        )
        #expect(result.status == 1)
        #expect(result.output.contains("in use by another brokerfs process"))
        #expect(try node.sh("ls sessions") == "s1\n")
    }

    @Test("an unknown configuration key names the nearest one")
    func unknownKey() throws {
        let file = node.root + "/config.yaml"
        try "mount:\n  cache_second: 5\n".write(toFile: file, atomically: true, encoding: .utf8)
        let result = Shell.run("\(MountedNode.binary) serve --config \(file)")
        #expect(result.status == 1)
        #expect(
            result.output.contains(
                "unknown key mount.cache_second; did you mean mount.cache_seconds?"
            )
        )
    }

    @Test("a corrupt log or state refuses to start, and names the file")
    func corrupt() throws {
        try node.load((0..<200).map { Line.session("x\($0)") })
        node.kill()
        try Shell.check(
            """
            fusermount3 -uz \(node.mount) || true
            file=$(ls \(node.data)/log/* | head -n 1)
            printf '\\xff' | dd of=$file bs=1 seek=4200 conv=notrunc status=none
            """
        )
        let result = Shell.run("\(MountedNode.binary) mount \(node.mount) --data \(node.data)")
        #expect(result.status == 1)
        #expect(result.output.contains("the log is damaged: \(node.data)/log/"))
    }

    @Test("a full disk: writes say so, reads go on, revocations work, space brings it back")
    func fullDisk() throws {
        let disk = try MountedNode.temporaryDirectory()
        try Shell.check("mount -t tmpfs -o size=160m tmpfs \(disk)")
        defer { _ = Shell.run("umount -l \(disk); rmdir \(disk)") }
        let full = try MountedNode(dataOn: disk)
        defer { full.kill() }
        try full.load([Line.session("s1"), Line.session("s2")])
        _ = Shell.run("head -c 200M /dev/zero > \(disk)/filler")
        usleep(500_000)
        let refused = full.attempt("echo '{\"user_id\":\"alice\"}' > sessions/s3")
        #expect(refused.output.contains("No space left"))
        #expect(try full.sh("cat sessions/s1").contains("alice"))
        #expect(Shell.run(full.cli("doctor")).output.contains("the disk is full"))
        try full.sh("rm sessions/s2")
        try Shell.check("rm \(disk)/filler")
        usleep(500_000)
        try full.sh("echo '{\"user_id\":\"alice\"}' > sessions/s3")
        #expect(try full.sh("ls sessions") == "s1\ns3\n")
    }
}
