// SPDX-License-Identifier: Apache-2.0

import Log
import Testing

@Suite("opening a durable log")
struct DurableLogRecoveryTests {
    private let recordSize = 40 + 104
    private let recordsOffset = 4096

    /// A log of ten entries, each its own append, in one segment.
    private func tenEntries() throws -> (SimulatedDisk, String) {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        for index in UInt64(1)...10 { try log.append([entry(index)]) }
        return (disk, try #require(segmentPaths(on: disk).last))
    }

    private func copy(_ disk: SimulatedDisk) -> SimulatedDisk {
        var generator = SplitMix64(seed: 11)
        return disk.crash(.keepsAll, using: &generator)
    }

    private func flip(_ disk: SimulatedDisk, _ path: String, _ offset: Int, bit: Int = 0) {
        guard let byte = disk.contents(of: path)?[offset] else { return }
        disk.damage(path, at: offset, [byte ^ (1 << UInt8(bit))])
    }

    @Test("one flipped bit in the middle of a synced segment is refused, with file and offset")
    func flippedBitInTheMiddle() throws {
        let (disk, path) = try tenEntries()
        flip(disk, path, recordsOffset + 4 * recordSize + 60)
        #expect(
            failure { () throws(LogError) in _ = try open(on: disk) }
                == .corrupt(
                    path: path,
                    offsetBytes: recordsOffset + 4 * recordSize,
                    reason: "a durable record fails its checksum: a later one vouches for it"
                )
        )
    }

    @Test("damage to the last write is cut and told, unless the log had settled")
    func damageToTheLastWrite() throws {
        let (disk, path) = try tenEntries()
        let settled = copy(disk)
        var log = try open(on: settled)
        try log.settle()
        for disk in [disk, settled] { flip(disk, path, recordsOffset + 9 * recordSize + 60) }
        #expect(isCorrupt(failure { () throws(LogError) in _ = try open(on: settled) }))
        let cut = try open(on: disk)
        #expect(try all(cut) == entries(1...9))
        #expect(cut.recovery.tornTail?.path == path)
        #expect(cut.recovery.tornTail?.offsetBytes == recordsOffset + 9 * recordSize)
        #expect(try open(on: disk).recovery.tornTail == nil)
    }

    @Test("no flipped bit ever changes what is read")
    func everyFlip() throws {
        let (disk, path) = try tenEntries()
        let expected = entries(1...10)
        let end = recordsOffset + 10 * recordSize + 40
        let header = Array(0..<48)
        for offset in header + Array(recordsOffset..<end) {
            let bit = offset % 8
            let copy = copy(disk)
            flip(copy, path, offset, bit: bit)
            var found: [LogEntry] = []
            let error = failure { () throws(LogError) in found = try all(open(on: copy)) }
            if offset < recordsOffset + 9 * recordSize {
                #expect(isCorrupt(error), "bit \(bit) of byte \(offset)")
            } else {
                #expect(error == nil, "bit \(bit) of byte \(offset)")
                #expect(
                    found == expected || found == Array(expected.dropLast()),
                    "bit \(bit) of byte \(offset)"
                )
            }
        }
    }

    @Test("a flipped bit in a log of several segments is refused or harms nothing")
    func flipsInSeveralSegments() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        try log.append(entries(1...30, size: 1000))
        try log.truncateSuffix(from: 20)
        try log.append(entries(20...26, term: 2, size: 1000))
        try log.settle()
        let expected = try all(log)
        var refused = 0
        for path in try segmentPaths(on: disk) {
            for offset in stride(from: 0, to: smallLimits.segmentSizeBytes, by: 37) {
                let copy = copy(disk)
                flip(copy, path, offset, bit: offset % 7)
                var found: [LogEntry] = []
                let error = failure { () throws(LogError) in found = try all(open(on: copy)) }
                if error == nil { #expect(found == expected, "byte \(offset) of \(path)") }
                if isCorrupt(error) { refused += 1 }
            }
        }
        #expect(refused > 500)
    }

    @Test("damage after the opening is refused when read")
    func damageWhileOpen() throws {
        let (disk, path) = try tenEntries()
        let log = try open(on: disk)
        flip(disk, path, recordsOffset + 4 * recordSize + 60)
        let error = failure { () throws(LogError) in _ = try log.entries(from: 1, bytesMax: 9999) }
        #expect(isCorrupt(error))
        #expect(try log.entries(from: 6, bytesMax: 9999) == entries(6...10))
    }

    @Test("a missing segment is refused, whichever but the first it is")
    func missingSegment() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        try log.append(entries(1...40, size: 1000))
        let paths = try segmentPaths(on: disk)
        for path in paths.dropFirst() {
            let copy = copy(disk)
            try copy.remove(path)
            #expect(isCorrupt(failure { () throws(LogError) in _ = try open(on: copy) }), "\(path)")
        }
    }

    @Test("a directory where only reused files are left is refused")
    func allSegmentsMissing() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        try log.append(entries(1...40, size: 1000))
        try log.discardPrefix(through: 40)
        for path in try segmentPaths(on: disk) { try disk.remove(path) }
        #expect(isCorrupt(failure { () throws(LogError) in _ = try open(on: disk) }))
    }

    @Test("another magic, another version, another file's content are refused")
    func foreignFiles() throws {
        let (disk, path) = try tenEntries()
        for (offset, bytes) in [(0, [UInt8(ascii: "X")]), (8, [2, 0, 0, 0]), (16, [9])] {
            let copy = copy(disk)
            copy.damage(path, at: offset, bytes)
            #expect(isCorrupt(failure { () throws(LogError) in _ = try open(on: copy) }))
        }
        try disk.rename(path, to: logDirectory + "/00000000000000ff.log")
        #expect(isCorrupt(failure { () throws(LogError) in _ = try open(on: disk) }))
    }

    @Test("what an earlier life of a file left is never taken for an entry")
    func staleRecords() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        // Every file is used again and again with records of the same size at the same places.
        for index in UInt64(1)...200 {
            try log.append([entry(index, size: 960)])
            if index % 9 == 0 { try log.discardPrefix(through: index - 1) }
            if index % 5 == 0 {
                let again = try open(on: disk)
                #expect(again.lastIndex == index)
                #expect(try all(again) == entries(again.firstIndex...index, size: 960))
                log = again
            }
        }
    }

    @Test("a torn batch is cut as a whole or to a beginning of it, and never comes back")
    func tornBatches() throws {
        for seed in UInt64(0)..<200 {
            var generator = SplitMix64(seed: seed)
            let disk = SimulatedDisk()
            var log = try open(on: disk)
            try log.append(entries(1...3))
            disk.cutPower(afterOperations: 1)
            let error = failure { () throws(LogError) in
                try log.append(entries(4...10, size: 500))
            }
            #expect(error != nil)
            let crashed = disk.crash(using: &generator)
            var again = try open(on: crashed)
            let found = try all(again)
            let expected = entries(1...3) + entries(4...10, size: 500)
            #expect(found.count >= 3, "seed \(seed)")
            #expect(found == Array(expected.prefix(found.count)), "seed \(seed)")
            let next = again.lastIndex + 1
            try again.append([entry(next, term: 2, size: 500)])
            #expect(
                try all(open(on: crashed)) == found + [entry(next, term: 2, size: 500)],
                "seed \(seed)"
            )
        }
    }
}
