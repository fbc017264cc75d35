// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import Glibc
import Identity
import Logging
import Node
import Samples

/// The subcommand `demo`.
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Mount sample identity state in a temporary place and show what to try.",
        discussion: """
            On a terminal the mount stays until Ctrl-C; otherwise the tour runs once. Everything \
            is removed at the end.

            With --cluster there are three nodes and three mounts. The tour revokes, kills the \
            leader and shows what each mount sees; the exit code is 0 only if that was right.
            """
    )

    @Flag(help: "Three nodes and three mounts, and the end of a leader.") var cluster = false

    func run() async throws {
        if cluster { try await showCluster() } else { try await showDemo() }
    }

    /// Whether somebody is there to end it.
    static var isOnTerminal: Bool {
        isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1
    }
}

/// Not on the main actor: callbacks of other threads come from here.
nonisolated func showDemo() async throws {
    let signals = await EndSignals()
    let place = try DemoPlace()
    defer { place.remove() }
    var settings = Settings()
    settings.data = place.data
    settings.mounts[0].directory = place.mount
    settings.name = "demo"
    let process = try ServerProcess(settings, log: ServerLog.make(.warning))
    defer { process.stop() }
    try load(DemoState.lines(now: Clock.wall()), into: process.node)
    let shell = DemoShell(directory: place.mount)
    try shell.say("brokerfs demo: sample identity state, mounted on \(place.mount)\n")
    try Tour(shell).run()
    guard Demo.isOnTerminal else { return }
    try shell.say(
        """

        The mount stays until Ctrl-C. In another terminal:
          cat \(place.mount)/README
          export BROKERFS_DATA=\(place.data)
          brokerfs status
        """
    )
    await process.runUntilAsked(signals)
}

private func load(_ lines: [String], into node: LocalNode) throws {
    let writes: [RecordWrite]
    do {
        writes = try lines.map { (line) throws(DocumentError) in try LoadLine.parse(line) }
    } catch {
        throw Failure(.failure, "the sample state: \(error)")
    }
    if case .failure(let error) = node.proposeAndWait(.put(writes)) {
        throw Failure(.failure, "the sample state: \(error)")
    }
}

/// A temporary directory with the demo's data and mount point.
struct DemoPlace: Sendable {
    let root: String
    var data: String { root + "/data" }
    var mount: String { root + "/mnt" }

    init() throws {
        root = try Self.makeRoot()
        guard mkdir(mount, 0o755) == 0 else {
            throw Failure(.failure, "\(mount): \(String(cString: strerror(errno)))")
        }
    }

    /// Makes a new directory that others may look at; data directories keep themselves at 0700.
    static func makeRoot() throws -> String {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array((base + "/brokerfs-demo-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else {
            throw Failure(.failure, "\(base): \(String(cString: strerror(errno)))")
        }
        let bytes = template.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
        let root = String(decoding: bytes, as: UTF8.self)
        chmod(root, 0o755)
        return root
    }

    /// The mount point first, and only if it is empty: never what is shown through a mount.
    func remove() {
        guard rmdir(mount) == 0 else { return }
        try? FileManager.default.removeItem(atPath: root)
    }
}

/// A few commands on the mount, shown with what they print.
struct Tour {
    private let shell: DemoShell

    init(_ shell: DemoShell) {
        self.shell = shell
    }

    func run() throws {
        for (why, command) in Self.steps {
            try shell.say("# \(why)\n$ \(command)")
            let answer = try shell.run(command)
            try shell.say(answer.text)
            guard answer.status == 0 else {
                throw Failure(.failure, "the demo's command failed: \(command)")
            }
        }
    }

    private static let steps = [
        ("what is there", "ls"),
        ("what is alive for alice", "ls users/alice/sessions"),
        ("one session: tokens are hidden", "cat sessions/alice-laptop"),
        (
            "a gate for shell scripts",
            "grep -qxF -- alice groups/oncall/members && echo alice is on call"
        ),
        ("put bob on call", "echo bob >> groups/oncall/members; cat groups/oncall/members"),
        ("revoke one session: for good", "rm sessions/alice-phone; ls users/alice/sessions"),
        ("revoke all of bob's, in one commit", "rmdir users/bob/sessions; ls users/bob/sessions"),
        ("what happened", "tail -n 3 events/all.jsonl"),
    ]
}
