// SPDX-License-Identifier: Apache-2.0

import AdminSocket
import FSMap
import FuseMount
import Glibc
import Identity
import Logging
import Node

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
        let mountOptions = MountOptions(
            directory: settings.mount,
            threads: settings.mountThreads,
            cacheSeconds: settings.cacheSeconds
        )
        return try Mount.mount(node, files: files, options: mountOptions, log: log)
    }

    /// Returns when a signal asks for it or somebody unmounted, after a clean end.
    func runUntilAsked() {
        let mount = mount
        let end = EndSignals.watch { mount.waitUntilUnmounted() }
        log.info("ending", metadata: ["because": "\(end)"])
        stop()
    }

    /// Unmounts and stops the node. Idempotent.
    func stop() {
        mount.unmount()
        admin.close()
        node.shutdown()
    }
}

/// SIGINT, SIGTERM and SIGHUP, taken in one place.
///
/// Blocked in `main`, before the first thread starts: threads inherit what is blocked.
enum EndSignals {
    /// Whether this subcommand waits for its end by a signal.
    static func areWaited(forBy subcommand: String?) -> Bool {
        ["serve", "mount", "demo"].contains(subcommand)
    }

    private static var set: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&set, signal) }
        return set
    }

    static func block() {
        var set = set
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Waits for a signal, or for `other` to return on a thread of its own.
    static func watch(_ other: @escaping @Sendable () -> Void) -> String {
        detach {
            other()
            kill(getpid(), SIGHUP)
        }
        var set = set
        var received: Int32 = 0
        while sigwait(&set, &received) != 0 {}
        return received == SIGHUP ? "unmounted or hung up" : "signal \(received)"
    }
}

private func detach(_ body: @escaping @Sendable () -> Void) {
    let thread = DetachedBody(body)
    var id = pthread_t()
    let argument = Unmanaged.passRetained(thread).toOpaque()
    guard pthread_create(&id, nil, runDetached, argument) == 0 else { return }
    pthread_detach(id)
}

private final class DetachedBody: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) {
        self.run = run
    }
}

private func runDetached(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    Unmanaged<DetachedBody>.fromOpaque(argument).takeRetainedValue().run()
    return nil
}
