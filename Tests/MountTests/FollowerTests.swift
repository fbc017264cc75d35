// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing

/// `exec-on-change` and `export` on a real mount.
@Suite struct FollowerTests {
    /// A command line in the background; killed when the test ends.
    final class Background {
        private let process = Process()

        init(_ command: String) throws {
            process.executableURL = URL(fileURLWithPath: "/bin/bash")
            process.arguments = ["-c", "exec env \(command) >/dev/null 2>&1"]
            process.standardInput = FileHandle.nullDevice
            try process.run()
        }

        deinit {
            if process.isRunning { Glibc.kill(process.processIdentifier, SIGKILL) }
        }

        var isRunning: Bool { process.isRunning }

        func status(after signal: Int32? = nil) -> Int32 {
            if let signal { Glibc.kill(process.processIdentifier, signal) }
            process.waitUntilExit()
            return process.terminationStatus
        }
    }

    private func context(_ id: String, _ text: String) -> String {
        #"{"type":"context","id":"\#(id)","data":{"text":"\#(text)"}}"#
    }

    private func wait(until condition: String) throws {
        try Shell.check("until \(condition); do sleep 0.05; done", seconds: 20)
    }

    @Test("a command runs for a file that appears, changes and goes, and for its directory")
    func runs() throws {
        let node = try MountedNode()
        try node.load([context("src/other", "x")])
        let log = node.root + "/log"
        let command =
            "sh -c 'cat \"$BROKERFS_PATH\" >>\(log) 2>&1 || echo gone >>\(log); echo >>\(log)'"
        let file = try Background(
            node.cli("exec-on-change \(node.mount)/context/src/k -- \(command)")
        )
        let count = node.root + "/count"
        let directory = try Background(
            node.cli("exec-on-change \(node.mount)/context/src -- sh -c 'echo x >>\(count)'")
        )
        usleep(1_500_000)
        #expect(!FileManager.default.fileExists(atPath: log))
        for (number, text) in ["one", "two"].enumerated() {
            try node.load([context("src/k", text)])
            try wait(until: "grep -q \(text) \(log)")
            try wait(until: "[ \"$(wc -l <\(count))\" -gt \(number) ]")
        }
        try node.load([#"{"type":"context","id":"src/k","deleted":true}"#])
        try wait(until: "grep -q gone \(log)")
        // What did not change does not run it.
        let before = try String(contentsOfFile: log, encoding: .utf8)
        try node.load([Line.session("s")])
        usleep(1_500_000)
        #expect(try String(contentsOfFile: log, encoding: .utf8) == before)
        #expect(file.status(after: SIGTERM) == 0 && directory.status(after: SIGINT) == 0)
    }

    @Test("changes during a run are one more run, and a signal reaches the command")
    func coalesces() throws {
        let node = try MountedNode()
        try node.load([context("src/k", "0")])
        let log = node.root + "/log"
        let go = node.root + "/go"
        let script = node.root + "/run.sh"
        try """
        trap 'echo term >>\(log); exit 3' TERM
        echo start >>\(log)
        until [ -e \(go) ]; do sleep 0.05; done
        echo end >>\(log)
        """.write(toFile: script, atomically: true, encoding: .utf8)
        let command = "exec-on-change \(node.mount)/context/src/k -- bash \(script)"
        let background = try Background(node.cli(command))
        usleep(1_500_000)
        try node.load([context("src/k", "1")])
        try wait(until: "grep -q start \(log)")
        for number in 2..<6 { try node.load([context("src/k", "\(number)")]) }
        try Shell.check("touch \(go)")
        try wait(until: "[ \"$(grep -c end \(log))\" = 2 ]")
        usleep(2_000_000)
        try Shell.check("rm \(go)")
        #expect(try String(contentsOfFile: log, encoding: .utf8) == "start\nend\nstart\nend\n")
        try node.load([context("src/k", "9")])
        try wait(until: "[ \"$(grep -c start \(log))\" = 3 ]")
        #expect(background.status(after: SIGTERM) == 0)
        #expect(try String(contentsOfFile: log, encoding: .utf8).hasSuffix("start\nterm\n"))
    }

    @Test("with --once the exit code is the command's")
    func once() throws {
        let node = try MountedNode()
        let prefix = "exec-on-change --once \(node.mount)/context/src/k --"
        for (command, status) in [("sh -c 'exit 7'", 7), ("sh -c 'kill -9 $$'", 137), ("nó", 127)] {
            try node.load([context("src/k", "before \(status)")])
            let background = try Background(node.cli("\(prefix) \(command)"))
            usleep(1_500_000)
            try node.load([context("src/k", "after \(status)")])
            #expect(background.status() == status)
        }
        #expect(Shell.run(node.cli("exec-on-change \(node.mount)")).status == 1)
    }

    @Test("an export is the tree's files, and follows it in one step at a time")
    func files() throws {
        let node = try MountedNode()
        try node.load([
            Line.session("s1"), Line.user("alice"), Line.group("g"), context("a/sessions", "x y"),
            Line.directoryUser("alice", groups: ["g"]),
        ])
        let to = node.root + "/out"
        let export = "export --to \(to) --format files"
        try Shell.check(node.cli(export + " --once"))
        try Shell.check("diff -r \(node.mount)/context \(to)/current/context")
        try Shell.check("diff \(node.mount)/groups/g/members \(to)/current/groups/g/members")
        try Shell.check(
            "cmp \(node.mount)/users/alice/user.json \(to)/current/users/alice/user.json"
        )
        try Shell.check("test -L \(to)/current/groups/g/members.d/alice")
        #expect(Shell.run("find \(to)/ | grep -v context | grep session").output.isEmpty)
        let modes = "stat -c '%a %u %g' context/a/sessions groups/g/members users/alice"
        #expect(
            try Shell.check("cd \(node.mount) && \(modes)")
                == Shell.check("cd \(to)/current && \(modes)")
        )
        let background = try Background(node.cli(export + " --include sessions --include context"))
        try wait(until: "test -e \(to)/current/sessions/s1")
        try node.load([context("a/k2", "new"), Line.session("s2")])
        try wait(until: "cmp \(node.mount)/context/a/k2 \(to)/current/context/a/k2")
        try wait(until: "cmp \(node.mount)/sessions/s2 \(to)/current/sessions/s2")
        try Shell.check(node.cli("revoke session:s1"))
        try wait(until: "[ ! -e \(to)/current/sessions/s1 ]")
        #expect(try Shell.check("ls -A \(to) | wc -l").trimmed == "2")
        #expect(node.terminate().status == 0)
        #expect(background.status() == 2)
        // The copy outlives the node, and no later attempt spoils it.
        #expect(Shell.run(node.cli(export + " --once")).status == 2)
        try Shell.check("test -e \(to)/current/sessions/s2")
    }

    @Test("no value can break out of its quotes, and different paths have different keys")
    func environment() throws {
        let node = try MountedNode()
        let values = [
            "it's $(touch \(node.root)/pwned) `id`", "'; touch \(node.root)/pwned; '", "a\\nb",
        ]
        try node.load(values.enumerated().map { context("a b/k.\($0.offset)", $0.element) })
        try node.load([context("a/b_2Ek", "one"), context("a/b.k", "two")])
        let to = node.root + "/out"
        try Shell.check(node.cli("export --to \(to) --format env --once --include context"))
        #expect(try Shell.check("stat -c %a \(to)/current/env").trimmed == "600")
        let shown = try Shell.check(
            """
            set -u; . \(to)/current/env
            for i in 0 1 2; do v=BROKERFS_context__a_2520b__k_2E$i; printf '%s|' "${!v}"; done
            echo "$BROKERFS_context__a__b_5F2Ek $BROKERFS_context__a__b_2Ek"
            """
        )
        #expect(shown == "\(values[0])|\(values[1])|a\nb|one two\n")
        #expect(!FileManager.default.fileExists(atPath: node.root + "/pwned"))
    }
}
