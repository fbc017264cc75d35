// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// The mount refuses what it was asked for (ESTALE), because nobody vouches for its state.
struct StaleTree: Error, CustomStringConvertible {
    var description: String {
        "\(String(cString: strerror(ESTALE))): the mount shows nothing now; no copy is made"
    }
}

/// Copies the tree, read through the mount: there it has its names, bytes and permissions.
///
/// INVARIANT: `current` is a whole copy at every moment, or is not there yet.
struct ExportWriter: Sendable {
    let tree: String
    let directory: String
    let format: Export.Format
    let parts: [String]

    private static let prefix = "..data-"

    /// Makes a copy and puts it into the place of the one before.
    ///
    /// Throws ``StaleTree`` where the mount shows nothing now; the copy before stays.
    func export() throws {
        let root = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard root >= 0 else { throw Failure(.cannotTell, "\(tree) cannot be read") }
        defer { close(root) }
        // By this descriptor: were the mount to go, its empty directory would be no copy of it.
        let source = "/proc/self/fd/\(root)"
        guard access(source + "/cluster/role", F_OK) == 0 else {
            throw Failure(.cannotTell, "nothing is mounted on \(tree)")
        }
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
        let older = try FileManager.default.contentsOfDirectory(atPath: directory)
            .filter { $0.hasPrefix(Self.prefix) }
        let newest = older.compactMap { Int($0.dropFirst(Self.prefix.count)) }.max() ?? 0
        let name = "\(Self.prefix)\(newest + 1)"
        do {
            try write(from: source, to: "\(directory)/\(name)")
            try publish(name)
        } catch {
            remove(name)
            throw error
        }
        older.forEach(remove)
    }

    private func write(from source: String, to target: String) throws {
        guard mkdir(target, 0o755) == 0 else { throw Self.failure(target) }
        let wanted = try parts.sorted().flatMap { try paths(below: $0, in: source) }
        switch format {
        case .files: for path in wanted { try Self.copy(path, from: source, to: target) }
        case .env:
            let lines = try wanted.map { try Self.assignment(of: $0, in: source) }
            try Self.create(target + "/env", Array(lines.joined()), mode: 0o600)
        }
    }

    /// The exchange: rename(2) of a link over the other.
    private func publish(_ name: String) throws {
        let link = directory + "/..current"
        unlink(link)
        guard symlink(name, link) == 0, rename(link, directory + "/current") == 0 else {
            throw Self.failure(directory + "/current")
        }
    }

    private func remove(_ name: String) {
        // What is left behind goes with the next copy.
        try? FileManager.default.removeItem(atPath: "\(directory)/\(name)")
    }

    /// The directories `sessions` below users and groups are asked for like the one above them.
    private func isWanted(_ path: String) -> Bool {
        let names = path.split(separator: "/")
        guard names.count == 3, names[2] == "sessions", names[0] != "context" else { return true }
        return parts.contains(Export.Part.sessions.rawValue)
    }
}

/// Reading the tree. What vanishes meanwhile is left out: a change that leads to the next copy.
extension ExportWriter {
    /// A path and all below it, directories before what is in them.
    private func paths(below path: String, in source: String) throws -> [String] {
        guard isWanted(path), let status = try Self.status(of: "\(source)/\(path)") else {
            return []
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { return [path] }
        let names = try Self.again { try Self.names(in: "\(source)/\(path)") }
        guard let names else { return [] }
        return [path] + (try names.flatMap { try paths(below: "\(path)/\($0)", in: source) })
    }

    private static func names(in path: String) throws -> [String]? {
        guard let stream = opendir(path) else { return try nothing(at: path) }
        defer { closedir(stream) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
            errno = 0
        }
        // Where the end was not reached, these are not all the names.
        return errno == 0 ? names : try nothing(at: path)
    }

    private static func copy(_ path: String, from source: String, to target: String) throws {
        let (from, to) = ("\(source)/\(path)", "\(target)/\(path)")
        guard let status = try status(of: from) else { return }
        switch status.st_mode & S_IFMT {
        case S_IFDIR:
            guard mkdir(to, 0o700) == 0 else { throw failure(to) }
        case S_IFLNK:
            // It has gone: that is another change.
            guard let link = try again({ try destination(of: from) }) else { return }
            guard symlink(link, to) == 0 else { throw failure(to) }
        default:
            guard let bytes = try again({ try contents(of: from) }) else { return }
            try create(to, bytes, mode: 0o600)
        }
        // Last, so that nobody sees more in between; only root gives files away.
        let isChanged =
            lchown(to, status.st_uid, status.st_gid) == 0 || geteuid() != 0
        let mode = status.st_mode & 0o7777
        let isLink = status.st_mode & S_IFMT == S_IFLNK
        guard isChanged, isLink || chmod(to, mode) == 0 else { throw failure(to) }
    }

    /// `KEY='value'`; in single quotes nothing but the quote itself means anything to a shell.
    private static func assignment(of path: String, in source: String) throws -> [UInt8] {
        guard let status = try status(of: "\(source)/\(path)"),
            status.st_mode & S_IFMT == S_IFREG,
            let value = try again({ try contents(of: "\(source)/\(path)") })
        else { return [] }
        guard !value.contains(0) else {
            Console.error("brokerfs: \(path) holds a NUL, which no variable can: left out")
            return []
        }
        return assignment(path, value)
    }

    static func assignment(_ path: String, _ value: [UInt8]) -> [UInt8] {
        let quoted = value.flatMap { $0 == UInt8(ascii: "'") ? Array("'\\''".utf8) : [$0] }
        return Array("\(key(path))='".utf8) + quoted + Array("'\n".utf8)
    }

    /// Different paths have different keys.
    static func key(_ path: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        let bytes = path.utf8.flatMap { byte -> [UInt8] in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                [byte]
            case UInt8(ascii: "/"): Array("__".utf8)
            default: [UInt8(ascii: "_"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return "BROKERFS_" + String(decoding: bytes, as: UTF8.self)
    }

    private static func contents(of path: String) throws -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return try nothing(at: path) }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 128 << 10)
        while true {
            let count = read(file, &buffer, buffer.count)
            if count < 0 { return try nothing(at: path) }
            if count == 0 { return bytes }
            bytes += buffer.prefix(count)
        }
    }

    private static func create(_ path: String, _ bytes: [UInt8], mode: mode_t) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard file >= 0 else { throw failure(path) }
        defer { close(file) }
        guard Console.writeAll(bytes[...], to: file) else { throw failure(path) }
    }

    private static func status(of path: String) throws -> stat? {
        try again {
            var status = stat()
            return lstat(path, &status) == 0 ? status : try nothing(at: path)
        }
    }

    private static func destination(of path: String) throws -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &buffer, buffer.count)
        guard count >= 0 else { return try nothing(at: path) }
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Reads once more, by the name, what another took the place of while it was read.
    ///
    /// That is ESTALE, too; but then the name leads to something, and a mount that refuses to show
    /// anything refuses this as well.
    static func again<T>(_ read: () throws -> T) throws -> T {
        do {
            return try read()
        } catch is StaleTree {
            return try read()
        }
    }

    /// What comes of a failed call: nil where what it was about has been removed or revoked.
    private static func nothing<T>(at path: String) throws -> T? {
        switch errno {
        case ENOENT, ENOTDIR, EKEYREVOKED: return nil
        case ESTALE: throw StaleTree()
        default: throw failure(path)
        }
    }

    private static func failure(_ path: String) -> Failure {
        Failure(.cannotTell, "\(path): \(String(cString: strerror(errno)))")
    }
}
