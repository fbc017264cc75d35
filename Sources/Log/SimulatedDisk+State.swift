// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// What a simulated disk holds and what a crash leaves of it.
extension SimulatedDisk {
    /// Bytes that were written at an offset and not synced yet.
    struct PendingWrite {
        var offset: Int
        var bytes: [UInt8]
    }

    /// A file's data, whatever its name.
    struct Inode {
        /// The name it has or had last, for the diary.
        var path: String
        var bytes: [UInt8] = []
        var durable: [UInt8] = []
        var pending: [PendingWrite] = []

        /// Makes every pending write durable.
        mutating func settle() {
            for write in pending { Self.put(write.bytes[...], at: write.offset, in: &durable) }
            pending = []
        }

        static func put(_ piece: ArraySlice<UInt8>, at offset: Int, in bytes: inout [UInt8]) {
            let end = offset + piece.count
            if bytes.count < end {
                bytes += [UInt8](repeating: 0, count: end - bytes.count)
            }
            bytes.replaceSubrange(offset..<end, with: piece)
        }
    }

    /// A change of a directory that was not synced yet.
    enum NameChange {
        case makeDirectory(String)
        case link(String, Int)
        case rename(String, String, Int)
        case unlink(String)
    }

    struct State {
        var capacity: Int
        var inodes: [Inode] = []
        var names: [String: Int] = [:]
        var durableNames: [String: Int] = [:]
        /// Each directory with its changes that are not durable.
        var directories: [String: [NameChange]] = ["/": []]
        var durableDirectories: Set<String> = ["/"]
        var faults: [Fault] = []
        var operationsLeft: Int?
        var hitPowerCut = false
        var diary: [String] = []

        init(capacity: Int) {
            self.capacity = capacity
        }

        /// Files without a name take no room.
        var free: Int {
            max(0, capacity - names.values.reduce(0) { $0 + inodes[$1].bytes.count })
        }

        static func parent(of path: String) -> String {
            guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
            return String(path[..<slash])
        }

        /// Notes a changing call, unless the power is off.
        mutating func begin(_ operation: DiskOperation, _ detail: String) throws(DiskError) {
            if let left = operationsLeft {
                guard left > 0 else {
                    hitPowerCut = true
                    throw DiskError(operation, errno: EIO)
                }
                operationsLeft = left - 1
            }
            diary.append(operation.rawValue + " " + detail)
        }

        mutating func takeFault(_ operation: DiskOperation) -> Fault? {
            for index in faults.indices where faults[index].operation == operation {
                faults[index].countdown -= 1
                if faults[index].countdown == 0 { return faults.remove(at: index) }
            }
            return nil
        }

        mutating func failIfArmed(_ operation: DiskOperation) throws(DiskError) {
            guard let fault = takeFault(operation) else { return }
            throw DiskError(operation, errno: fault.errno)
        }

        mutating func note(_ change: NameChange, in directory: String) {
            directories[directory, default: []].append(change)
        }

        /// How many bytes can be written at `offset`: blocks the file holds, and free ones.
        func room(_ inode: Int, at offset: Int) -> Int {
            max(0, inodes[inode].bytes.count + free - offset)
        }

        mutating func write(_ inode: Int, _ offset: Int, _ bytes: [UInt8]) {
            guard !bytes.isEmpty else { return }
            Inode.put(bytes[...], at: offset, in: &inodes[inode].bytes)
            inodes[inode].pending.append(PendingWrite(offset: offset, bytes: bytes))
        }

        /// Whether a name leads to the file, or did durably.
        func mayBeNamed(_ inode: Int) -> Bool {
            names.values.contains(inode) || durableNames.values.contains(inode)
                || directories.values.joined().contains { change in
                    switch change {
                    case .link(_, inode), .rename(_, _, inode): true
                    default: false
                    }
                }
        }

        mutating func makeDurable(_ change: NameChange) {
            switch change {
            case .makeDirectory(let path): durableDirectories.insert(path)
            case .link(let path, let inode): durableNames[path] = inode
            case .rename(let path, let newPath, let inode):
                // A rename whose beginning was lost gives the file its new name all the same.
                if durableNames[path] == inode { durableNames[path] = nil }
                durableNames[newPath] = inode
            case .unlink(let path): durableNames[path] = nil
            }
        }
    }

    /// How much of what was not synced survives.
    package enum CrashMode: Sendable, CaseIterable {
        case losesAll
        case keepsAll
        /// Each sector of each write, and each change of a name, on its own.
        case mixes
    }

    /// One of the disks that a loss of power now could leave; this one is not changed.
    package func crash<G: RandomNumberGenerator>(
        _ mode: CrashMode = .mixes,
        using generator: inout G
    ) -> SimulatedDisk {
        var old = state.withLock { $0 }
        var inodes: [Inode] = []
        for (number, inode) in old.inodes.enumerated() {
            // A file that neither has a name nor may get one back is gone.
            guard old.mayBeNamed(number) else {
                inodes.append(Inode(path: inode.path))
                continue
            }
            let bytes = Self.survivor(of: inode, mode, &generator)
            inodes.append(Inode(path: inode.path, bytes: bytes, durable: bytes))
        }
        for directory in old.directories.keys.sorted() {
            for change in old.directories[directory] ?? []
            where Self.survives(mode, &generator) { old.makeDurable(change) }
        }
        var new = State(capacity: old.capacity)
        new.inodes = inodes
        new.durableDirectories = old.durableDirectories
        for directory in old.durableDirectories { new.directories[directory] = [] }
        // A name in a directory that was lost is lost with it.
        new.durableNames = old.durableNames.filter { name, _ in
            new.directories[State.parent(of: name)] != nil
        }
        new.names = new.durableNames
        for (path, inode) in new.names { new.inodes[inode].path = path }
        return SimulatedDisk(new)
    }

    /// Sectors reach the disk one by one and in any order; the last that did is what is there.
    private static func survivor<G: RandomNumberGenerator>(
        of inode: Inode,
        _ mode: CrashMode,
        _ generator: inout G
    ) -> [UInt8] {
        var bytes = inode.durable
        for write in inode.pending {
            var start = 0
            // Long writes come in runs, or almost every one of them would be torn near its start.
            var kept = survives(mode, &generator)
            while start < write.bytes.count {
                let toBoundary = sectorSize - (write.offset + start) % sectorSize
                let end = min(write.bytes.count, start + toBoundary)
                if kept {
                    Inode.put(write.bytes[start..<end], at: write.offset + start, in: &bytes)
                }
                start = end
                if mode == .mixes, generator.next() % 3 == 0 { kept.toggle() }
            }
        }
        return bytes
    }

    private static func survives<G: RandomNumberGenerator>(
        _ mode: CrashMode,
        _ generator: inout G
    ) -> Bool {
        switch mode {
        case .losesAll: false
        case .keepsAll: true
        case .mixes: generator.next() % 2 == 0
        }
    }
}
