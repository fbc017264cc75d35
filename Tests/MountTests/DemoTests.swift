// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing

/// What `brokerfs demo` shows, and that it leaves nothing.
@Suite(.serialized) struct DemoTests {
    /// A demo in a place of its own.
    private final class Running {
        let place: String
        let process = Process()
        private let output = Pipe()
        private(set) var text = ""

        init(_ arguments: [String]) throws {
            place = try MountedNode.temporaryDirectory()
            process.executableURL = URL(fileURLWithPath: MountedNode.binary)
            process.arguments = ["demo"] + arguments
            // The directory of somebody's node must not become that of three.
            process.environment = ProcessInfo.processInfo.environment.merging([
                "TMPDIR": place, "SWIFT_BACKTRACE": "enable=no", "BROKERFS_DATA": place + "/other",
            ]) { $1 }
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = output
            process.standardError = output
            try process.run()
        }

        deinit {
            if process.isRunning { Glibc.kill(process.processIdentifier, SIGKILL) }
            _ = Shell.run("for m in $(\(mounts)); do umount -l $m || fusermount3 -uz $m; done")
            _ = Shell.run("rmdir \(place)/*/mnt \(place)/*/*/mnt")
            _ = Shell.run("rm -rf --one-file-system \(place)")
        }

        private var mounts: String { "grep -o '\(place)[^ ]*' /proc/self/mountinfo" }

        /// Reads until it has said something, or to its end.
        func read(until words: String? = nil) {
            while words.map({ !text.contains($0) }) ?? true {
                let data = output.fileHandleForReading.availableData
                guard !data.isEmpty else { break }
                text += String(decoding: data, as: UTF8.self)
            }
        }

        /// Reads to the end and returns the exit code.
        func end() -> Int32 {
            read()
            process.waitUntilExit()
            return process.terminationReason == .exit
                ? process.terminationStatus : -process.terminationStatus
        }

        func stopListening() throws {
            try output.fileHandleForReading.close()
        }

        /// Mounts, processes and files of it that are still there.
        var leftovers: String {
            let processes = "pgrep -a brokerfs | grep -F '\(place)'"
            return Shell.run("\(mounts); \(processes); ls \(place)").output
        }

        /// Whether nothing of it runs or is mounted any more; asked for long.
        func isOver() -> Bool {
            let look = "\(mounts) || pgrep -a brokerfs | grep -qF '\(place)'"
            return Shell.run("for i in $(seq 500); do \(look) || exit 0; sleep 0.05; done; exit 1")
                .status == 0
        }
    }

    @Test("the tour of one node runs once and leaves nothing")
    func oneNode() throws {
        let demo = try Running([])
        #expect(demo.end() == 0, "\(demo.text)")
        for words in ["alice is on call", "[hidden sha256:", #""op":"revoke""#] {
            #expect(demo.text.contains(words))
        }
        #expect(demo.leftovers == "")
    }

    @Test("three nodes: every answer of the tour is right, and nothing is left")
    func cluster() throws {
        let demo = try Running(["--cluster"])
        #expect(demo.end() == 0, "\(demo.text)")
        let told = [
            "Read-only file system", "had forgotten it", "Key has been revoked",
            "kill -KILL", "took a change of context/risk/alice",
            "Transport endpoint is not connected", "it answered again",
        ]
        for words in told { #expect(demo.text.contains(words), "\(words)") }
        #expect(demo.leftovers == "")
    }

    @Test("told to end in the middle of its tour, it takes its nodes along and says so")
    func interrupted() throws {
        let demo = try Running(["--cluster"])
        demo.read(until: "loaded")
        Glibc.kill(demo.process.processIdentifier, SIGTERM)
        #expect(demo.end() == 1)
        #expect(demo.text.contains("ended before the tour was over"))
        #expect(demo.leftovers == "")
    }

    @Test("when nobody reads what it says, it ends, and nothing is left", arguments: [false, true])
    func unread(isCluster: Bool) throws {
        let demo = try Running(isCluster ? ["--cluster"] : [])
        try demo.stopListening()
        demo.process.waitUntilExit()
        #expect(demo.process.terminationReason == .exit)
        #expect(demo.process.terminationStatus == 1)
        #expect(demo.leftovers == "")
    }

    @Test("killed, it still takes its nodes along")
    func killed() throws {
        let demo = try Running(["--cluster"])
        demo.read(until: "loaded")
        Glibc.kill(demo.process.processIdentifier, SIGKILL)
        #expect(demo.isOver(), "\(demo.leftovers)")
    }
}
