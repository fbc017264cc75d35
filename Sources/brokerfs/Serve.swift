// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Cluster
import FSMap
import Glibc
import Logging

/// The subcommand `serve`.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a node in the foreground until SIGINT or SIGTERM.",
        discussion: "Settings: flags over environment BROKERFS_* over the YAML file."
    )

    @Option(help: "A YAML file; see docs/OPERATIONS.md for its keys.") var config: String?
    @Option(help: "The data directory; created if it is missing.") var data: String?
    @Option(help: "Where to mount; not beside a list of mounts.") var mount: String?

    func run() async throws {
        var settings = try Settings.load(file: config)
        try settings.apply(data: data, mount: mount)
        try await serve(settings)
    }
}

/// The subcommand `mount`.
struct MountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mount",
        abstract: "Mount a single node on DIR: serve without a configuration file."
    )

    @Argument(help: "Where to mount.") var directory: String
    @Option(help: "The data directory; created if it is missing (BROKERFS_DATA).") var data: String?

    func run() async throws {
        var settings = try Settings.load(file: nil)
        try settings.apply(data: data, mount: directory)
        try await serve(settings)
    }
}

/// Runs a node to its end.
///
/// Not on the main actor: callbacks of other threads come from here.
nonisolated func serve(_ settings: Settings) async throws {
    let signals = await EndSignals()
    let log = ServerLog.make(settings.logLevel)
    var settings = settings
    for index in settings.mounts.indices {
        settings.mounts[index].directory = absolute(settings.mounts[index].directory)
        try makeDirectory(of: settings.mounts[index])
    }
    let process = try ServerProcess(settings, log: log)
    for mount in settings.mounts {
        log.info(
            "mounted",
            metadata: [
                "mount": "\(mount.directory)", "kind": "\(mount.kind.rawValue)",
                "data": "\(settings.data)",
            ]
        )
    }
    let directories = settings.mounts.map(\.directory).joined(separator: ", ")
    let role = settings.cluster == nil ? "leader" : "member of a group"
    ReadyNotice.send("READY=1\nSTATUS=\(role), mounted on \(directories)")
    await process.runUntilAsked(signals)
    ReadyNotice.send("STOPPING=1")
}

/// Makes the directory of a mount that lies in the node's own folder.
nonisolated private func makeDirectory(of mount: MountSettings) throws {
    guard mount.isMadeWhenMissing else { return }
    do {
        try DurableFile.makeDirectory(mount.directory, mode: 0o755)
    } catch {
        throw Failure(.failure, "the mount: \(error)")
    }
}

/// The path as every process sees it, whatever its working directory.
nonisolated func absolute(_ path: String) -> String {
    guard !path.hasPrefix("/"), let current = getcwd(nil, 0) else { return path }
    defer { free(current) }
    return String(cString: current) + "/" + path
}

/// The log of a node: stderr, for the journal.
enum ServerLog {
    static func make(_ level: Logger.Level) -> Logger {
        var log = Logger(label: "brokerfs") { StreamLogHandler.standardError(label: $0) }
        log.logLevel = level
        return log
    }
}
