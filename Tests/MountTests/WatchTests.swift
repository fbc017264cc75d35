// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing

/// `brokerfs watch` against a real node.
@Suite struct WatchTests {
    /// A watch in the background whose lines go to a file; ended when the test ends.
    ///
    /// Not a shell's job: that would keep the descriptors by which the shell's end is noticed.
    private final class Running {
        let output: String
        private let process = Process()

        init(_ node: MountedNode, _ arguments: String, to path: String? = nil) throws {
            output = path ?? node.root + "/watch.out"
            if path == nil { unlink(output) }
            process.executableURL = URL(fileURLWithPath: "/bin/bash")
            let command = node.cli("watch \(arguments)")
            process.arguments = ["-c", "exec env \(command) >\(output) 2>/dev/null"]
            process.standardInput = FileHandle.nullDevice
            try process.run()
        }

        deinit {
            if process.isRunning { Glibc.kill(process.processIdentifier, SIGKILL) }
        }

        /// Signals it, if so, and waits for its end.
        func status(after signal: Int32? = nil) -> Int32 {
            if let signal { Glibc.kill(process.processIdentifier, signal) }
            process.waitUntilExit()
            return process.terminationStatus
        }

        var lines: [String] {
            let text = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
            return text.split(separator: "\n").map(String.init)
        }

        func waitFor(lines count: Int) -> Bool {
            for _ in 0..<200 {
                if lines.count >= count { return true }
                usleep(50_000)
            }
            return false
        }
    }

    /// Runs `watch` under a shell that reports its exit status.
    private func status(_ node: MountedNode, _ script: String) -> (status: Int32, output: String) {
        let result = Shell.run("W() { \(node.cli("watch")) \"$@\"; }; \(script)")
        return (result.status, result.output)
    }

    @Test("changes come as lines, filtered, from the beginning and as they happen")
    func lines() throws {
        let node = try MountedNode()
        try node.load([Line.session("s1"), Line.user("alice")])
        let watch = try Running(node, "--since 0 --type session")
        #expect(watch.waitFor(lines: 1))
        try node.load([Line.user("bob"), Line.session("s2")])
        try node.sh("rm sessions/s1")
        #expect(watch.waitFor(lines: 3))
        let whole = try node.sh("grep '\"type\":\"session\"' events/all.jsonl")
        #expect(watch.lines.joined(separator: "\n") == whole.trimmed)
        #expect(watch.status(after: SIGINT) == 0)
    }

    @Test("it ends with 0 on a signal and without a reader, with 2 without a node")
    func ends() throws {
        let node = try MountedNode()
        try node.load([Line.session("s1")])
        for signal in [SIGINT, SIGTERM] {
            let watch = try Running(node, "--since 0")
            #expect(watch.waitFor(lines: 1))
            #expect(watch.status(after: signal) == 0)
        }
        // Nothing more happens: only the reader's end can end it.
        let piped = status(node, "W --since 0 | head -n 1; exit ${PIPESTATUS[0]}")
        #expect(piped.status == 0)
        #expect(piped.output.hasPrefix("{\"version\":1,"))
        #expect(status(node, "W --type sesion").status == 1)
        let stopped = try Running(node, "--since 0")
        #expect(stopped.waitFor(lines: 1))
        #expect(node.terminate().status == 0)
        #expect(stopped.status() == 2)
        #expect(status(node, "W").status == 2)
    }

    @Test("versions that the node does not have are told as a gap, and the watch goes on")
    func gap() throws {
        let node = try MountedNode()
        try node.load([Line.session("s1")])
        let newest = try Shell.check(
            "tail -n 1 \(node.mount)/events/all.jsonl | sed 's/.*\"version\":\\([0-9]*\\),.*/\\1/'"
        ).trimmed
        let watch = try Running(node, "--since 1000000")
        #expect(watch.waitFor(lines: 1))
        try node.load([Line.session("s2")])
        #expect(watch.waitFor(lines: 2))
        #expect(watch.lines.first == "{\"gap\":true,\"dropped_through\":\(newest)}")
        #expect(watch.lines.last?.contains("\"id\":\"s2\"") == true)
        #expect(watch.status(after: SIGINT) == 0)
    }

    @Test("a watcher that does not read loses nothing and costs the node nothing")
    func slow() throws {
        let node = try MountedNode()
        let lines = (0..<20_000).map { Line.session("s\($0)") }
        let fifo = node.root + "/fifo"
        try Shell.check("mkfifo \(fifo)")
        let watch = try Running(node, "--since 0", to: fifo + " 3<>" + fifo)
        // The watcher blocks on the pipe after some hundred lines, until somebody reads.
        try node.load(lines)
        try node.sh("rm sessions/s7")
        let count = try Shell.check("timeout 20 head -n 20001 \(fifo) | grep -c version").trimmed
        #expect(count == "20001")
        #expect(watch.status(after: SIGINT) == 0)
    }

    @Test("more watchers than there are seats are refused, and a seat is free again")
    func seats() throws {
        let node = try MountedNode()
        let script = """
            import socket, sys, time
            def watch():
                s = socket.socket(socket.AF_UNIX)
                s.settimeout(10)
                s.connect(sys.argv[1])
                s.sendall(b"\\0\\0\\0\\5\\xa2\\x01\\x02\\x08\\x00")
                return s, s.recv(5)[4:]
            watches = [watch() for _ in range(66)]
            kinds = [kind for _, kind in watches]
            assert kinds.count(b"\\xa2") == 64 and kinds.count(b"\\x0a") == 2, kinds
            watches[0][0].close()
            for _ in range(100):
                time.sleep(0.05)
                if watch()[1] == b"\\xa2": sys.exit(0)
            sys.exit("no seat is free again")
            """
        try node.load([Line.session("s1")])
        try script.write(toFile: node.root + "/seats.py", atomically: true, encoding: .utf8)
        try Shell.check("python3 \(node.root)/seats.py \(node.data)/brokerfs.sock")
    }
}
