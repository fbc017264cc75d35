// SPDX-License-Identifier: Apache-2.0

import Foundation
import FuseMount
import Glibc
import Synchronization

/// One node of the cluster that the demo shows: its folder, and a process of this program.
final class DemoNode: Sendable {
    let name: String
    /// The folder that `cluster bootstrap` makes.
    let folder: String
    private let listen: String
    private let state = Mutex(State())

    private struct State {
        var process: Process?
        /// Ended for good: nobody starts it any more.
        var isEnded = false
    }

    /// What a look at a session found.
    enum Sight: Equatable {
        case there
        case gone
        /// The mount does not say, as one without a leader does.
        case refused
    }

    private static let endSecondsMax = 10
    private static let killSecondsMax = 5
    private static let pauseMicroseconds: UInt32 = 2000

    init(name: String, folder: String, listen: String) {
        self.name = name
        self.folder = folder
        self.listen = listen
    }

    var mount: String { folder + "/mnt" }
    var data: String { folder + "/data" }
    private var log: String { folder + ".log" }

    private var process: Process? { state.withLock { $0.process } }
    var isRunning: Bool { process?.isRunning ?? false }
    var processID: Int32 { process?.processIdentifier ?? 0 }

    // The process

    /// Starts the node; the calling thread has to live as long as it.
    ///
    /// Where setpriv(1) is, the kernel ends the node with that thread: also when this process is
    /// killed and can end nobody.
    func start() throws {
        var command = [DemoShell.executable, "serve", "--config", folder + "/brokerfs.yaml"]
        let setpriv = "/usr/bin/setpriv"
        if access(setpriv, X_OK) == 0 {
            command = [setpriv, "--pdeathsig", "TERM", "--"] + command
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        // Bootstrap writes an address for any interface; here nobody else has to reach it.
        process.environment = DemoShell.environment.merging(["BROKERFS_CLUSTER_LISTEN": listen]) {
            $1
        }
        let output = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard output >= 0 else {
            throw Failure(.failure, "\(log): \(String(cString: strerror(errno)))")
        }
        let handle = FileHandle(fileDescriptor: output, closeOnDealloc: true)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = handle
        process.standardError = handle
        try state.withLock { state in
            guard !state.isEnded else { throw DemoCluster.isEnded }
            try process.run()
            state.process = process
        }
    }

    /// Kills it and says when; it may take a moment to be dead.
    func kill() -> ContinuousClock.Instant {
        let now = ContinuousClock.now
        send(SIGKILL)
        return now
    }

    /// Asks it to end, for good; returns at once.
    func askToEnd() {
        state.withLock { $0.isEnded = true }
        send(SIGTERM)
    }

    /// Returns when it has ended and its mount is gone, whatever that takes.
    func waitForEnd() throws {
        // A node that is just starting may not hear the first signal.
        wait(seconds: Self.endSecondsMax) { send(SIGTERM) }
        send(SIGKILL)
        wait(seconds: Self.killSecondsMax) {}
        for _ in 0..<4 where MountPoint.brokerfsMounts().contains(mount) {
            do {
                _ = try MountPoint.clear(mount)
            } catch {
                throw Failure(.failure, "\(mount): \(error)")
            }
        }
        // What it waited for in the kernel has failed now.
        wait(seconds: Self.killSecondsMax) {}
        guard !isRunning else { throw Failure(.failure, "\(name), \(processID), does not end") }
    }

    private func wait(seconds: Int, again: () -> Void) {
        let end = ContinuousClock.now + .seconds(seconds)
        var turn = 0
        while isRunning, .now < end {
            usleep(Self.pauseMicroseconds)
            turn += 1
            if turn.isMultiple(of: 100) { again() }
        }
    }

    private func send(_ number: Int32) {
        guard let process, process.isRunning else { return }
        Glibc.kill(process.processIdentifier, number)
    }

    /// The end of its log.
    var lastWords: String {
        let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(5).joined(separator: "\n")
    }

    // Its mount

    /// A file of `cluster/`, without its line feed; nil where it cannot be read.
    func word(_ file: String) -> String? {
        let text = try? String(contentsOfFile: "\(mount)/cluster/\(file)", encoding: .utf8)
        return text?.trimmingCharacters(in: .newlines)
    }

    /// What it lists; nil where it does not vouch for what it has.
    var sessions: [String]? {
        try? FileManager.default.contentsOfDirectory(atPath: mount + "/sessions")
    }

    /// Whether it vouches for what it shows.
    var answers: Bool { sessions != nil }

    /// Whether the mount is there and nobody is behind it.
    var isDead: Bool { MountPoint.state(of: mount) == .dead }

    /// Looks for the content of a session.
    func look(for session: String) -> Sight {
        let file = open("\(mount)/sessions/\(session)", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return Self.sight(errno) }
        defer { close(file) }
        var byte: UInt8 = 0
        let count = read(file, &byte, 1)
        // Nothing is what a file may show that goes in this moment.
        return count > 0 ? .there : count == 0 ? .refused : Self.sight(errno)
    }

    private static func sight(_ number: Int32) -> Sight {
        number == ENOENT || number == EKEYREVOKED ? .gone : .refused
    }

    /// Writes a value of `context/`, as `echo` does; whether all of it succeeded.
    func put(_ value: String, at path: String) -> Bool {
        let file = open("\(mount)/context/\(path)", O_WRONLY | O_TRUNC | O_CLOEXEC)
        guard file >= 0 else { return false }
        let isWritten = Console.writeAll(Array((value + "\n").utf8)[...], to: file)
        return close(file) == 0 && isWritten
    }
}
