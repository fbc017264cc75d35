// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// What a path shows, as far as a change of it can be told.
///
/// A change of a record moves the time of its file and of the directory it is in.
enum PathState: Equatable {
    case absent
    case present(inode: UInt, sizeBytes: Int, seconds: Int, nanoseconds: Int)

    /// Nil where it cannot be told, as on a mount whose node is dead.
    init?(of path: String) {
        var status = stat()
        if stat(path, &status) == 0 {
            self = .present(
                inode: status.st_ino,
                sizeBytes: status.st_size,
                seconds: status.st_mtim.tv_sec,
                nanoseconds: status.st_mtim.tv_nsec
            )
        } else if errno == ENOENT || errno == ENOTDIR {
            self = .absent
        } else {
            return nil
        }
    }
}

/// Waits until something may have happened to a path: inotify(7), and a look every second.
final class PathWatch {
    private let path: String
    private let inotify: Int32

    /// `path` need not exist.
    init(_ path: String) throws {
        self.path = path
        inotify = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
        guard inotify >= 0 else {
            throw Failure(.failure, "inotify: \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(inotify) }

    /// Returns after a second, or earlier where there is a reason to look.
    func wait() {
        watch()
        var descriptors = [
            pollfd(fd: inotify, events: Int16(POLLIN), revents: 0),
            pollfd(fd: Wakeups.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        _ = poll(&descriptors, 2, 1000)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while read(inotify, &buffer, buffer.count) > 0 {}
    }

    /// What was removed and made anew is another inode: it is watched anew.
    private func watch() {
        let mask =
            IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO
            | IN_DELETE_SELF
        inotify_add_watch(inotify, path, UInt32(mask))
        let parent = path.split(separator: "/").dropLast().joined(separator: "/")
        inotify_add_watch(inotify, "/" + parent, UInt32(mask))
    }
}

/// Signals and the end of a command, as bytes in a pipe: poll(2) waits for them, too.
enum Wakeups {
    private static let reading = Atomic<Int32>(-1)
    private static let writing = Atomic<Int32>(-1)

    static var descriptor: Int32 { reading.load(ordering: .relaxed) }

    /// From here on these signals are bytes.
    static func catchSignals(_ signals: [Int32]) throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw Failure(.failure, "a pipe: \(String(cString: strerror(errno)))")
        }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        reading.store(ends[0], ordering: .relaxed)
        writing.store(ends[1], ordering: .relaxed)
        // Who started us may have blocked them; a command of ours would inherit that.
        var set = sigset_t()
        sigemptyset(&set)
        for number in signals {
            signal(number, noteSignal)
            sigaddset(&set, number)
        }
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }

    /// Wakes with a byte; 0 is no signal.
    static func send(_ byte: UInt8) {
        var byte = byte
        write(writing.load(ordering: .relaxed), &byte, 1)
    }

    /// What has arrived since the last time.
    static func take() -> [Int32] {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &bytes, bytes.count)
        return bytes.prefix(max(0, count)).map { Int32($0) }
    }
}

private func noteSignal(_ number: Int32) {
    Wakeups.send(UInt8(truncatingIfNeeded: number))
}
