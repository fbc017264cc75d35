// SPDX-License-Identifier: Apache-2.0

import CFuse3
import Glibc
import Synchronization

/// A directory as a place to mount on: what is there, and taking a dead mount off.
///
/// INVARIANT: nothing here hangs on a mount that does not answer: what may wait for a daemon
///            runs on a thread of its own and is waited for only so long.
package enum MountPoint {
    /// What is at a path.
    package enum State: Equatable, Sendable {
        /// A directory on which nothing is mounted.
        case free
        case notADirectory
        case missing
        /// Something is mounted there; it may be slow or hang.
        case mounted(type: String)
        /// A FUSE mount whose daemon is gone.
        case dead
    }

    /// How the mount table calls a mount of this program.
    static let brokerfsType = "fuse.brokerfs"
    private static let probeMillisecondsMax = 2000

    /// Says what is at a path, within two seconds.
    package static func state(of directory: String) -> State {
        let path = canonical(directory)
        let mounted = MountTableLine.topmost(on: path)
        let probed = probe { statusNumber(of: path, askDaemon: mounted != nil) }
        guard let probed else { return .mounted(type: mounted?.type ?? "unknown") }
        switch probed {
        case ENOTCONN, ECONNABORTED: return .dead
        case ENOENT: return .missing
        case ENOTDIR: return .notADirectory
        default: return mounted.map { .mounted(type: $0.type) } ?? .free
        }
    }

    /// Takes a dead mount off, and what dead lies below it.
    ///
    /// Does nothing to a live one.
    ///
    /// Throws ``MountError/deadMount(_:)`` where that fails.
    package static func clearDead(_ directory: String) throws(MountError) {
        let path = canonical(directory)
        for _ in 0..<16 {
            guard state(of: path) == .dead else { return }
            guard detach(path) else { throw .deadMount(path) }
        }
        throw .deadMount(path)
    }

    /// Detaches what is mounted on a canonical path, used or not; umount2(2), fusermount3(1).
    static func detach(_ path: String) -> Bool {
        if umount2(path, Int32(MNT_DETACH) | Int32(UMOUNT_NOFOLLOW)) == 0 {
            return true
        }
        guard errno == EPERM, let program = fusermount else { return false }
        return run(program, ["-u", "-z", "-q", "--", path]) == 0
    }

    /// Where fusermount3(1) is, as libfuse finds it: in its own directory or on the path.
    static var fusermount: String? {
        let path = getenv("PATH").map { String(cString: $0) } ?? ""
        return ("/usr/bin:" + path).split(separator: ":").map { "\($0)/fusermount3" }
            .first { access($0, X_OK) == 0 }
    }

    /// The absolute path without links.
    ///
    /// The last part is not looked at where that fails, because a dead mount there cannot be.
    static func canonical(_ directory: String) -> String {
        if let path = probe({ resolved(directory) }) ?? nil { return path }
        var parts = directory.split(separator: "/", omittingEmptySubsequences: true)
        guard let last = parts.popLast() else { return "/" }
        let above = directory.hasPrefix("/") ? "/" : "."
        let parent = above + "/" + parts.joined(separator: "/")
        let path = (probe { resolved(parent) } ?? nil) ?? parent
        return path == "/" ? "/\(last)" : "\(path)/\(last)"
    }

    /// Whether a directory on which nothing is mounted has no entries.
    static func isEmpty(_ path: String) -> Bool? {
        guard let directory = opendir(path) else { return nil }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            // `.` and `..` are the only names that start with a dot and are one or two bytes long.
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { return false }
        }
        return true
    }

    /// Whether the root of a mount answers in time.
    static func answers(_ path: String) -> Bool {
        probe { statusNumber(of: path, askDaemon: true) } == 0
    }

    private static func resolved(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }

    /// 0, or why a directory cannot be used.
    ///
    /// The kernel answers stat(2) from its cache for a daemon that is gone; statfs(2) is always
    /// asked of the daemon.
    static func statusNumber(of path: String, askDaemon: Bool) -> Int32 {
        if askDaemon {
            var statistics = statvfs()
            guard statvfs(path, &statistics) == 0 else { return errno }
        }
        var status = stat()
        guard stat(path, &status) == 0 else { return errno }
        return status.st_mode & S_IFMT == S_IFDIR ? 0 : ENOTDIR
    }

    /// Runs something that may hang on a thread of its own.
    ///
    /// Nil: it took too long.
    private static func probe<Answer: Sendable>(
        _ body: @escaping @Sendable () -> Answer
    ) -> Answer? {
        let box = ProbeBox<Answer>()
        let isStarted: ()? = try? MountThread.start("fuse-probe") {
            let answer = body()
            box.answer.withLock { $0 = answer }
            box.done.post()
        }
        guard isStarted != nil, box.done.wait(milliseconds: probeMillisecondsMax) else {
            return nil
        }
        return box.answer.withLock { $0 }
    }
}

private final class ProbeBox<Answer: Sendable>: Sendable {
    let answer = Mutex<Answer?>(nil)
    let done = Semaphore()
}

/// Runs a program and waits for it.
///
/// Nil: it could not be started.
func run(_ program: String, _ arguments: [String]) -> Int32? {
    var values: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for value in values { free(value) } }
    // The child must not inherit the mask of a thread that blocks all signals.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var child = pid_t()
    guard posix_spawn(&child, program, nil, &attributes, &values, environ) == 0 else {
        return nil
    }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 {
        guard errno == EINTR else { return nil }
    }
    return status
}
