// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing

/// `brokerfs doctor --mount`.
@Suite(.serialized) struct DoctorTests {
    private func doctor(_ node: MountedNode, _ arguments: String = "") -> Shell.Result {
        Shell.run(node.cli("doctor --mount \(node.mount) \(arguments)"), seconds: 20)
    }

    private func isMounted(_ node: MountedNode) -> Bool {
        Shell.run("grep -q ' \(node.mount) ' /proc/self/mountinfo").status == 0
    }

    @Test("a healthy mount answers, and --fix leaves it alone")
    func healthy() throws {
        let node = try MountedNode()
        for arguments in ["", "--fix"] {
            let result = doctor(node, arguments)
            #expect(result.status == 0)
            #expect(result.output.contains("answers"))
        }
        try node.sh("cat README >/dev/null")
    }

    @Test("a dead mount is named and cleared")
    func dead() throws {
        let node = try MountedNode()
        node.kill()
        let found = doctor(node)
        #expect(found.status == 1)
        #expect(found.output.contains("dead: its daemon is gone"))
        #expect(isMounted(node))
        #expect(doctor(node, "--fix").status == 0)
        #expect(!isMounted(node))
        #expect(doctor(node).status == 2)
        try node.start()
    }

    @Test("a hung mount is named with what waits; --fix ends the wait and touches no other mount")
    func hung() throws {
        let control = "/sys/fs/fuse/connections"
        try Shell.check("mountpoint -q \(control) || mount -t fusectl none \(control)")
        let node = try MountedNode()
        let other = try MountedNode()
        node.stop()
        let client = Process()
        client.executableURL = URL(fileURLWithPath: "/usr/bin/stat")
        client.arguments = ["-f", node.mount]
        client.standardError = FileHandle.nullDevice
        try client.run()
        struct Report: Decodable {
            var state: String
            var waiting: Int
        }
        var report = Report(state: "", waiting: 0)
        for _ in 0..<10 where report.waiting == 0 {
            let found = doctor(node, "--json")
            #expect(found.status == 1)
            report = try JSONDecoder().decode(Report.self, from: Data(found.output.utf8))
            #expect(report.state == "hung")
        }
        #expect(report.waiting >= 1)
        #expect(isMounted(node) && client.isRunning)
        #expect(doctor(node, "--fix").status == 0)
        #expect(!isMounted(node))
        client.waitUntilExit()
        #expect(client.terminationStatus != 0)
        try other.sh("cat README >/dev/null")
        Glibc.kill(node.pid, SIGCONT)
        #expect(node.terminate().status == 0)
    }

    @Test("who is not allowed in cannot tell")
    func denied() throws {
        let node = try MountedNode(kinds: ["reveal"])
        let user = "setpriv --reuid nobody --regid nogroup --clear-groups"
        let doctor = "\(MountedNode.binary) doctor --mount \(node.directory("reveal"))"
        #expect(Shell.run(doctor).status == 0)
        let result = Shell.run("\(user) \(doctor)")
        #expect(result.status == 2)
        #expect(result.output.contains("Permission denied"))
    }

    @Test("what is no brokerfs mount is never touched")
    func foreign() throws {
        let root = try MountedNode.temporaryDirectory()
        try Shell.check("mount -t tmpfs none \(root) && mkdir \(root)/plain")
        defer { _ = Shell.run("umount \(root); rmdir \(root)") }
        let doctor = "\(MountedNode.binary) doctor --fix --mount"
        #expect(Shell.run("\(doctor) \(root)").status == 5)
        #expect(Shell.run("\(doctor) \(root)/plain").status == 2)
        #expect(Shell.run("\(doctor) \(root)/nowhere").status == 6)
        #expect(Shell.run("\(MountedNode.binary) doctor --fix").status == 1)
        try Shell.check("mountpoint -q \(root)")
    }
}
