// SPDX-License-Identifier: Apache-2.0

import Glibc
import Log
import Synchronization
import Testing

private func look(_ disk: SimulatedDisk) throws(LogError) -> LogInspection<SimulatedDisk> {
    try LogInspection(of: logDirectory, on: disk)
}

private func copy(_ disk: SimulatedDisk) -> SimulatedDisk {
    var generator = SplitMix64(seed: 13)
    return disk.crash(.keepsAll, using: &generator)
}

private func flip(_ disk: SimulatedDisk, _ path: String, _ offset: Int) {
    guard let byte = disk.contents(of: path)?[offset] else { return }
    disk.damage(path, at: offset, [byte ^ (1 << UInt8(offset % 8))])
}

/// The bytes of every file.
private func bytes(_ disk: SimulatedDisk) throws -> [String: [UInt8]] {
    var all: [String: [UInt8]] = [:]
    for name in try disk.list(logDirectory) {
        all[name] = disk.contents(of: logDirectory + "/" + name)
    }
    return all
}

@Suite("a look at a log that changes nothing")
struct LogInspectionTests {
    /// Entries 1 to 30 in several segments, the last write settled.
    private func severalSegments() throws -> SimulatedDisk {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        for index in UInt64(1)...30 { try log.append([entry(index, term: index / 10, size: 1000)]) }
        try log.settle()
        return disk
    }

    @Test("says which segments there are and what is in each")
    func segments() throws {
        let disk = try severalSegments()
        let look = try look(disk)
        #expect(look.fault == nil && look.tornTail == nil)
        #expect((look.firstIndex, look.lastIndex, look.lastTerm) == (1, 30, 3))
        #expect(look.entryCount == 30 && look.leftoverCount == 0)
        #expect(try look.segments.map(\.path) == segmentPaths(on: disk))
        #expect(look.segments.map(\.isSealed) == [true, true, true, true, false])
        #expect(look.segments.map(\.firstIndex) == [1, 8, 15, 22, 29])
        #expect(look.segments.map(\.lastIndex) == [7, 14, 21, 28, 30])
        #expect(look.segments.map(\.lastTerm) == [0, 1, 2, 2, 3])
        #expect(look.segments[0].usedBytes == 4096 + 7 * 1040)
        #expect(look.spareCount == 1)
        #expect(try look.entries(from: 31, bytesMax: 100).isEmpty)
        for index in [UInt64(0), 32] {
            let error = failure { () throws(LogError) in
                _ = try look.entries(from: index, bytesMax: 100)
            }
            #expect(error == .outOfRange(index: index, first: 1, last: 30))
        }
    }

    @Test("of every damage it says what opening says, reads what is before, and leaves it so")
    func sameVerdict() throws {
        let disk = try severalSegments()
        let expected = try all(open(on: copy(disk)))
        var refused = 0
        for path in try segmentPaths(on: disk) {
            for offset in stride(from: 0, to: smallLimits.segmentSizeBytes, by: 61) {
                let damaged = copy(disk)
                flip(damaged, path, offset)
                let before = try bytes(damaged)
                let look = try look(damaged)
                #expect(try bytes(damaged) == before && damaged.diary.isEmpty)
                let seen = try all(look)
                #expect(seen == Array(expected.prefix(seen.count)), "byte \(offset) of \(path)")
                let error = failure { () throws(LogError) in _ = try open(on: damaged) }
                #expect(look.fault == error, "byte \(offset) of \(path)")
                if error == nil { #expect(seen == expected) } else { refused += 1 }
            }
        }
        #expect(refused > 500)
    }

    @Test("what can be read ends at the fault")
    func upToTheFault() throws {
        let disk = try severalSegments()
        let path = try segmentPaths(on: disk)[2]
        flip(disk, path, 4096 + 3 * 1040 + 100)
        let look = try look(disk)
        guard case .corrupt(path, 4096 + 3 * 1040, _) = look.fault else {
            Issue.record("\(String(describing: look.fault))")
            return
        }
        #expect((look.firstIndex, look.lastIndex) == (1, 17))
        #expect(look.segments.count == 3)
        flip(disk, path, 20)
        #expect(try all(LogInspection(of: logDirectory, on: disk)).map(\.index) == Array(1...14))
    }

    @Test("missing segments, unreadable ones, a missing directory and an empty one")
    func missing() throws {
        let disk = try severalSegments()
        for path in try segmentPaths(on: disk) {
            let copy = copy(disk)
            try copy.remove(path)
            let look = try look(copy)
            #expect(look.fault == failure { () throws(LogError) in _ = try open(on: copy) })
        }
        disk.fail(.init(.read, at: 2, errno: EIO))
        disk.fail(.init(.read, at: 4, errno: EIO))
        let second = try segmentPaths(on: disk)[1]
        #expect(try look(disk).fault == .io(operation: .read, path: second, errno: EIO))
        disk.disarm()

        let spares = SimulatedDisk()
        var log = try open(on: spares)
        try log.append(entries(1...40, size: 1000))
        try log.discardPrefix(through: 40)
        for path in try segmentPaths(on: spares) { try spares.remove(path) }
        let fault = try look(spares).fault
        #expect(isCorrupt(fault))
        #expect(fault == failure { () throws(LogError) in _ = try open(on: spares) })

        let none = SimulatedDisk()
        let error = failure { () throws(LogError) in
            _ = try LogInspection(of: logDirectory, on: none)
        }
        #expect(error == .io(operation: .list, path: logDirectory, errno: ENOENT))
        try none.makeDirectory(logDirectory)
        let look = try look(none)
        #expect(look.fault == nil && look.segments.isEmpty && look.entryCount == 0)
    }

    @Test("an unfinished write is told and is no fault")
    func tornTail() throws {
        var seen = 0
        for seed in UInt64(0)..<60 {
            var generator = SplitMix64(seed: seed)
            let disk = SimulatedDisk()
            var log = try open(on: disk)
            try log.append(entries(1...3))
            disk.cutPower(afterOperations: 1)
            _ = failure { () throws(LogError) in try log.append(entries(4...10, size: 500)) }
            let crashed = disk.crash(using: &generator)
            let look = try look(crashed)
            #expect(look.fault == nil, "seed \(seed)")
            let again = try open(on: crashed)
            #expect(look.tornTail == again.recovery.tornTail, "seed \(seed)")
            #expect(try all(look) == all(again), "seed \(seed)")
            if look.tornTail != nil { seen += 1 }
        }
        #expect(seen > 20)
    }

    @Test("on the disk of the machine it opens nothing for writing")
    func posix() throws {
        let directory = TemporaryDirectory()
        let path = directory.path + "/log"
        var log = try DurableLog(opening: path, on: PosixDisk(), limits: smallLimits)
        try log.append(entries(1...20, size: 1000))
        let disk = PosixDisk.readOnly
        let look = try LogInspection(of: path, on: disk)
        #expect(look.fault == nil)
        #expect(try all(look) == entries(1...20, size: 1000))
        let error = failure { () throws(LogError) in
            _ = try DurableLog(opening: path, on: disk, limits: smallLimits)
        }
        guard case .io(_, _, EROFS) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        let file = try disk.open(look.segments[0].path)
        #expect(throws: DiskError(.write, errno: EROFS)) { try disk.write(file, at: 0, [1]) }
        #expect(throws: DiskError(.syncData, errno: EROFS)) { try disk.syncData(file) }
        #expect(throws: DiskError(.create, errno: EROFS)) { try disk.create(path + "/x") }
        #expect(throws: DiskError(.remove, errno: EROFS)) { try disk.remove(path + "/x") }
    }
}

@Suite("a look at a log that is being written")
struct LiveLogInspectionTests {
    /// A disk on which something happens after the first calls of a verb.
    private final class BusyDisk: Disk {
        typealias File = SimulatedDisk.File

        let base: SimulatedDisk
        private let change: @Sendable (Int) -> Void
        private let lists = Mutex(0)

        init(_ base: SimulatedDisk, change: @escaping @Sendable (Int) -> Void) {
            self.base = base
            self.change = change
        }

        func list(_ directory: String) throws(DiskError) -> [String] {
            let names = try base.list(directory)
            change(
                lists.withLock {
                    $0 += 1
                    return $0
                }
            )
            return names
        }

        func open(_ path: String) throws(DiskError) -> File { try base.open(path) }
        func size(of file: File) throws(DiskError) -> Int { try base.size(of: file) }
        func read(_ file: File, at offset: Int, count: Int) throws(DiskError) -> [UInt8] {
            try base.read(file, at: offset, count: count)
        }
        // A look needs no more.
        func makeDirectory(_ directory: String) throws(DiskError) { throw Self.refusal }
        func create(_ path: String) throws(DiskError) -> File { throw Self.refusal }
        func write(_ file: File, at offset: Int, _ bytes: [UInt8]) throws(DiskError) {
            throw Self.refusal
        }
        func preallocate(_ file: File, size: Int) throws(DiskError) { throw Self.refusal }
        func syncData(_ file: File) throws(DiskError) { throw Self.refusal }
        func syncDirectory(_ directory: String) throws(DiskError) { throw Self.refusal }
        func rename(_ path: String, to newPath: String) throws(DiskError) { throw Self.refusal }
        func remove(_ path: String) throws(DiskError) { throw Self.refusal }
        func freeBytes(in directory: String) throws(DiskError) -> UInt64 { throw Self.refusal }

        private static let refusal = DiskError(.write, errno: EROFS)
    }

    @Test("a log that grows, rolls and is shortened under the look is not taken for damaged")
    func changes() throws {
        for stop in 1...6 {
            let disk = SimulatedDisk()
            let log = Mutex(try open(on: disk))
            try log.withLock { try $0.append(entries(1...30, size: 1000)) }
            let busy = BusyDisk(disk) { count in
                guard count <= stop else { return }
                log.withLock { log in
                    let next = log.lastIndex + 1
                    try? log.append(entries(next...(next + 15), size: 1000))
                    try? log.discardPrefix(through: next - 5)
                }
            }
            let look = try LogInspection(of: logDirectory, on: busy)
            #expect(look.fault == nil, "\(stop) changes")
            let last = log.withLock { $0.lastIndex }
            #expect(look.lastIndex == last)
        }
    }

    @Test("damage in a log that is being written is found all the same")
    func damage() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        try log.append(entries(1...30, size: 1000))
        let path = try #require(try segmentPaths(on: disk).first)
        flip(disk, path, 4096 + 100)
        let next = Mutex(log)
        let busy = BusyDisk(disk) { _ in
            next.withLock { log in try? log.append([entry(log.lastIndex + 1)]) }
        }
        let look = try LogInspection(of: logDirectory, on: busy)
        guard case .corrupt(path, 4096, _) = look.fault else {
            Issue.record("\(String(describing: look.fault))")
            return
        }
    }

    @Test("entries whose file is used again are gone, not damaged")
    func usedAgain() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        try log.append(entries(1...30, size: 1000))
        let look = try LogInspection(of: logDirectory, on: disk)
        try log.discardPrefix(through: 30)
        #expect(try look.entries(from: 1, bytesMax: 2000) == entries(1...1, size: 1000))
        try log.append(entries(31...60, size: 1000))
        let error = failure { () throws(LogError) in
            _ = try look.entries(from: 1, bytesMax: 2000)
        }
        #expect(error == .outOfRange(index: 1, first: 1, last: 30))
    }
}

@Suite("a look at the file of what a member must not forget")
struct MemberInspectionTests {
    private let path = logDirectory + "/member"
    private let voted = MemberState(member: 3, incarnation: 9, term: 5, vote: 2)

    private func written() throws -> SimulatedDisk {
        let disk = SimulatedDisk()
        let first = MemberState(member: 3, incarnation: 9)
        var file = try MemberFile.create(in: logDirectory, on: disk, first)
        try file.write(voted)
        disk.clearDiary()
        return disk
    }

    @Test("which copies are whole and what is in them")
    func copies() throws {
        let none = SimulatedDisk()
        #expect(try MemberInspection(of: logDirectory, on: none) == nil)
        let disk = try written()
        let look = try #require(try MemberInspection(of: logDirectory, on: disk))
        #expect(look.path == path && look.isWhole && look.fault == nil)
        #expect(look.state == voted)
        #expect(look.copies == [.whole(sequence: 2, voted), .whole(sequence: 2, voted)])
    }

    @Test("damage to one copy is told and no fault; to both, what an opening says")
    func damage() throws {
        let disk = try written()
        flip(disk, path, 4096 + 41)
        let before = disk.contents(of: path)
        let one = try #require(try MemberInspection(of: logDirectory, on: disk))
        #expect(one.state == voted && one.fault == nil && !one.isWhole)
        #expect(one.copies[0] == .whole(sequence: 2, voted))
        #expect(one.copies[1] == .damaged(reason: "the copy fails its checksum"))
        flip(disk, path, 3)
        let both = try #require(try MemberInspection(of: logDirectory, on: disk))
        #expect(both.state == nil)
        #expect(disk.contents(of: path)?.suffix(4096) == before?.suffix(4096))
        #expect(disk.diary.isEmpty)
        let error = failure { () throws(LogError) in
            _ = try MemberFile.open(in: logDirectory, on: disk)
        }
        #expect(both.fault == error && error != nil)
    }
}
