// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Holds a data directory for one process, by flock(2) on `<data>/lock`.
///
/// The kernel releases it when the process ends, however it ends.
struct DirectoryLock: Sendable {
    private let descriptor: Int32

    /// Creates the directory if it is missing and takes it.
    ///
    /// Throws ``NodeError/locked(directory:)`` at once where another process has it.
    init(_ directory: String) throws(NodeError) {
        guard mkdir(directory, 0o700) == 0 || errno == EEXIST else {
            throw .directory(path: directory, errno: errno)
        }
        let path = directory + "/lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .directory(path: path, errno: errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno
            close(descriptor)
            if reason == EWOULDBLOCK { throw .locked(directory: directory) }
            throw .directory(path: path, errno: reason)
        }
    }

    func release() {
        close(descriptor)
    }
}
