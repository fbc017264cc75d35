// SPDX-License-Identifier: Apache-2.0

import Crypto
import Foundation
import Glibc

/// Why a snapshot is not sent, or not taken.
enum SnapshotError: Error, Equatable {
    /// A call of the system failed.
    case io(path: String, reason: String)
    /// The offer is none that a member makes, or is beyond the bounds.
    case badOffer(String)
    /// A chunk that is not the next one, or not what its hash says.
    case badChunk(String)
    /// A file that came whole is not what the offer says.
    case corrupt(file: String)
    /// Another connection has taken the transfer over, or nobody knows of it any more.
    case superseded
    /// It comes no further; another try may go on from there.
    case stalled
    /// Too many others send at the same time, or this copy is just being taken.
    case busy
    /// The node could not make its copy.
    case checkpoint(String)
    /// The other side said so.
    case refused(String)

    /// Whether the same copy may be offered again: what has come so far is good.
    var isTransient: Bool {
        switch self {
        case .badChunk, .superseded, .busy: true
        case .io, .badOffer, .corrupt, .stalled, .checkpoint, .refused: false
        }
    }
}

/// Files of a copy of the state, on their way out of one directory and into another.
enum SnapshotFiles {
    /// A file of a copy, and what it has to be.
    struct File: Equatable, Sendable {
        var name: String
        var bytes: UInt64
        var sha256: [UInt8]
    }

    static let hashBytes = 32
    private static let readBytes = 1 << 20

    /// Makes a directory that holds nothing of an earlier run.
    static func clear(_ directory: String) throws(PeersError) {
        do {
            if FileManager.default.fileExists(atPath: directory) {
                try FileManager.default.removeItem(atPath: directory)
            }
            try FileManager.default.createDirectory(
                atPath: directory,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw .directory(path: directory, reason: error.localizedDescription)
        }
    }

    static func remove(_ path: String) throws(SnapshotError) {
        guard FileManager.default.fileExists(atPath: path) else { return }
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            throw .io(path: path, reason: error.localizedDescription)
        }
    }

    /// The files of a copy, in the order of their names, each read once for its hash.
    static func list(
        _ directory: String,
        isCancelled: () -> Bool
    ) throws(SnapshotError) -> [File] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
        } catch {
            throw .io(path: directory, reason: error.localizedDescription)
        }
        var files: [File] = []
        for name in names {
            guard !isCancelled() else { throw .superseded }
            guard isName(name) else {
                throw .checkpoint("the copy has a file that cannot be sent: \(name)")
            }
            let path = directory + "/" + name
            let file = try SnapshotFile(reading: path)
            defer { file.close() }
            var hash = SHA256()
            var bytes: UInt64 = 0
            while true {
                let part = try file.read(at: bytes, bytesMax: readBytes)
                guard !part.isEmpty else { break }
                hash.update(data: part)
                bytes += UInt64(part.count)
            }
            files.append(File(name: name, bytes: bytes, sha256: Array(hash.finalize())))
        }
        return files
    }

    /// Whether a peer may name a file so: a name of its own directory, never a way out of it.
    static func isName(_ name: String) -> Bool {
        ClusterIdentity.isName(name) && !name.contains("..")
    }

    /// Makes names durable that were made in a directory.
    static func sync(directory: String) throws(SnapshotError) {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .failed(directory) }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .failed(directory) }
    }
}

extension SnapshotError {
    /// What errno says of a path.
    static func failed(_ path: String) -> SnapshotError {
        .io(path: path, reason: String(cString: strerror(errno)))
    }
}

/// An open file.
struct SnapshotFile: Sendable {
    private let descriptor: CInt
    private let path: String

    init(reading path: String) throws(SnapshotError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw .failed(path) }
    }

    /// Makes a file that is not there yet.
    init(creating path: String) throws(SnapshotError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .failed(path) }
    }

    /// Up to so many bytes; none at the end of the file.
    func read(at offset: UInt64, bytesMax: Int) throws(SnapshotError) -> [UInt8] {
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: bytesMax) { buffer, count in
            var result = -1
            repeat {
                result = pread(descriptor, buffer.baseAddress, bytesMax, off_t(offset))
            } while result < 0 && errno == EINTR
            failed = result < 0
            count = max(0, result)
        }
        guard !failed else { throw .failed(path) }
        return bytes
    }

    func write(_ bytes: [UInt8], at offset: UInt64) throws(SnapshotError) {
        var done = 0
        while done < bytes.count {
            let result = bytes[done...].withUnsafeBytes { buffer in
                pwrite(descriptor, buffer.baseAddress, buffer.count, off_t(offset) + off_t(done))
            }
            if result < 0, errno == EINTR { continue }
            guard result > 0 else { throw .failed(path) }
            done += result
        }
    }

    func sync() throws(SnapshotError) {
        guard fsync(descriptor) == 0 else { throw .failed(path) }
    }

    func close() {
        _ = Glibc.close(descriptor)
    }
}
