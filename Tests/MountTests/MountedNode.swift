// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing

/// A real node in a child process with a real mount; everything goes when the test ends.
///
/// The file system's clients are child processes with a time limit too: a client of a hung
/// mount cannot be killed, and would take the tests with it.
final class MountedNode {
    let root: String
    var data: String { root + "/data" }
    var mount: String { root + "/mnt" }
    private var process: Process?
    private let extraArguments: [String]
    private let user: String?
    private let kinds: [String]
    private let settings: String
    private let extraEnvironment: [String: String]

    /// Starts a node and waits until its mount answers.
    ///
    /// `kinds` are those of further mounts, each on the directory of its name; `settings` are
    /// lines of YAML. With either the node is started by `serve` and not by `mount`.
    init(
        arguments: [String] = [],
        user: String? = nil,
        dataOn: String? = nil,
        environment: [String: String] = [:],
        kinds: [String] = [],
        settings: String = ""
    ) throws {
        extraArguments = arguments
        extraEnvironment = environment
        self.user = user
        self.kinds = kinds
        self.settings = settings
        root = try Self.temporaryDirectory()
        try Shell.check("mkdir -p \(mount) \(dataOn ?? root)")
        for kind in kinds { try Shell.check("mkdir \(directory(kind))") }
        if let dataOn { try Shell.check("ln -s \(dataOn) \(data)") }
        if let user { try Shell.check("chown -R \(user) \(root)") }
        try start()
    }

    deinit {
        kill()
        let mounts = ([mount] + kinds.map(directory)).joined(separator: " ")
        _ = Shell.run("for m in \(mounts); do fusermount3 -uz $m; umount -l $m; done")
        _ = Shell.run("rmdir \(mounts) && rm -rf --one-file-system \(root)")
    }

    var pid: Int32 { process?.processIdentifier ?? 0 }

    /// Where the further mount of a kind is.
    func directory(_ kind: String) -> String { "\(root)/\(kind)" }

    /// Writes the configuration of a node with more than one ordinary mount.
    private func configuration() throws -> String {
        var text = "data: \(data)\n\(settings)\nmounts:\n  - directory: \(mount)\n"
        for kind in kinds { text += "  - {directory: \(directory(kind)), kind: \(kind)}\n" }
        let file = root + "/brokerfs.yaml"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }

    /// Starts the node; throws what it said where it does not come up.
    func start() throws {
        let process = Process()
        var arguments = [Self.binary, "mount", mount, "--data", data] + extraArguments
        if !kinds.isEmpty || !settings.isEmpty {
            arguments = [Self.binary, "serve", "--config", try configuration()]
        }
        if let user {
            arguments =
                ["/usr/bin/setpriv", "--reuid", user, "--regid", "nogroup", "--clear-groups"]
                + arguments
        }
        process.executableURL = URL(fileURLWithPath: arguments[0])
        process.arguments = Array(arguments.dropFirst())
        var environment = ProcessInfo.processInfo.environment
        environment["SWIFT_BACKTRACE"] = "enable=no"
        process.environment = environment.merging(extraEnvironment) { $1 }
        let log = root + "/node.log"
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        process.standardError = FileHandle(forWritingAtPath: log)
        process.standardOutput = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        self.process = process
        for _ in 0..<400 {
            let probe = "test -e \(mount)/README && \(cli("status")) >/dev/null"
            // Only its own user sees an ordinary user's mount.
            let asUser = user.map {
                "setpriv --reuid \($0) --regid nogroup --clear-groups bash -c '\(probe)'"
            }
            if Shell.run(asUser ?? probe).status == 0 { return }
            guard process.isRunning else { break }
            usleep(50_000)
        }
        throw NodeFailure(message: "the node did not come up: " + self.log)
    }

    /// What the node wrote to its log since it started.
    var log: String { (try? String(contentsOfFile: root + "/node.log", encoding: .utf8)) ?? "" }

    func kill() {
        guard let process, process.isRunning else { return }
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Stops every thread of the node, and waits until none of them runs any more.
    ///
    /// On a busy machine a thread of it may answer for a while after the signal was sent.
    func stop() {
        Glibc.kill(pid, SIGSTOP)
        let running = "grep -h '^State:' /proc/\(pid)/task/*/status | grep -qv '(stopped)'"
        for _ in 0..<200 where Shell.run(running).status == 0 { usleep(20_000) }
    }

    /// Asks the node to end; returns the seconds it took and its exit status.
    func terminate() -> (seconds: Double, status: Int32) {
        guard let process else { return (0, -1) }
        let start = Date()
        Glibc.kill(process.processIdentifier, SIGTERM)
        process.waitUntilExit()
        return (Date().timeIntervalSince(start), process.terminationStatus)
    }

    /// A shell command line for the command `arguments` against this node.
    func cli(_ arguments: String) -> String {
        "BROKERFS_DATA=\(data) \(Self.binary) \(arguments)"
    }

    /// Runs a command in the mount and expects success; returns what it printed.
    @discardableResult
    func sh(_ command: String) throws -> String {
        try Shell.check("cd \(mount) && \(command)")
    }

    /// Runs a command in the mount, whatever comes of it.
    func attempt(_ command: String) -> Shell.Result {
        Shell.run("cd \(mount) && \(command)")
    }

    /// Loads JSON lines through the command line.
    func load(_ lines: [String]) throws {
        let file = root + "/load.jsonl"
        try (lines.joined(separator: "\n") + "\n").write(
            toFile: file,
            atomically: true,
            encoding: .utf8
        )
        try Shell.check(cli("load \(file)"))
    }

    /// The product beside the test bundle.
    static let binary: String = {
        let bundle =
            CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
        let directory = URL(fileURLWithPath: bundle).deletingLastPathComponent().path
        return directory + "/brokerfs"
    }()

    static func temporaryDirectory() throws -> String {
        try Shell.check("mktemp -d \"${TMPDIR:-/tmp}/brokerfs-test-XXXXXX\"").trimmed
    }
}

struct NodeFailure: Error, CustomStringConvertible {
    var message: String
    var description: String { message }
}

extension String {
    var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}

/// Runs shell commands in a child process with a time limit.
enum Shell {
    struct Result {
        var status: Int32
        var output: String
    }

    /// stdout and stderr together; 124 and 137 are the time limit's.
    static func run(_ command: String, seconds: Int = 30) -> Result {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
        process.arguments = ["-k", "2", "\(seconds)", "/bin/bash", "-c", command]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        process.standardInput = FileHandle.nullDevice
        do {
            try process.run()
        } catch {
            return Result(status: -1, output: "\(error)")
        }
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus,
            output: String(decoding: data, as: UTF8.self)
        )
    }

    /// Runs a command that has to succeed.
    @discardableResult
    static func check(_ command: String, seconds: Int = 30) throws -> String {
        let result = run(command, seconds: seconds)
        guard result.status == 0 else {
            throw NodeFailure(message: "\(command)\nended with \(result.status): \(result.output)")
        }
        return result.output
    }
}

/// JSON lines of the tests.
enum Line {
    static func session(_ id: String, user: String = "alice") -> String {
        """
        {"type":"session","id":"\(id)","data":{"user_id":"\(user)",\
        "expires_at":"2099-01-01T00:00:00Z","id_token":{"raw":"secret-\(id)"}}}
        """
    }

    static func group(_ id: String) -> String {
        #"{"type":"directory-group","id":"\#(id)","data":{"name":"\#(id)"}}"#
    }

    static func directoryUser(_ id: String, groups: [String]) -> String {
        let list = groups.map { "\"\($0)\"" }.joined(separator: ",")
        return #"{"type":"directory-user","id":"\#(id)","data":{"group_ids":[\#(list)]}}"#
    }

    static func user(_ id: String) -> String {
        #"{"type":"user","id":"\#(id)","data":{"name":"\#(id)","email":"\#(id)@example.com"}}"#
    }
}
