// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `load` where its input cannot be read to the end.
@Suite struct LoadTests {
    @Test("a directory is no empty file")
    func directory() throws {
        let node = try MountedNode()
        let result = Shell.run(node.cli("load \(node.root)"))
        #expect(result.status == 1, "\(result)")
        #expect(result.output.contains("\(node.root): Is a directory"), "\(result)")
    }

    /// A terminal whose other end is closed gives what was written to it, and then EIO.
    private static let failing = """
        import os, subprocess, sys, tty
        reading, writing = os.openpty()
        tty.setraw(writing)
        os.write(writing, sys.argv[1].encode())
        os.close(writing)
        sys.exit(subprocess.run(sys.argv[2:], stdin=reading).returncode)
        """

    @Test("an error in the middle is not the end: what came before is loaded, the half line not")
    func middle() throws {
        let node = try MountedNode()
        let script = node.root + "/failing.py"
        try Self.failing.write(toFile: script, atomically: true, encoding: .utf8)
        let lines = node.root + "/lines"
        try (Line.user("alice") + "\n" + Line.user("bob").dropLast(1)).write(
            toFile: lines,
            atomically: true,
            encoding: .utf8
        )
        let result = Shell.run(
            "python3 \(script) \"$(cat \(lines))\" env \(node.cli("load -"))"
        )
        #expect(result.status == 3, "\(result)")
        #expect(result.output.contains("loaded 1 records\n"), "\(result)")
        #expect(result.output.contains("-: Input/output error"), "\(result)")
        #expect(try node.sh("ls users") == "alice\n")
    }
}
