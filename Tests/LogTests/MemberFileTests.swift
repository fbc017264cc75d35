// SPDX-License-Identifier: Apache-2.0

import Glibc
import Log
import Testing

private let memberPath = logDirectory + "/member"
private let first = MemberState(member: 3, incarnation: 99)
private let voted = MemberState(
    member: 3,
    incarnation: 99,
    term: 5,
    vote: 2,
    installing: .init(index: 40, term: 4)
)

/// A file that was made and then written once.
private func written(on disk: SimulatedDisk = SimulatedDisk()) throws -> SimulatedDisk {
    var file = try MemberFile.create(in: logDirectory, on: disk, first)
    try file.write(voted)
    return disk
}

private func state<D: Disk>(
    on disk: D,
    in directory: String = logDirectory
) throws(LogError) -> MemberState? {
    try MemberFile.open(in: directory, on: disk)?.state
}

private func copy(_ disk: SimulatedDisk) -> SimulatedDisk {
    var generator = SplitMix64(seed: 12)
    return disk.crash(.keepsAll, using: &generator)
}

private func flip(_ disk: SimulatedDisk, _ offset: Int) {
    guard let byte = disk.contents(of: memberPath)?[offset] else { return }
    disk.damage(memberPath, at: offset, [byte ^ (1 << UInt8(offset % 8))])
}

@Suite("the file of what a member must not forget")
struct MemberFileTests {
    /// What the file does on every disk.
    private func keepsPromises<D: Disk>(on disk: D, in directory: String) throws {
        #expect(try state(on: disk, in: directory) == nil)
        #expect(try !DurableLog.hasSegments(in: directory, on: disk))
        var file = try MemberFile.create(in: directory, on: disk, first)
        #expect(file.state == first)
        #expect(try state(on: disk, in: directory) == first)
        try file.write(voted)
        #expect(file.state == voted)
        var again = try #require(try MemberFile.open(in: directory, on: disk))
        #expect(again.state == voted)
        var next = voted
        next.term = 6
        next.vote = nil
        next.installing = nil
        try again.write(next)
        #expect(try state(on: disk, in: directory) == next)
        #expect(try disk.size(of: disk.open(directory + "/member")) == 8192)
        let error = failure { () throws(LogError) in
            _ = try MemberFile.create(in: directory, on: disk, first)
        }
        let path = directory + "/member"
        #expect(error == .io(operation: .create, path: path, errno: EEXIST))
        #expect(try state(on: disk, in: directory) == next)
        #expect(try disk.list(directory) == ["member"])
    }

    @Test("on the disk of the machine")
    func posix() throws {
        let directory = TemporaryDirectory()
        try keepsPromises(on: PosixDisk(), in: directory.path + "/log")
    }

    @Test("on the simulated disk")
    func simulated() throws {
        try keepsPromises(on: SimulatedDisk(), in: logDirectory)
    }

    @Test("the log and the file leave each other alone in one directory")
    func besideTheLog() throws {
        let disk = try written()
        _ = try disk.create(logDirectory + "/member.new")
        _ = try disk.create(logDirectory + "/notes")
        #expect(try !DurableLog.hasSegments(in: logDirectory, on: disk))
        var log = try open(on: disk)
        #expect(try DurableLog.hasSegments(in: logDirectory, on: disk))
        try log.append(entries(1...40, size: 1000))
        try log.discardPrefix(through: 30)
        try log.reset(after: 50, term: 2)
        _ = try open(on: disk)
        #expect(try state(on: disk) == voted)
        let names = try disk.list(logDirectory)
        for name in ["member", "member.new", "notes"] { #expect(names.contains(name)) }
    }

    @Test("a member whose segments are gone can be told from a new one, spares or not")
    func lostLog() throws {
        let disk = try written()
        var log = try open(on: disk)
        try log.append(entries(1...40, size: 1000))
        try log.discardPrefix(through: 40)
        for path in try segmentPaths(on: disk) { try disk.remove(path) }
        #expect(try !disk.list(logDirectory).isEmpty)
        #expect(try !DurableLog.hasSegments(in: logDirectory, on: disk))
        #expect(try state(on: disk)?.term == 5)
    }

    @Test("the power may go at any call: what was acknowledged stays, the rest is old or new")
    func crashes() throws {
        for seed in UInt64(0)..<300 {
            do {
                var model = MemberFileModel(seed: seed) { $0 }
                try model.run(steps: 12)
            } catch {
                Issue.record("seed \(seed): \(error)")
            }
        }
    }

    @Test(
        "the checker sees a disk that lies",
        arguments: [
            BuggyDisk.Bug.syncDataLies, .syncDataIsSkippedAtTimes, .syncDirectoryLies,
        ]
    )
    func lyingDisk(_ bug: BuggyDisk.Bug) {
        var caught = 0
        for seed in UInt64(0)..<200 where caught == 0 {
            do {
                var model = MemberFileModel(seed: seed) { BuggyDisk(base: $0, bug: bug) }
                try model.run(steps: 12)
            } catch {
                caught += 1
            }
        }
        #expect(caught > 0, "\(bug) went unseen")
    }

    @Test("a crash in the making at every call leaves no file or the whole one")
    func crashInCreation() throws {
        var generator = SplitMix64(seed: 21)
        for count in 0..<14 {
            for round in 0..<30 {
                let disk = SimulatedDisk()
                disk.cutPower(afterOperations: count)
                let error = failure { () throws(LogError) in
                    _ = try MemberFile.create(in: logDirectory, on: disk, voted)
                }
                let mode = SimulatedDisk.CrashMode.allCases[round % 3]
                let crashed = disk.crash(mode, using: &generator)
                let found = try state(on: crashed)
                #expect(found == voted || (found == nil && error != nil), "after \(count) calls")
                if found == nil {
                    _ = try MemberFile.create(in: logDirectory, on: crashed, first)
                    #expect(try state(on: crashed) == first)
                }
            }
        }
    }

    @Test("a file whose process was killed before its name was durable is made to last")
    func killedBeforeTheNameWasDurable() throws {
        var generator = SplitMix64(seed: 22)
        let disk = SimulatedDisk()
        // The third sync of a directory is the one after the renaming.
        disk.fail(.init(.syncDirectory, at: 3, errno: EIO))
        let error = failure { () throws(LogError) in
            _ = try MemberFile.create(in: logDirectory, on: disk, voted)
        }
        #expect(error == .io(operation: .syncDirectory, path: logDirectory, errno: EIO))
        #expect(try state(on: disk) == voted)
        #expect(try state(on: disk.crash(.losesAll, using: &generator)) == voted)
    }
}

@Suite("the member's file when it is damaged, or its disk fails")
struct MemberFileFaultTests {
    @Test("a flipped bit in either copy is survived, whichever it is, and mended")
    func damageToOneCopy() throws {
        let disk = try written()
        let before = disk.contents(of: memberPath)
        for start in [0, 4096] {
            for offset in start..<(start + 512) {
                let copy = copy(disk)
                flip(copy, offset)
                #expect(try state(on: copy) == voted, "byte \(offset)")
                #expect(copy.contents(of: memberPath) == before, "byte \(offset)")
                var generator = SplitMix64(seed: 3)
                let crashed = copy.crash(.losesAll, using: &generator)
                #expect(crashed.contents(of: memberPath) == before, "byte \(offset)")
            }
        }
    }

    @Test("flipped bits in both copies are refused, and nothing is written")
    func damageToBothCopies() throws {
        for offset in 0..<512 {
            let disk = try written()
            flip(disk, offset)
            flip(disk, 4096 + (offset * 7) % 512)
            let before = disk.contents(of: memberPath)
            let error = failure { () throws(LogError) in _ = try state(on: disk) }
            guard case .corrupt(memberPath, 0, _) = error else {
                Issue.record("byte \(offset): \(String(describing: error))")
                continue
            }
            #expect(disk.contents(of: memberPath) == before)
        }
    }

    @Test("of two whole copies the newer one counts, whichever it is", arguments: [0, 4096])
    func olderCopy(_ stale: Int) throws {
        let disk = SimulatedDisk()
        var file = try MemberFile.create(in: logDirectory, on: disk, first)
        let old = try #require(disk.contents(of: memberPath)?[stale..<(stale + 512)])
        try file.write(voted)
        disk.damage(memberPath, at: stale, Array(old))
        #expect(try state(on: disk) == voted)
        // The older one has been made anew: it does not count even when the other rots.
        flip(disk, 4096 - stale)
        #expect(try state(on: disk) == voted)
    }

    @Test("copies of two members, a cut file and a newer version are refused or mended")
    func foreignCopies() throws {
        let other = SimulatedDisk()
        _ = try MemberFile.create(in: logDirectory, on: other, .init(member: 4, incarnation: 1))
        let foreign = try #require(other.contents(of: memberPath)?.prefix(512))
        let disk = try written()
        disk.damage(memberPath, at: 0, Array(foreign))
        #expect(isCorrupt(failure { () throws(LogError) in _ = try state(on: disk) }))

        let newer = try written()
        var sector = try #require(newer.contents(of: memberPath).map { Array($0.prefix(512)) })
        sector[8] = 2
        let head = CRC32C.checksum(sector.span.extracting(0..<12))
        let crc = CRC32C.checksum(sector.span.extracting(16..<512), from: head)
        for byte in 0..<4 { sector[12 + byte] = UInt8(truncatingIfNeeded: crc >> (8 * byte)) }
        newer.damage(memberPath, at: 0, sector)
        #expect(
            failure { () throws(LogError) in _ = try state(on: newer) }
                == .corrupt(path: memberPath, offsetBytes: 0, reason: "version 2 is unknown")
        )

        let whole = try #require(try written().contents(of: memberPath))
        for size in [0, 511, 512, 4096, 4100, 4608, 5000] {
            let cut = SimulatedDisk()
            try cut.makeDirectory(logDirectory)
            try cut.write(cut.create(memberPath), at: 0, Array(whole.prefix(size)))
            if size < 512 {
                #expect(isCorrupt(failure { () throws(LogError) in _ = try state(on: cut) }))
            } else {
                #expect(try state(on: cut) == voted, "\(size) bytes")
                #expect(cut.contents(of: memberPath) == whole)
            }
        }
    }

    @Test("a failed write or sync stops the file for good; it is not tried again")
    func failedSync() throws {
        for (operation, countdown) in [(DiskOperation.syncData, 1), (.write, 1), (.write, 2)] {
            for errno in [EIO, ENOSPC] {
                let disk = SimulatedDisk()
                var file = try MemberFile.create(in: logDirectory, on: disk, first)
                disk.fail(.init(operation, at: countdown, errno: errno, bytesWritten: 100))
                let error = failure { () throws(LogError) in try file.write(voted) }
                #expect(error == .io(operation: operation, path: memberPath, errno: errno))
                #expect(file.state == first)
                disk.clearDiary()
                #expect(failure { () throws(LogError) in try file.write(voted) } == .stopped)
                #expect(disk.diary == [])
                var generator = SplitMix64(seed: 4)
                let shown = try state(on: disk)
                #expect(shown == first || shown == voted)
                #expect(try state(on: disk.crash(.losesAll, using: &generator)) == shown)
            }
        }
    }

    @Test("a disk that fails at the opening is told, and the next opening has the state")
    func failedOpening() throws {
        for operation in [DiskOperation.open, .read, .write, .syncData, .syncDirectory, .list] {
            let disk = try written()
            disk.fail(.init(operation, errno: EIO))
            let error = failure { () throws(LogError) in _ = try state(on: disk) }
            guard case .io(operation, _, EIO) = error else {
                Issue.record("\(operation): \(String(describing: error))")
                continue
            }
            #expect(try state(on: disk) == voted)
        }
    }

    @Test("on a full disk none is made, and nothing is left; what there is can be written")
    func fullDisk() throws {
        for capacity in [0, 100, 8191] {
            let disk = SimulatedDisk(capacityBytes: capacity)
            let error = failure { () throws(LogError) in
                _ = try MemberFile.create(in: logDirectory, on: disk, first)
            }
            #expect(error == .noSpace(path: memberPath))
            #expect(try disk.list(logDirectory).isEmpty)
            disk.setCapacity(8192)
            var file = try MemberFile.create(in: logDirectory, on: disk, first)
            disk.setCapacity(0)
            try file.write(voted)
            #expect(try state(on: disk) == voted)
        }
    }

    @Test("going back in terms, or voting twice in one, ends the process")
    func brokenInvariants() async {
        await #expect(processExitsWith: .failure) {
            var file = try MemberFile.create(in: "/log", on: SimulatedDisk(), voted)
            var back = voted
            back.term = 4
            try file.write(back)
        }
        await #expect(processExitsWith: .failure) {
            var file = try MemberFile.create(in: "/log", on: SimulatedDisk(), voted)
            var twice = voted
            twice.vote = 1
            try file.write(twice)
        }
        await #expect(processExitsWith: .failure) {
            var file = try MemberFile.create(in: "/log", on: SimulatedDisk(), voted)
            var other = voted
            other.incarnation += 1
            try file.write(other)
        }
    }
}
