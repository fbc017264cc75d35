// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing

/// Several mounts of one process, and the configuration that asks for them.
@Suite(.serialized) struct SeveralMountsTests {
    @Test(
        "status shows each mount with its kind; all go at once, with files open and clients stuck"
    )
    func lifecycle() throws {
        let node = try MountedNode(kinds: ["read-only", "reveal"])
        try node.load([Line.session("s1")])
        #expect(
            try MountReport.all(of: node).map(\.kind) == ["ordinary", "read-only", "reveal"]
        )
        let text = try Shell.check(node.cli("status"))
        #expect(text.contains("\(node.directory("read-only")) (read-only, "))
        let holder = Process()
        holder.executableURL = URL(fileURLWithPath: "/bin/bash")
        let views = [node.mount, node.directory("read-only"), node.directory("reveal")]
        holder.arguments = [
            "-c",
            views.enumerated().map { "exec \(5 + $0)<\($1)/sessions/s1" }
                .joined(separator: "; ") + "; kill -STOP $$",
        ]
        try holder.run()
        usleep(300_000)
        let end = node.terminate()
        kill(holder.processIdentifier, SIGKILL)
        #expect(end.status == 0)
        #expect(end.seconds < 4)
        for view in views { #expect(Shell.run("mountpoint -q \(view)").status != 0) }
    }

    @Test("one mount that fails takes the others off again, and the node ends")
    func allOrNone() throws {
        let root = try MountedNode.temporaryDirectory()
        defer { _ = Shell.run("rm -rf --one-file-system \(root)") }
        try Shell.check("mkdir \(root)/a \(root)/b && touch \(root)/b/in-the-way")
        let file = try write(
            "data: \(root)/data\nmounts:\n- directory: \(root)/a\n- directory: \(root)/b",
            in: root
        )
        let result = Shell.run("\(MountedNode.binary) serve --config \(file)", seconds: 20)
        #expect(result.status == 1)
        #expect(result.output.contains("\(root)/b is not empty"))
        #expect(Shell.run("mountpoint -q \(root)/a").status != 0)
    }

    @Test("unmounting one from outside leaves the others; unmounting all ends the node")
    func oneUnmounted() throws {
        let node = try MountedNode(kinds: ["read-only"])
        try Shell.check("umount \(node.mount)")
        for _ in 0..<100 where try MountReport.all(of: node).count == 2 { usleep(20_000) }
        #expect(try MountReport.all(of: node).map(\.kind) == ["read-only"])
        try Shell.check("test -e \(node.directory("read-only"))/README")
        try Shell.check("umount \(node.directory("read-only"))")
        for _ in 0..<200 where Shell.run("kill -0 \(node.pid)").status == 0 { usleep(50_000) }
        #expect(node.terminate().status == 0)
    }

    @Test(
        "a wrong list is refused, and the nearest key named",
        arguments: [
            ("mounts: [{direktory: /x}]", "did you mean mounts.directory?"),
            ("mounts: [{directory: /x, kind: readonly}]", "ordinary, read-only, reveal"),
            ("mounts: [{kind: reveal}]", "without its directory"),
            ("mounts: [{directory: /x}, {directory: /x}]", "/x is there twice"),
            ("mounts: []", "a list of mounts is expected"),
            ("mounts: [{directory: /x}]\nmount: {directory: /y}", "not both"),
            ("mounts: [{directory: /x}]\nmount: {threads: 2}", "not both"),
            ("mounts: [{directory: /x, threads: many}]", "mounts.threads: many is not a number"),
            ("mount: {directori: /x}", "did you mean mount.directory?"),
            ("data: [a, b]", "data: one value is expected"),
        ]
    )
    func refusedSettings(_ text: String, _ reason: String) throws {
        let root = try MountedNode.temporaryDirectory()
        defer { _ = Shell.run("rm -rf \(root)") }
        let file = try write(text, in: root)
        let result = Shell.run("\(MountedNode.binary) serve --config \(file)", seconds: 20)
        #expect(result.status == 1)
        #expect(result.output.contains(reason), "\(result.output)")
    }

    @Test("a directory by flag or environment beside a list is refused")
    func givenTwice() throws {
        let root = try MountedNode.temporaryDirectory()
        defer { _ = Shell.run("rm -rf \(root)") }
        let file = try write("mounts: [{directory: /x}]", in: root)
        for command in [
            "\(MountedNode.binary) serve --config \(file) --mount /y",
            "BROKERFS_MOUNT_DIRECTORY=/y \(MountedNode.binary) serve --config \(file)",
        ] {
            #expect(Shell.run(command, seconds: 20).output.contains("not both"))
        }
    }

    private func write(_ text: String, in root: String) throws -> String {
        let file = root + "/brokerfs.yaml"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }
}
