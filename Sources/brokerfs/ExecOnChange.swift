// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import Glibc

/// The subcommand `exec-on-change`.
struct ExecOnChange: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec-on-change",
        abstract: "Run a command whenever a file or directory of a mount changes.",
        discussion: """
            A directory changes when a name or a file in it does. The command has the path in \
            BROKERFS_PATH. Changes while it runs make it run once more. It is told of by inotify, \
            and a look every second finds what inotify does not tell.

            SIGINT, SIGTERM and SIGHUP are passed on to a running command, and end this one with \
            0 after it. With --once the exit code is the command's.
            """
    )

    @Argument(help: "The file or directory; it may be missing.") var path: String
    @Argument(parsing: .postTerminator, help: "The command and its arguments, after --.")
    var command: [String]
    @Flag(help: "End after the first change.") var once = false

    func validate() throws {
        guard !command.isEmpty else { throw ValidationError("say which command, after --") }
    }

    func run() throws {
        let path = absolute(path)
        try Wakeups.catchSignals([SIGINT, SIGTERM, SIGHUP])
        let watch = try PathWatch(path)
        var known = PathState(of: path)
        while !Wakeups.take().contains(where: { $0 != 0 }) {
            watch.wait()
            guard let now = PathState(of: path) else { continue }
            // Before the command starts: what changes while it runs is another change.
            defer { known = now }
            guard let known, known != now else { continue }
            let end = try CommandRun(command, path: path).waitForEnd()
            if once { Glibc.exit(end.status) }
            if end.status != 0 {
                Console.error("brokerfs: \(command[0]) ended with \(end.status)")
            }
            if end.isAsked { return }
        }
    }
}

/// One run of the command.
private struct CommandRun {
    private let process = Process()

    /// Starts it, found as a shell finds it: env(1) exits 127 where there is none.
    init(_ command: [String], path: String) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["--"] + command
        process.environment = ProcessInfo.processInfo.environment.merging(
            ["BROKERFS_PATH": path]
        ) { $1 }
        process.terminationHandler = { _ in Wakeups.send(0) }
        do {
            try process.run()
        } catch {
            throw Failure(.failure, "\(command[0]): \(error)")
        }
    }

    /// Passes signals on until it ends; its status as a shell shows it, and whether one asked for
    /// our own end.
    func waitForEnd() -> (status: Int32, isAsked: Bool) {
        var isAsked = false
        while process.isRunning {
            var wakeup = pollfd(fd: Wakeups.descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&wakeup, 1, 1000)
            for number in Wakeups.take() where number != 0 {
                isAsked = true
                kill(process.processIdentifier, number)
            }
        }
        process.waitUntilExit()
        isAsked = Wakeups.take().contains { $0 != 0 } || isAsked
        let status = process.terminationStatus
        return (process.terminationReason == .exit ? status : 128 + status, isAsked)
    }
}
