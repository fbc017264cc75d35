// SPDX-License-Identifier: Apache-2.0

import AdminSocket
import Cluster
import FSMap
import Foundation
import FuseMount
import Glibc
import Identity
import Logging
import Node
import UnixSignals

/// One node with its mounts and its socket, from start to a clean end.
///
/// Shutdown order: hand the leadership over, stop taking requests (unmount), then the socket, the
/// node, and the connections to the others.
final class ServerProcess: Sendable {
    let node: LocalNode
    private let peers: Peers?
    private let mounts: [Mount]
    private let admin: AdminServer
    private let log: Logger

    /// Starts everything, or leaves nothing running and throws ``Failure``.
    init(_ settings: Settings, log: Logger) throws {
        self.log = log
        signal(SIGPIPE, SIG_IGN)
        let parts = try Self.node(settings, log)
        let (node, peers) = (parts.node, parts.peers)
        let mounts: [Mount]
        do {
            mounts = try Self.mount(node, settings, log)
        } catch {
            Self.stop(node, peers)
            throw Failure(.failure, "\(error)")
        }
        self.mounts = mounts
        let status = AdminStatus(version: Brokerfs.version) {
            mounts.filter(\.isMounted).map(AdminMount.init)
        }
        do {
            admin = try AdminServer(
                node,
                path: AdminServer.path(inData: settings.data),
                status: status,
                tokens: parts.tokens,
                log: log
            )
        } catch {
            Mount.unmount(mounts)
            Self.stop(node, peers)
            throw Failure(.failure, "the admin socket in \(settings.data): \(error)")
        }
        self.node = node
        self.peers = peers
    }

    /// Opens the data directory, where that is allowed, and the connections to the others.
    private static func node(
        _ settings: Settings,
        _ log: Logger
    ) throws -> (node: LocalNode, peers: Peers?, tokens: IssueToken?) {
        let start = try ClusterStart(settings)
        var configuration = settings.node
        start?.apply(to: &configuration)
        let peers = start?.peers(log: log)
        let node: LocalNode
        do {
            node = try LocalNode(configuration, links: peers, log: log)
        } catch {
            throw Failure(.failure, "\(error)")
        }
        guard let start, let peers else { return (node, nil, nil) }
        let admission = start.admission(node, log: log)
        do {
            // Before the first word to anybody: a directory that is lost later is not begun again.
            try start.finish()
            try start.start(peers, node, admission)
        } catch {
            stop(node, peers)
            throw error
        }
        return (node, peers, admission.tokens(address: start.address))
    }

    private static func stop(_ node: LocalNode, _ peers: Peers?) {
        node.shutdown()
        peers?.stop()
    }

    /// Mounts all, or none.
    private static func mount(
        _ node: LocalNode,
        _ settings: Settings,
        _ log: Logger
    ) throws(MountError) -> [Mount] {
        let owners = Accounts.owners(settings)
        var mounts: [Mount] = []
        for mount in settings.mounts {
            do throws(MountError) {
                mounts.append(try self.mount(node, mount, settings, owners, log))
            } catch {
                Mount.unmount(mounts)
                throw error
            }
        }
        return mounts
    }

    private static func mount(
        _ node: LocalNode,
        _ mount: MountSettings,
        _ settings: Settings,
        _ owners: Owners,
        _ log: Logger
    ) throws(MountError) -> Mount {
        let limits = settings.limits
        var options = FileSystemOptions()
        options.kind = mount.kind
        options.cacheSeconds = mount.kind == .reveal ? 0 : mount.cacheSeconds
        options.version = Brokerfs.version
        options.mountedAt = Clock.wall()
        options.mountedNanoseconds = Clock.monotonicNanoseconds()
        limits.apply(to: &options)
        var mountOptions = MountOptions(
            directory: mount.directory,
            kind: mount.kind,
            threads: mount.threads,
            cacheSeconds: options.cacheSeconds
        )
        mountOptions.changesPerSecond = limits.changesPerSecond
        mountOptions.changesBurst = limits.changesBurst
        // What is played again are changes, which only an ordinary mount takes.
        mountOptions.inotify = limits.notifiesInotify && mount.kind == .ordinary
        mountOptions.notifiedSessionsPerSecond = limits.notifiedSessionsPerSecond
        if let cluster = settings.cluster { mountOptions.followerWrites = cluster.followerWrites }
        let files = FileSystem(owners: owners, options: options)
        return try Mount.mount(node, files: files, options: mountOptions, log: log)
    }

    /// Returns when a signal asks for it or somebody unmounted everything, after a clean end.
    func runUntilAsked(_ signals: EndSignals) async {
        let mounts = mounts
        let end = await signals.watch { for mount in mounts { mount.waitUntilUnmounted() } }
        log.info("ending", metadata: ["because": "\(end)"])
        stop()
    }

    /// Lets another lead, unmounts and stops the node.
    ///
    /// Idempotent.
    func stop() {
        node.handOver()
        Mount.unmount(mounts)
        admin.stopListening()
        Self.stop(node, peers)
        admin.close()
    }
}

extension AdminMount {
    init(_ mount: Mount) {
        let statistics = mount.statistics
        self.init(
            directory: mount.directory,
            kind: mount.kind,
            requests: statistics.requests,
            cacheableRequests: statistics.cacheableRequests,
            openHandles: statistics.openHandles,
            inodes: statistics.inodes
        )
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
