// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing

/// A mount for programs that only read, beside an ordinary one of the same node.
@Suite(.serialized) struct ReadOnlyTests {
    private let node: MountedNode
    private var view: String { node.directory("read-only") }

    init() throws {
        node = try MountedNode(kinds: ["read-only"])
        try node.load([
            Line.session("s1"), Line.session("s2"), Line.user("alice"), Line.group("oncall"),
            Line.directoryUser("alice", groups: ["oncall"]),
        ])
        // Names and files changed in the last second are not cached yet.
        usleep(1_200_000)
    }

    /// Runs a command in the read-only mount and expects success.
    @discardableResult
    private func sh(_ command: String) throws -> String {
        try Shell.check("cd \(view) && \(command)")
    }

    private func attempt(_ command: String) -> Shell.Result {
        Shell.run("cd \(view) && \(command)")
    }

    /// All requests of the kernel that reached the node through the mount.
    private func requests() throws -> Int {
        try #require(try MountReport.all(of: node).first { $0.kind == "read-only" }).requests
    }

    /// Runs the command until it reaches the node no more.
    private func warm(_ command: String) throws {
        // What changed a moment ago is not kept for a second.
        for _ in 0..<50 {
            let before = try requests()
            try sh(command)
            if try requests() == before { return }
            usleep(100_000)
        }
        Issue.record("\(command) still reaches the node")
    }

    @Test("a warm file is opened, read and closed without one request")
    func noRequests() throws {
        try warm("cat sessions/s1 users/alice/name groups/oncall/members users/alice/sessions/s2")
        try warm("grep -qxF -- alice groups/oncall/members")
        #expect(try MountReport.all(of: node).map(\.openHandles) == [0, 0])
    }

    @Test("every change is refused with EROFS, and no mode has a write bit")
    func refusals() throws {
        let changes = [
            "rm sessions/s1", "rmdir users/alice/sessions", "mkdir groups/new",
            "sh -c 'echo x >> groups/oncall/members'", "sh -c 'echo {} > sessions/s9'",
            "mv sessions/s1 sessions/s3", "chmod 600 sessions/s1", "truncate -s 0 sessions/s1",
            "touch sessions/s1", "ln -s a b", "mkfifo p", "setfattr -n user.x -v 1 sessions/s1",
        ]
        for change in changes {
            #expect(attempt(change).output.contains("Read-only file system"), "\(change)")
        }
        let modes = try sh("find . ! -type l -printf '%m %p\\n'")
        #expect(modes.contains("440 ./sessions/s1\n"))
        for line in modes.split(separator: "\n") {
            let mode = try #require(Int(line.prefix { $0 != " " }, radix: 8))
            #expect(mode & 0o222 == 0, "\(line)")
        }
        #expect(try Shell.check("grep ' \(view) ' /proc/mounts").contains(" ro,"))
    }

    @Test("remounted for writing, it is the node that refuses")
    func remounted() throws {
        try Shell.check("mount -i -o remount,rw \(view)")
        for change in [
            "rm sessions/s1", "rmdir users/alice/sessions", "mkdir groups/new",
            "bash -c 'echo bob >> groups/oncall/members'", "chmod 600 sessions/s1",
        ] {
            #expect(attempt(change).output.contains("Read-only file system"), "\(change)")
        }
        #expect(try node.sh("cat groups/oncall/members") == "alice\n")
    }

    @Test(
        "a revocation reaches warm pages, names and open files at once",
        arguments: ["command", "mount", "directory"]
    )
    func revocation(_ way: String) throws {
        try warm("cat sessions/s1 users/alice/sessions/s1 sessions/s2")
        let revoke =
            switch way {
            case "command": "\(node.cli("revoke session:s1")) >/dev/null"
            case "mount": "rm \(node.mount)/sessions/s1"
            default: "rmdir \(node.mount)/users/alice/sessions"
            }
        let result = attempt(
            """
            exec 7<sessions/s1; head -c 5 <&7 >/dev/null
            cat sessions/s1 >/dev/null || exit 9
            \(revoke) || exit 8
            cat <&7; exec 8</proc/self/fd/7; cat <&8; cat sessions/s1 users/alice/sessions/s1
            """
        )
        #expect(result.status == 1)
        #expect(!result.output.contains("alice\""), "old bytes: \(result.output)")
        #expect(result.output.contains("Key has been revoked"), "\(result.output)")
        #expect(attempt("test -e sessions/s1").status == 1)
    }

    @Test("new content shows at once, with its size, through names and open files")
    func content() throws {
        let files = "users/alice/name groups/oncall/members groups/oncall/count sessions/s1"
        try warm("cat \(files); stat -c %s \(files)")
        for name in ["clara", "Alice Bradley", "Al"] {
            try node.load([
                Line.user("alice").replacingOccurrences(
                    of: "\"name\":\"alice\"",
                    with: "\"name\":\"\(name)\""
                ),
                Line.directoryUser(name.filter { $0 != " " }, groups: ["oncall"]),
            ])
            #expect(try sh("cat users/alice/name") == name + "\n")
            #expect(try sh("stat -c %s users/alice/name").trimmed == "\(name.utf8.count + 1)")
            #expect(
                try sh("cat groups/oncall/members") == node.sh("cat groups/oncall/members")
            )
        }
        #expect(try sh("cat groups/oncall/count") == "4\n")
        try node.load([Line.session("s1", user: "somebody-else")])
        #expect(try sh("cat sessions/s1").contains("somebody-else"))
    }

    @Test("files that change by themselves are never served from old pages")
    func volatileFiles() throws {
        for number in 0..<30 {
            let before = try sh("cat cluster/applied cluster/applied")
            #expect(Set(before.split(separator: "\n")).count == 1)
            try node.load([Line.session("v\(number)")])
            let after = try sh("cat cluster/applied").trimmed
            #expect(try #require(Int(after)) > #require(Int(before.prefix { $0 != "\n" })))
            #expect(try sh("tail -n 1 events/all.jsonl").contains("\"v\(number)\""))
        }
    }

    @Test("while they change, every read of them is one value, and none goes back")
    func volatileReads() throws {
        let writer = Process()
        writer.executableURL = URL(fileURLWithPath: "/bin/bash")
        let file = "\(node.mount)/groups/oncall/members"
        writer.arguments = ["-c", "while :; do for u in a b; do echo $u > \(file); done; done"]
        try writer.run()
        defer {
            kill(writer.processIdentifier, SIGKILL)
            writer.waitUntilExit()
        }
        let seen = try sh("for i in {1..300}; do cat cluster/applied || exit 1; done")
        let values = try seen.split(separator: "\n").map { try #require(Int($0), "\(seen)") }
        #expect(values.count == 300 && values == values.sorted())
        #expect(Set(values).count > 10)
    }

    @Test("tail -F follows the events")
    func tail() throws {
        let output = node.root + "/tailed"
        let tail = Process()
        tail.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
        tail.arguments = [
            "-s", "KILL", "30", "sh", "-c",
            "exec tail -s 0.1 -n 0 -F \(view)/events/all.jsonl >\(output) 2>&1",
        ]
        try tail.run()
        defer { tail.terminate() }
        var lines: [String] = []
        for number in 0..<100 {
            try node.load([Line.session("t\(number)")])
            lines = try String(contentsOfFile: output, encoding: .utf8)
                .split(separator: "\n").map(String.init)
            if lines.count >= 5 { break }
            usleep(100_000)
        }
        #expect(lines.count >= 5)
        for line in lines {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
            #expect((object as? [String: Any])?["op"] != nil, "\(line)")
        }
    }

    @Test("while content grows and shrinks, a read shows all of one version or fails loudly")
    func torn() throws {
        let names = ["bo", "bobby-with-a-long-name", "b"]
        let writer = Process()
        writer.executableURL = URL(fileURLWithPath: "/bin/bash")
        let changes = names.map { "echo \($0) > \(node.mount)/groups/oncall/members" }
        writer.arguments = ["-c", "while :; do \(changes.joined(separator: "; ")); done"]
        try writer.run()
        defer {
            kill(writer.processIdentifier, SIGKILL)
            writer.waitUntilExit()
        }
        // Two readers, because the answers to one may be about what the other was told.
        let read = "for i in {1..5000}; do echo \"[$(<groups/oncall/members)]\"; done"
        let seen = try sh("(\(read) & \(read); wait) 2>&1 | sort | uniq -c")
        let shown = seen.split(separator: "\n").map { String($0.drop { $0 == " " || $0.isNumber }) }
        for name in names { #expect(shown.contains("[\(name)]"), "\(seen)") }
        // Nothing at all is how bash shows a read that fails; an open may fail as well.
        for line in shown where !line.hasSuffix("Stale file handle") {
            #expect((names + ["alice", ""]).contains { line == "[\($0)]" }, "\(seen)")
        }
    }

    @Test("a long file that changes while it is read is read to its end as it was")
    func longFile() throws {
        // Long names rather than many: applying them has to fit into the deadline of a debug build.
        let shift = String(repeating: "-of-the-old-shift", count: 8)
        let users = (0..<2000).map { "user-\($0)\(shift)" }.sorted()
        let file = node.root + "/members"
        try users.map { $0 + "\n" }.joined().write(toFile: file, atomically: true, encoding: .utf8)
        try node.sh("cat \(file) > groups/oncall/members")
        let result = attempt(
            """
            exec 7<groups/oncall/members; head -c 1 <&7 >\(file).got
            echo nobody > \(node.mount)/groups/oncall/members
            cat groups/oncall/members; cat <&7 >>\(file).got; cmp \(file).got \(file) && echo same
            """
        )
        #expect(result.output == "nobody\nsame\n")
    }
}

/// What `status --json` says of the mounts.
struct MountReport: Decodable {
    var directory: String
    var kind: String
    var requests: Int
    var openHandles: Int
    var inodes: Int

    static func all(of node: MountedNode) throws -> [MountReport] {
        struct Answer: Decodable { var mounts: [MountReport] }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let json = try Shell.check(node.cli("status --json"))
        return try decoder.decode(Answer.self, from: Data(json.utf8)).mounts
    }
}
