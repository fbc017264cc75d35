// SPDX-License-Identifier: Apache-2.0

import CFuse3
import FSMap
import Glibc
import Logging
import Node

/// The mount as the thread of a ``Replayer`` uses it: by path, like any program.
struct ReplayStage: Sendable {
    let server: FuseServer
    let session: Session
    let directory: String
    let deviceMinor: UInt32?

    /// O_PATH of open(2), which Glibc shows to GNU sources alone.
    private static let pathOnly: Int32 = 0o10_000_000

    /// The root of this very mount; nil where it is not there any more.
    ///
    /// Held for one batch, because it keeps the mount busy. Whatever is mounted over it, or was
    /// below it, is not touched.
    func openRoot() -> Int32? {
        let root = open(directory, Self.pathOnly | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
        guard root >= 0 else { return nil }
        var status = stat()
        // The minor number, gnu_dev_minor(3).
        guard fstat(root, &status) == 0,
            let deviceMinor,
            status.st_dev & 0xFF | status.st_dev >> 12 & ~0xFF == dev_t(deviceMinor)
        else {
            close(root)
            return nil
        }
        return root
    }

    /// The directory's inode, if the replay still tells what is.
    func parent(of replay: Replay) -> UInt64? {
        guard let parent = server.files.knownInode(of: replay.directory) else { return nil }
        do throws(FSError) {
            return try server.files.isCurrent(replay, view: server.node.view()) ? parent : nil
        } catch {
            server.replayer.log.debug("not replayed", metadata: ["reason": "\(reason(of: error))"])
            return nil
        }
    }

    /// Makes the system call; what comes of it is seen by the requests that it caused.
    func perform(_ replay: Replay, below root: Int32) {
        let isDirectory = replay.node.kind == .directory
        switch replay.kind {
        case .removed: _ = unlinkat(root, replay.path, isDirectory ? AT_REMOVEDIR : 0)
        case .created where isDirectory: _ = mkdirat(root, replay.path, 0o700)
        case .created: _ = mknodat(root, replay.path, S_IFREG | 0o600, 0)
        case .changed:
            var status = stat()
            guard fstatat(root, replay.path, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return }
            _ = truncate("/proc/self/fd/\(root)/\(replay.path)", status.st_size)
        }
    }

    /// Has the kernel ask for the name again.
    func forgetName(of replay: Replay, in parent: UInt64) {
        guard server.gate.enter() else { return }
        defer { server.gate.leave() }
        _ = session.notify(.entry(parent: parent, name: replay.node.name))
    }
}
