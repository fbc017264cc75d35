// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Small files that must be whole and there after a crash.
package enum DurableFile {
    /// Only the owner's, for keys; and for everybody to read.
    package static let secretMode: UInt32 = 0o600
    package static let publicMode: UInt32 = 0o644

    /// More than any of these files has.
    private static let bytesMax = 1 << 20

    /// Reads a file; nil where there is none.
    package static func read(_ path: String) throws(BootstrapError) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw failure(path)
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        var content: [UInt8] = []
        while true {
            let count = Glibc.read(descriptor, &bytes, bytes.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure(path) }
            guard count > 0 else { return content }
            content += bytes[..<count]
            guard content.count <= bytesMax else { throw .file(path: path, reason: "is too large") }
        }
    }

    /// Reads a file that must be there, as UTF-8.
    package static func text(_ path: String) throws(BootstrapError) -> String {
        guard let bytes = try read(path) else { throw .file(path: path, reason: "is not there") }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Makes a file that must not be there yet; durable once its directory is synced.
    package static func create(
        _ path: String,
        _ bytes: [UInt8],
        mode: UInt32
    ) throws(BootstrapError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        // The mask of the process may take away what is wanted, never what is not.
        guard fchmod(descriptor, mode) == 0 else { throw failure(path) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure(path) }
            rest = rest.dropFirst(count)
        }
        guard fsync(descriptor) == 0 else { throw failure(path) }
    }

    /// Puts a file in the place of the one there may be, at one stroke; durable when it returns.
    package static func replace(
        _ path: String,
        _ bytes: [UInt8],
        mode: UInt32
    ) throws(BootstrapError) {
        let temporary = path + ".new"
        guard unlink(temporary) == 0 || errno == ENOENT else { throw failure(temporary) }
        try create(temporary, bytes, mode: mode)
        try rename(temporary, to: path)
    }

    /// Gives a file another name in its directory; durable when it returns.
    package static func rename(_ path: String, to newPath: String) throws(BootstrapError) {
        guard Glibc.rename(path, newPath) == 0 else { throw failure(path) }
        try syncDirectory(parent(of: newPath))
    }

    /// Makes a directory where there is none.
    package static func makeDirectory(_ path: String, mode: UInt32) throws(BootstrapError) {
        if mkdir(path, mode) == 0 {
            guard chmod(path, mode) == 0 else { throw failure(path) }
            return
        }
        guard errno == EEXIST else { throw failure(path) }
    }

    /// Makes a directory that must not be there yet.
    package static func createDirectory(_ path: String, mode: UInt32) throws(BootstrapError) {
        guard mkdir(path, mode) == 0, chmod(path, mode) == 0 else { throw failure(path) }
    }

    /// Makes the names in a directory durable.
    package static func syncDirectory(_ path: String) throws(BootstrapError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure(path) }
    }

    /// Whether something has that name; what cannot be looked at is not taken for missing.
    package static func exists(_ path: String) throws(BootstrapError) -> Bool {
        if faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 { return true }
        guard errno == ENOENT else { throw failure(path) }
        return false
    }

    /// The directory that holds a name.
    package static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func failure(_ path: String) -> BootstrapError {
        .file(path: path, reason: String(cString: strerror(errno)))
    }
}
