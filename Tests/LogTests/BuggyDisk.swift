// SPDX-License-Identifier: Apache-2.0

import Log

/// A simulated disk with a bug planted in front of it, to show that the checkers see it.
struct BuggyDisk: Disk {
    enum Bug: String, Sendable, CaseIterable {
        /// fdatasync answers at once.
        case syncDataLies
        /// A third of the syncs does not happen.
        case syncDataIsSkippedAtTimes
        /// The directory is never synced.
        case syncDirectoryLies
        /// What should be cleared stays readable.
        case zerosAreNotWritten
        /// One bit of a long write comes out wrong at times.
        case bitsAreFlipped
    }

    typealias File = SimulatedDisk.File

    let base: SimulatedDisk
    let bug: Bug

    func syncData(_ file: File) throws(DiskError) {
        switch bug {
        case .syncDataLies: return
        case .syncDataIsSkippedAtTimes where base.diary.count % 3 == 0: return
        default: try base.syncData(file)
        }
    }

    func syncDirectory(_ directory: String) throws(DiskError) {
        if bug != .syncDirectoryLies { try base.syncDirectory(directory) }
    }

    func write(_ file: File, at offset: Int, _ bytes: [UInt8]) throws(DiskError) {
        var bytes = bytes
        if bug == .zerosAreNotWritten, bytes.allSatisfy({ $0 == 0 }) { return }
        if bug == .bitsAreFlipped, bytes.count > 500, base.diary.count % 7 == 0 {
            bytes[300] ^= 1
        }
        try base.write(file, at: offset, bytes)
    }

    func list(_ directory: String) throws(DiskError) -> [String] { try base.list(directory) }
    func makeDirectory(_ directory: String) throws(DiskError) { try base.makeDirectory(directory) }
    func open(_ path: String) throws(DiskError) -> File { try base.open(path) }
    func create(_ path: String) throws(DiskError) -> File { try base.create(path) }
    func size(of file: File) throws(DiskError) -> Int { try base.size(of: file) }
    func read(_ file: File, at offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        try base.read(file, at: offset, count: count)
    }
    func preallocate(_ file: File, size: Int) throws(DiskError) {
        try base.preallocate(file, size: size)
    }
    func rename(_ path: String, to newPath: String) throws(DiskError) {
        try base.rename(path, to: newPath)
    }
    func remove(_ path: String) throws(DiskError) { try base.remove(path) }
    func freeBytes(in directory: String) throws(DiskError) -> UInt64 {
        try base.freeBytes(in: directory)
    }
}
