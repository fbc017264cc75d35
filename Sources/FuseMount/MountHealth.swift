// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Whether what is mounted on a directory answers.
package enum MountHealth: Equatable, Sendable {
    case healthy
    /// The daemon is gone; every access fails with ENOTCONN.
    case dead
    /// Nothing comes back; `waiting` requests are in the kernel's queue, where that is known.
    case hung(waiting: Int?)
    /// The one who asks is refused, for this reason.
    case refused(String)
    /// Something else is mounted there.
    case foreign(type: String)
    case notMounted
    case missing
}

/// What `brokerfs doctor --mount` does.
extension MountPoint {
    private static let connections = "/sys/fs/fuse/connections"

    /// Says how a mount is; `probe` asks it in a process that can be left behind, and returns the
    /// errno value it got, or nil where none came.
    ///
    /// A thread would not do: one that waits in the kernel keeps its process from ending.
    package static func health(
        of directory: String,
        probe: (String) -> Int32?
    ) -> MountHealth {
        let path = canonical(directory)
        guard let line = MountTableLine.topmost(on: path) else {
            return access(path, F_OK) == 0 ? .notMounted : .missing
        }
        guard line.type == brokerfsType else { return .foreign(type: line.type) }
        switch probe(path) {
        case 0?: return .healthy
        case nil: return .hung(waiting: waitingRequests(line.deviceMinor))
        case let number? where isDead(number): return .dead
        case let number?: return .refused(String(cString: strerror(number)))
        }
    }

    /// The errno value of an access that the daemon has to answer; 0 for success.
    package static func answer(of path: String) -> Int32 {
        statusNumber(of: path, askDaemon: true)
    }

    /// Takes a brokerfs mount off for good: fails what waits for it, then detaches it.
    ///
    /// Returns whether the waiting requests could be failed. Touches nothing that is not the
    /// topmost brokerfs mount on the directory.
    package static func clear(_ directory: String) throws(MountError) -> Bool {
        let path = canonical(directory)
        guard let line = MountTableLine.topmost(on: path) else { throw .missing(directory) }
        guard line.type == brokerfsType else { throw .alreadyMounted(path, type: line.type) }
        let isAborted = abortConnection(line.deviceMinor)
        guard MountTableLine.topmost(on: path) == line, detach(path),
            MountTableLine.topmost(on: path)?.deviceMinor != line.deviceMinor
        else { throw .deadMount(path) }
        return isAborted
    }

    /// Ends a connection in the kernel, so that every request of it fails; only that one.
    ///
    /// Source: fusectl in Documentation/filesystems/fuse.rst of Linux.
    static func abortConnection(_ deviceMinor: UInt32) -> Bool {
        guard let descriptor = openAbort(deviceMinor) else { return false }
        defer { close(descriptor) }
        return write(descriptor, "1", 1) == 1
    }

    /// The file whose first written byte ends a connection; nil where it is not ours to open.
    static func openAbort(_ deviceMinor: UInt32) -> Int32? {
        if access("\(connections)/\(deviceMinor)", F_OK) != 0 {
            // Where nobody has mounted it yet; an ordinary user cannot.
            _ = mount("none", connections, "fusectl", 0, nil)
        }
        let descriptor = open("\(connections)/\(deviceMinor)/abort", O_WRONLY | O_CLOEXEC)
        return descriptor < 0 ? nil : descriptor
    }

    private static func waitingRequests(_ deviceMinor: UInt32) -> Int? {
        let text = readText("\(connections)/\(deviceMinor)/waiting")
        return text.split(separator: "\n").first.flatMap { Int($0) }
    }
}
