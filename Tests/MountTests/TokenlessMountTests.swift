// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Which mount of several `export` and `path` take.
@Suite(.serialized) struct TokenlessMountTests {
    /// Takes one mount off, and waits until the node has noticed.
    private func unmount(_ directory: String, of node: MountedNode) throws {
        let count = try MountReport.all(of: node).count
        try Shell.check("umount \(directory)")
        for _ in 0..<200 {
            if try MountReport.all(of: node).count < count { return }
            usleep(20_000)
        }
    }

    @Test("never one that reveals tokens, though it be the first or the only one")
    func hidden() throws {
        let node = try MountedNode(kinds: ["reveal", "read-only"])
        try node.load([Line.session("s1")])
        try unmount(node.mount, of: node)
        #expect(try MountReport.all(of: node).map(\.kind) == ["reveal", "read-only"])
        let copies = node.root + "/copies"
        let export = node.cli("export --once --to \(copies) --include sessions")
        try Shell.check(export)
        let copy = try Shell.check("cat \(copies)/current/sessions/s1")
        #expect(copy.contains("[hidden") && !copy.contains("secret-s1"), "\(copy)")
        let shown = node.directory("read-only") + "/sessions/s1\n"
        #expect(try Shell.check(node.cli("path session s1")) == shown)
        try unmount(node.directory("read-only"), of: node)
        #expect(try MountReport.all(of: node).map(\.kind) == ["reveal"])
        let refused = Shell.run(export)
        #expect(refused.status == 2, "\(refused)")
        #expect(refused.output.contains("no mount that hides tokens"), "\(refused)")
        #expect(try Shell.check("cat \(copies)/current/sessions/s1") == copy)
        #expect(try Shell.check(node.cli("path session s1")) == "sessions/s1\n")
        #expect(Shell.run(node.cli("doctor")).output.contains(node.directory("reveal")))
    }
}
