// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// A disk in memory that forgets what was not synced, fills up and fails when told to.
///
/// A file holds what reads see and, apart from it, what would survive; a write is pending until its
/// file is synced, a name until its directory is. `crash` makes one of the disks that a loss of
/// power could leave.
///
/// INVARIANT: the same calls give the same results and the same diary; chance is handed in.
/// INVARIANT: a failed sync leaves its writes readable but neither durable nor pending, as kernels
/// do, so that a second sync says nothing about them.
package final class SimulatedDisk: Disk {
    /// An open file; it outlives its name.
    package struct File: Sendable {
        let inode: Int
    }

    /// A failure to come: the n-th call of a verb from now (1 is the next) fails.
    package struct Fault: Sendable {
        /// The verb that fails.
        package var operation: DiskOperation
        /// Which call of it from now.
        package var countdown: Int
        /// What it fails with.
        package var errno: Int32
        /// How many bytes of a failing write get through.
        package var bytesWritten: Int

        /// A failure of one call; nothing of a failing write gets through unless told.
        package init(
            _ operation: DiskOperation,
            at countdown: Int = 1,
            errno: Int32,
            bytesWritten: Int = 0
        ) {
            self.operation = operation
            self.countdown = countdown
            self.errno = errno
            self.bytesWritten = bytesWritten
        }

        /// The next call of a verb fails as that of a broken device does.
        package static func brokenDevice(
            _ operation: DiskOperation,
            bytesWritten: Int = 0
        ) -> Fault {
            Fault(operation, errno: EIO, bytesWritten: bytesWritten)
        }
    }

    static let sectorSize = 512

    let state: Mutex<State>

    /// An empty disk with one directory, `/`, and room for `capacityBytes` of file data.
    package convenience init(capacityBytes: Int = 1 << 30) {
        self.init(State(capacity: capacityBytes))
    }

    init(_ state: consuming State) {
        self.state = Mutex(state)
    }

    /// Every call that changes something, oldest first, as `verb path [offset+count]`.
    package var diary: [String] { state.withLock { $0.diary } }

    /// Forgets the diary so far.
    package func clearDiary() {
        state.withLock { $0.diary = [] }
    }

    /// Room for file data in bytes, used and free together; may shrink below what is used.
    package func setCapacity(_ bytes: Int) {
        state.withLock { $0.capacity = bytes }
    }

    /// Arms a failure.
    package func fail(_ fault: Fault) {
        state.withLock { $0.faults.append(fault) }
    }

    /// Forgets the failures that were armed and did not come.
    package func disarm() {
        state.withLock { $0.faults = [] }
    }

    /// Lets this many more changing calls happen; the power is off from the next one on.
    package func cutPower(afterOperations count: Int) {
        state.withLock { $0.operationsLeft = count }
    }

    /// Whether the power went off.
    package var isPowerOff: Bool { state.withLock { $0.operationsLeft == 0 && $0.hitPowerCut } }

    /// The bytes of a file as reads see them, for checkers; nil when there is no such name.
    package func contents(of path: String) -> [UInt8]? {
        state.withLock { state in
            state.names[path].map { state.inodes[$0].bytes }
        }
    }

    /// Changes a file behind everybody's back, durably: damage.
    package func damage(_ path: String, at offset: Int, _ bytes: [UInt8]) {
        state.withLock { state in
            guard let inode = state.names[path] else { return }
            for (index, byte) in bytes.enumerated() {
                state.inodes[inode].bytes[offset + index] = byte
                state.inodes[inode].durable[offset + index] = byte
            }
        }
    }
}

extension SimulatedDisk {
    /// The names in a directory, sorted.
    package func list(_ directory: String) throws(DiskError) -> [String] {
        try run(.list) { (state) throws(DiskError) in
            guard state.directories[directory] != nil else {
                throw DiskError(.list, errno: ENOENT)
            }
            let prefix = directory == "/" ? "/" : directory + "/"
            return (Array(state.names.keys) + Array(state.directories.keys))
                .filter { $0.hasPrefix(prefix) && $0 != "/" }
                .map { String($0.dropFirst(prefix.count)) }
                .filter { !$0.contains("/") }
                .sorted()
        }
    }

    /// Makes a directory.
    package func makeDirectory(_ directory: String) throws(DiskError) {
        try run(.makeDirectory, directory) { (state) throws(DiskError) in
            guard state.directories[directory] == nil, state.names[directory] == nil else {
                throw DiskError(.makeDirectory, errno: EEXIST)
            }
            guard state.directories[State.parent(of: directory)] != nil else {
                throw DiskError(.makeDirectory, errno: ENOENT)
            }
            state.directories[directory] = []
            state.note(.makeDirectory(directory), in: State.parent(of: directory))
        }
    }

    /// Opens a file that exists.
    package func open(_ path: String) throws(DiskError) -> File {
        try run(.open) { (state) throws(DiskError) in
            guard let inode = state.names[path] else { throw DiskError(.open, errno: ENOENT) }
            return File(inode: inode)
        }
    }

    /// Makes an empty file; `EEXIST` when the name is taken.
    package func create(_ path: String) throws(DiskError) -> File {
        try run(.create, path) { (state) throws(DiskError) in
            guard state.names[path] == nil, state.directories[path] == nil else {
                throw DiskError(.create, errno: EEXIST)
            }
            guard state.directories[State.parent(of: path)] != nil else {
                throw DiskError(.create, errno: ENOENT)
            }
            state.inodes.append(Inode(path: path))
            let inode = state.inodes.count - 1
            state.names[path] = inode
            state.note(.link(path, inode), in: State.parent(of: path))
            return File(inode: inode)
        }
    }

    /// The length in bytes.
    package func size(of file: File) throws(DiskError) -> Int {
        try run(.size) { (state) throws(DiskError) in state.inodes[file.inode].bytes.count }
    }

    /// Reads up to `count` bytes; fewer only at the end.
    package func read(_ file: File, at offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        try run(.read) { (state) throws(DiskError) in
            let bytes = state.inodes[file.inode].bytes
            let start = min(offset, bytes.count)
            return Array(bytes[start..<min(start + count, bytes.count)])
        }
    }

    /// Writes all of `bytes`.
    package func write(
        _ file: File,
        at offset: Int,
        _ bytes: [UInt8]
    ) throws(DiskError) {
        let range = "\(offset)+\(bytes.count)"
        try run(.write, file, range) { (state) throws(DiskError) in
            if let fault = state.takeFault(.write) {
                state.write(file.inode, offset, Array(bytes.prefix(fault.bytesWritten)))
                throw DiskError(.write, errno: fault.errno)
            }
            let room = state.room(file.inode, at: offset)
            state.write(file.inode, offset, Array(bytes.prefix(room)))
            guard room >= bytes.count else { throw DiskError(.write, errno: ENOSPC) }
        }
    }

    /// Reserves blocks up to `size` bytes.
    package func preallocate(_ file: File, size: Int) throws(DiskError) {
        try run(.preallocate, file, "\(size)") { (state) throws(DiskError) in
            let held = state.inodes[file.inode].bytes.count
            guard size > held else { return }
            guard size - held <= state.free else {
                throw DiskError(.preallocate, errno: ENOSPC)
            }
            state.write(file.inode, held, [UInt8](repeating: 0, count: size - held))
        }
    }

    /// Makes data and length durable.
    package func syncData(_ file: File) throws(DiskError) {
        try run(.syncData, file, "") { (state) throws(DiskError) in
            if let fault = state.takeFault(.syncData) {
                state.inodes[file.inode].pending = []
                throw DiskError(.syncData, errno: fault.errno)
            }
            state.inodes[file.inode].settle()
        }
    }

    /// Makes names durable.
    package func syncDirectory(_ directory: String) throws(DiskError) {
        try run(.syncDirectory, directory) { (state) throws(DiskError) in
            guard let changes = state.directories[directory] else {
                throw DiskError(.syncDirectory, errno: ENOENT)
            }
            for change in changes { state.makeDurable(change) }
            state.directories[directory] = []
        }
    }

    /// Gives a file another name at one stroke.
    package func rename(_ path: String, to newPath: String) throws(DiskError) {
        try run(.rename, path + " " + newPath) { (state) throws(DiskError) in
            guard let inode = state.names[path] else { throw DiskError(.rename, errno: ENOENT) }
            if path == newPath { return }
            guard State.parent(of: path) == State.parent(of: newPath) else {
                throw DiskError(.rename, errno: EXDEV)
            }
            state.names[path] = nil
            state.names[newPath] = inode
            state.inodes[inode].path = newPath
            state.note(.rename(path, newPath, inode), in: State.parent(of: path))
        }
    }

    /// Takes a name away.
    package func remove(_ path: String) throws(DiskError) {
        try run(.remove, path) { (state) throws(DiskError) in
            guard state.names[path] != nil else { throw DiskError(.remove, errno: ENOENT) }
            state.names[path] = nil
            state.note(.unlink(path), in: State.parent(of: path))
        }
    }

    /// Room left in bytes.
    package func freeBytes(in directory: String) throws(DiskError) -> UInt64 {
        try run(.freeBytes) { (state) throws(DiskError) in UInt64(state.free) }
    }

    /// A verb that changes nothing.
    private func run<R: Sendable>(
        _ operation: DiskOperation,
        _ body: (inout State) throws(DiskError) -> R
    ) throws(DiskError) -> R {
        try state.withLock { (state) throws(DiskError) in
            if state.hitPowerCut { throw DiskError(operation, errno: EIO) }
            try state.failIfArmed(operation)
            return try body(&state)
        }
    }

    /// A verb that changes a name.
    private func run<R: Sendable>(
        _ operation: DiskOperation,
        _ detail: String,
        _ body: (inout State) throws(DiskError) -> R
    ) throws(DiskError) -> R {
        try state.withLock { (state) throws(DiskError) in
            try state.begin(operation, detail)
            try state.failIfArmed(operation)
            return try body(&state)
        }
    }

    /// A verb that changes a file; writes and syncs look for their faults themselves.
    private func run(
        _ operation: DiskOperation,
        _ file: File,
        _ detail: String,
        _ body: (inout State) throws(DiskError) -> Void
    ) throws(DiskError) {
        try state.withLock { (state) throws(DiskError) in
            let path = state.inodes[file.inode].path
            try state.begin(operation, detail.isEmpty ? path : path + " " + detail)
            if operation == .preallocate { try state.failIfArmed(operation) }
            try body(&state)
        }
    }
}
