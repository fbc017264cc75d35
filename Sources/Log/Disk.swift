// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The few verbs the log needs of a disk.
///
/// A write is durable after `syncData` of its file; a name after `syncDirectory` of its directory.
/// INVARIANT: a disk that answered without an error did the whole of what was asked.
package protocol Disk: Sendable {
    /// An open file; closed when the last copy of it goes.
    associatedtype File: Sendable

    /// The names in a directory, sorted, without `.` and `..`.
    func list(_ directory: String) throws(DiskError) -> [String]
    /// Makes a directory; its name lasts once the directory above is synced.
    func makeDirectory(_ directory: String) throws(DiskError)
    /// Opens a file that exists, for reading and writing.
    func open(_ path: String) throws(DiskError) -> File
    /// Makes an empty file and opens it; fails with `EEXIST` when the name is taken.
    func create(_ path: String) throws(DiskError) -> File
    /// The file's length in bytes.
    func size(of file: File) throws(DiskError) -> Int
    /// Reads up to `count` bytes; fewer only at the file's end.
    func read(_ file: File, at offset: Int, count: Int) throws(DiskError) -> [UInt8]
    /// Writes all of `bytes`; when it fails, a part may have been written.
    func write(_ file: File, at offset: Int, _ bytes: [UInt8]) throws(DiskError)
    /// Reserves blocks, which read as zeros, so that no write below `size` runs out of room.
    ///
    /// A file that is longer already stays as it is.
    func preallocate(_ file: File, size: Int) throws(DiskError)
    /// Makes the file's data, and the length needed to read it, durable.
    func syncData(_ file: File) throws(DiskError)
    /// Makes the names in a directory durable.
    func syncDirectory(_ directory: String) throws(DiskError)
    /// Gives a file another name at one stroke, replacing what had that name.
    func rename(_ path: String, to newPath: String) throws(DiskError)
    /// Takes a file's name away.
    func remove(_ path: String) throws(DiskError)
    /// Room left for an unprivileged writer, in bytes.
    func freeBytes(in directory: String) throws(DiskError) -> UInt64
}

/// A verb of `Disk`, to say which one failed.
package enum DiskOperation: String, Sendable, CaseIterable {
    case list, makeDirectory, open, create, size, read, write, preallocate
    case syncData, syncDirectory, rename, remove, freeBytes
}

/// A verb that failed, and the error number it failed with.
package struct DiskError: Error, Equatable, Sendable {
    /// The verb.
    package let operation: DiskOperation
    /// The error number, as errno(3) names it.
    package let errno: Int32

    /// A failure of `operation`.
    package init(_ operation: DiskOperation, errno: Int32) {
        self.operation = operation
        self.errno = errno
    }

    /// Whether making room would help.
    package var isOutOfSpace: Bool { errno == ENOSPC || errno == EDQUOT }

    /// Whether the path is not there.
    var isMissing: Bool { errno == ENOENT }

    /// A verb that found the name taken.
    static func taken(_ operation: DiskOperation) -> DiskError {
        DiskError(operation, errno: EEXIST)
    }

    /// A verb that found no room, where the disk's own error is not at hand any more.
    static func full(_ operation: DiskOperation) -> DiskError {
        DiskError(operation, errno: ENOSPC)
    }
}
