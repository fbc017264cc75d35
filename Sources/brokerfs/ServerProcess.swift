// SPDX-License-Identifier: Apache-2.0

import AdminSocket
import FSMap
import Foundation
import FuseMount
import Glibc
import Identity
import Logging
import Node
import UnixSignals

/// One node with its mount and its socket, from start to a clean end.
///
/// Shutdown order: stop taking requests (unmount), then the socket, then the node.
final class ServerProcess: Sendable {
    let node: LocalNode
    let mount: Mount
    private let admin: AdminServer
    private let log: Logger

    /// Starts everything, or leaves nothing running and throws ``Failure``.
    init(_ settings: Settings, log: Logger) throws {
        self.log = log
        signal(SIGPIPE, SIG_IGN)
        let node: LocalNode
        do {
            node = try LocalNode(settings.node, log: log)
        } catch {
            throw Failure(.failure, "\(error)")
        }
        let mount: Mount
        do {
            mount = try Self.mount(node, settings, log)
        } catch {
            node.shutdown()
            throw Failure(.failure, "\(error)")
        }
        self.mount = mount
        let status = AdminStatus(version: Brokerfs.version, mount: settings.mount) {
            let statistics = mount.statistics
            return (statistics.requests, statistics.cacheableRequests)
        }
        do {
            admin = try AdminServer(
                node,
                path: AdminServer.path(inData: settings.data),
                status: status,
                log: log
            )
        } catch {
            mount.unmount()
            node.shutdown()
            throw Failure(.failure, "the admin socket in \(settings.data): \(error)")
        }
        self.node = node
    }

    private static func mount(
        _ node: LocalNode,
        _ settings: Settings,
        _ log: Logger
    ) throws(MountError) -> Mount {
        var options = FileSystemOptions()
        options.cacheSeconds = settings.cacheSeconds
        options.version = Brokerfs.version
        let files = FileSystem(owners: Accounts.owners(settings), options: options)
        var mountOptions = MountOptions(
            directory: settings.mount,
            threads: settings.mountThreads,
            cacheSeconds: settings.cacheSeconds
        )
        mountOptions.inotify = settings.notifiesInotify
        mountOptions.notifiedSessionsPerSecond = settings.notifiedSessionsPerSecond
        return try Mount.mount(node, files: files, options: mountOptions, log: log)
    }

    /// Returns when a signal asks for it or somebody unmounted, after a clean end.
    func runUntilAsked(_ signals: EndSignals) async {
        let mount = mount
        let end = await signals.watch { mount.waitUntilUnmounted() }
        log.info("ending", metadata: ["because": "\(end)"])
        stop()
    }

    /// Unmounts and stops the node.
    ///
    /// Idempotent.
    func stop() {
        mount.unmount()
        admin.close()
        node.shutdown()
    }
}

/// What ends a server: SIGINT, SIGTERM, SIGHUP, or an unmount from outside.
///
/// Make it before the server starts: from then on no signal ends the process the hard way.
struct EndSignals: Sendable {
    private let signals: UnixSignalsSequence

    init() async {
        signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
    }

    /// Waits for a signal, or for `other` to return on a thread of its own; says which it was.
    func watch(_ other: @escaping @Sendable () -> Void) async -> String {
        let (unmounts, unmounted) = AsyncStream.makeStream(of: String.self)
        // A thread, and not a task: it blocks for as long as the mount lives.
        Thread.detachNewThread {
            other()
            unmounted.yield("unmounted")
        }
        return await withTaskGroup(of: String?.self) { group in
            group.addTask { [signals] in await signals.first { _ in true }?.description }
            group.addTask { await unmounts.first { _ in true } }
            defer { group.cancelAll() }
            return (await group.next() ?? nil) ?? "cancelled"
        }
    }
}
