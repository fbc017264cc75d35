// SPDX-License-Identifier: Apache-2.0

import CFuse3
package import FSMap
import Glibc
package import Logging
package import Node
import Synchronization

/// A directory that shows the state of a node; fuse(4), libfuse's low-level interface.
///
/// INVARIANT: the session is freed once, after its threads, the notifier and every late reply
///            have let go of it; until then they may use it.
/// INVARIANT: ``unmount()`` ends within two seconds, whatever clients hold open or wait for.
package final class Mount: Sendable {
    /// What this mount cannot do where it runs, in sentences for the operator.
    package let limitations: [String]
    /// The canonical path.
    package let directory: String
    let server: FuseServer
    let session: Session
    let threadCount: Int
    let log: Logger
    /// Of the connection, from the mount table; nil where it was not found there.
    let deviceMinor: UInt32?
    let loop = LoopState()
    let connectionGuard: ConnectionGuard?

    init(
        server: FuseServer,
        session: Session,
        attachment: Attachment,
        threadCount: Int,
        log: Logger
    ) {
        self.server = server
        self.session = session
        self.threadCount = threadCount
        self.log = log
        directory = attachment.directory
        limitations = attachment.limitations
        deviceMinor = MountTableLine.topmost(on: attachment.directory)?.deviceMinor
        connectionGuard = ConnectionGuard(deviceMinor: deviceMinor)
        if connectionGuard == nil {
            log.warning("a killed node may leave its mount hung: /sys/fs/fuse is not writable")
        }
    }

    /// Mounts a node, and returns when the kernel is connected and the root answers.
    ///
    /// A dead mount in the way is taken off first. Throws ``MountError`` and leaves nothing
    /// mounted where that fails.
    package static func mount(
        _ node: LocalNode,
        files: FileSystem,
        options: MountOptions,
        log: Logger
    ) throws(MountError) -> Mount {
        let directory = try readyDirectory(options.directory, log)
        MountThread.installWakeHandler()
        let server = FuseServer(node: node, files: files, options: options, log: log)
        let attachment = Attachment(directory: directory, options: options)
        let session = try attachment.attach(server)
        let mount = Mount(
            server: server,
            session: session,
            attachment: attachment,
            threadCount: options.threads,
            log: log
        )
        node.add(mount)
        do throws(MountError) {
            try mount.startThreads()
            guard server.initialized.wait(milliseconds: 5000), MountPoint.answers(directory) else {
                throw .failed("\(directory) does not answer", errno: ETIMEDOUT)
            }
        } catch {
            mount.unmount()
            throw error
        }
        return mount
    }

    /// A directory on which nothing is mounted and nothing would be hidden.
    private static func readyDirectory(
        _ directory: String,
        _ log: Logger
    ) throws(MountError) -> String {
        var state = MountPoint.state(of: directory)
        let path = MountPoint.canonical(directory)
        if state == .dead {
            try MountPoint.clearDead(path)
            log.notice("a mount without its daemon was taken off \(path)")
            state = MountPoint.state(of: path)
        }
        switch state {
        case .free: break
        case .missing: throw .missing(directory)
        case .notADirectory: throw .notADirectory(directory)
        case .dead: throw .deadMount(path)
        case .mounted(let type): throw .alreadyMounted(path, type: type)
        }
        switch MountPoint.isEmpty(path) {
        case true?: return path
        case false?: throw .notEmpty(directory)
        case nil: throw .permission("\(directory) cannot be read")
        }
    }

    /// Blocks until the mount has gone, from outside or by ``unmount()``.
    package func waitUntilUnmounted() {
        loop.waitUntilFinished()
    }

    /// What the mount is for.
    package var kind: MountKind { server.kind }

    /// Whether it has not gone, from outside or by ``unmount()``.
    package var isMounted: Bool { !loop.state.withLock { $0.isFinished } }

    /// What the mount has done and what waits.
    package var statistics: MountStatistics {
        let notifications = server.notifier.counts
        let replays = server.replayer.counts
        return MountStatistics(
            requests: server.requests.all.load(ordering: .relaxed),
            cacheableRequests: server.requests.cacheable.load(ordering: .relaxed),
            openHandles: server.openHandles.load(ordering: .relaxed),
            inodes: server.files.inodeCount,
            waitingRequests: server.pending.count,
            waitingNotifications: notifications.waiting,
            sentNotifications: notifications.sent,
            lostNotifications: notifications.lost,
            replays: replays.done,
            skippedReplays: replays.skipped
        )
    }
}
