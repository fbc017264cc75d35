// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The disk of the machine: open(2), pread(2), pwrite(2), fallocate(2), fdatasync(2), rename(2).
///
/// INVARIANT: a call that a signal interrupted is made again; a failed sync never is.
package struct PosixDisk: Disk {
    /// Closes its descriptor when it goes; close(2) has nothing to report after a sync.
    package final class File: Sendable {
        fileprivate let descriptor: Int32

        fileprivate init(_ descriptor: Int32) {
            self.descriptor = descriptor
        }

        deinit {
            _ = close(descriptor)
        }
    }

    private let isReadOnly: Bool

    /// The disk under the process's own root directory.
    package init() {
        isReadOnly = false
    }

    private init(isReadOnly: Bool) {
        self.isReadOnly = isReadOnly
    }

    /// The same disk, to look at only: every verb that would change it fails with `EROFS`.
    package static let readOnly = PosixDisk(isReadOnly: true)

    /// The names in a directory, sorted.
    package func list(_ directory: String) throws(DiskError) -> [String] {
        guard let stream = unsafe opendir(directory) else { throw failure(.list) }
        defer { _ = unsafe closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else { break }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                unsafe tuple.withMemoryRebound(to: CChar.self, capacity: 256) { text in
                    unsafe String(cString: text)
                }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw failure(.list) }
        return names.sorted()
    }

    /// Makes a directory.
    package func makeDirectory(_ directory: String) throws(DiskError) {
        try checkWritable(.makeDirectory)
        guard unsafe mkdir(directory, 0o700) == 0 else { throw failure(.makeDirectory) }
    }

    /// Opens a file that exists.
    package func open(_ path: String) throws(DiskError) -> File {
        try open(path, isReadOnly ? O_RDONLY : O_RDWR, .open)
    }

    /// Makes an empty file; `EEXIST` when the name is taken.
    package func create(_ path: String) throws(DiskError) -> File {
        try checkWritable(.create)
        return try open(path, O_RDWR | O_CREAT | O_EXCL, .create)
    }

    /// The length in bytes.
    package func size(of file: File) throws(DiskError) -> Int {
        var status = stat()
        guard unsafe fstat(file.descriptor, &status) == 0 else { throw failure(.size) }
        return Int(status.st_size)
    }

    /// Reads up to `count` bytes; fewer only at the end.
    package func read(_ file: File, at offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        var failed: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let rest = unsafe UnsafeMutableBufferPointer(rebasing: buffer[filled...])
                let got = unsafe pread(
                    file.descriptor,
                    rest.baseAddress,
                    rest.count,
                    off_t(offset + filled)
                )
                if got < 0, errno == EINTR { continue }
                if got < 0 { failed = errno }
                guard got > 0 else { return }
                filled += got
            }
        }
        guard failed == 0 else { throw DiskError(.read, errno: failed) }
        return bytes
    }

    /// Writes all of `bytes`.
    package func write(
        _ file: File,
        at offset: Int,
        _ bytes: [UInt8]
    ) throws(DiskError) {
        try checkWritable(.write)
        let failed: Int32 = unsafe bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[done...])
                let put = unsafe pwrite(
                    file.descriptor,
                    rest.baseAddress,
                    rest.count,
                    off_t(offset + done)
                )
                if put < 0, errno == EINTR { continue }
                if put < 0 { return errno }
                // A file that takes nothing and gives no reason would be asked for ever.
                guard put > 0 else { return EIO }
                done += put
            }
            return 0
        }
        guard failed == 0 else { throw DiskError(.write, errno: failed) }
    }

    /// Reserves blocks up to `size` bytes.
    package func preallocate(_ file: File, size: Int) throws(DiskError) {
        try checkWritable(.preallocate)
        // posix_fallocate writes the blocks itself where the file system cannot reserve them.
        var result: Int32
        repeat {
            result = posix_fallocate(file.descriptor, 0, off_t(size))
        } while result == EINTR
        guard result == 0 else { throw DiskError(.preallocate, errno: result) }
    }

    /// Makes data and length durable.
    package func syncData(_ file: File) throws(DiskError) {
        try checkWritable(.syncData)
        guard fdatasync(file.descriptor) == 0 else { throw failure(.syncData) }
    }

    /// Makes names durable.
    package func syncDirectory(_ directory: String) throws(DiskError) {
        try checkWritable(.syncDirectory)
        let file = try open(directory, O_RDONLY | O_DIRECTORY, .syncDirectory)
        guard fsync(file.descriptor) == 0 else { throw failure(.syncDirectory) }
    }

    /// Gives a file another name at one stroke.
    package func rename(_ path: String, to newPath: String) throws(DiskError) {
        try checkWritable(.rename)
        guard unsafe Glibc.rename(path, newPath) == 0 else { throw failure(.rename) }
    }

    /// Takes a name away.
    package func remove(_ path: String) throws(DiskError) {
        try checkWritable(.remove)
        guard unsafe unlink(path) == 0 else { throw failure(.remove) }
    }

    /// Room left in bytes.
    package func freeBytes(in directory: String) throws(DiskError) -> UInt64 {
        var status = statvfs()
        guard unsafe statvfs(directory, &status) == 0 else { throw failure(.freeBytes) }
        return UInt64(status.f_bavail) * UInt64(status.f_frsize)
    }

    /// Room left in bytes; nil when the file system does not tell.
    package static func freeBytes(at directory: String) -> UInt64? {
        try? PosixDisk().freeBytes(in: directory)
    }

    private func open(
        _ path: String,
        _ flags: Int32,
        _ operation: DiskOperation
    ) throws(DiskError) -> File {
        var descriptor: Int32
        repeat {
            descriptor = unsafe Glibc.open(path, flags | O_CLOEXEC, 0o600)
        } while descriptor < 0 && errno == EINTR
        guard descriptor >= 0 else { throw failure(operation) }
        return File(descriptor)
    }

    private func checkWritable(_ operation: DiskOperation) throws(DiskError) {
        if isReadOnly { throw DiskError(operation, errno: EROFS) }
    }

    private func failure(_ operation: DiskOperation) -> DiskError {
        DiskError(operation, errno: errno)
    }
}
