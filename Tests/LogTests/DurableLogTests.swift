// SPDX-License-Identifier: Apache-2.0

import Glibc
import Log
import Testing

@Suite("the durable log")
struct DurableLogTests {
    @Test("a new log is empty and begins at 1")
    func newLog() throws {
        let log = try open(on: SimulatedDisk())
        #expect(log.isEmpty)
        #expect(log.firstIndex == 1)
        #expect(log.lastIndex == 0)
        #expect(log.lastTerm == 0)
        #expect(try log.entries(from: 1, bytesMax: 100) == [])
        #expect(log.recovery.tornTail == nil)
    }

    @Test("entries are read back in order, across segments, and after opening again")
    func readsBack() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        let expected = entries(1...40, size: 1000) + entries(41...60, term: 3, size: 0)
        try log.append(Array(expected[..<1]))
        try log.append(Array(expected[1..<50]))
        try log.append(Array(expected[50...]))
        #expect(log.segmentCount > 3)
        #expect(try all(log) == expected)
        let again = try open(on: disk)
        #expect(try all(again) == expected)
        #expect(again.lastTerm == 3)
        #expect(again.lastIndex == 60)
        #expect(again.recovery.tornTail == nil)
        #expect(again.recovery.entryCount == 60)
    }

    @Test("on the disk of the machine, too, with segments reused")
    func onTheMachine() throws {
        let directory = TemporaryDirectory()
        let path = directory.path + "/log"
        var log = try DurableLog(opening: path, on: PosixDisk(), limits: smallLimits)
        for index in UInt64(1)...60 { try log.append([entry(index, size: 1000)]) }
        try log.discardPrefix(through: 50)
        try log.truncateSuffix(from: 58)
        try log.append(entries(58...80, term: 2, size: 1000))
        let again = try DurableLog(opening: path, on: PosixDisk(), limits: smallLimits)
        #expect(again.firstIndex == log.firstIndex)
        #expect(again.firstIndex > 40)
        let expected = entries(again.firstIndex...57, size: 1000)
        #expect(try all(again) == expected + entries(58...80, term: 2, size: 1000))
    }

    @Test("reading keeps to the bound but gives one entry at least")
    func readBound() throws {
        var log = try open(on: SimulatedDisk())
        try log.append(entries(1...30, size: 1000))
        #expect(try log.entries(from: 3, bytesMax: 1).map(\.index) == [3])
        #expect(try log.entries(from: 3, bytesMax: 3200).map(\.index) == [3, 4, 5])
        #expect(try log.entries(from: 5, bytesMax: 9000).map(\.index) == Array(5...12))
        #expect(try log.entries(from: 1, bytesMax: 1 << 20).count == 30)
        #expect(try log.entries(from: 31, bytesMax: 1) == [])
        #expect(
            failure { () throws(LogError) in _ = try log.entries(from: 32, bytesMax: 1) }
                == .outOfRange(index: 32, first: 1, last: 30)
        )
    }

    @Test("an append that leaves a gap, goes back in term or is too large changes nothing")
    func refusals() throws {
        var log = try open(on: SimulatedDisk())
        try log.append(entries(1...3, term: 5))
        let bad: [([LogEntry], LogError)] = [
            ([entry(5, term: 5)], .outOfOrder(index: 5, expected: 4)),
            ([entry(3, term: 5)], .outOfOrder(index: 3, expected: 4)),
            ([entry(4, term: 4)], .outOfOrder(index: 4, expected: 4)),
            ([entry(4, term: 6), entry(5, term: 5)], .outOfOrder(index: 5, expected: 5)),
            (
                [entry(4, term: 5), entry(5, term: 5, size: 4001)],
                .tooLarge(index: 5, sizeBytes: 4001, sizeBytesMax: 4000)
            ),
        ]
        for (batch, expected) in bad {
            #expect(failure { () throws(LogError) in try log.append(batch) } == expected)
        }
        #expect(try all(log) == entries(1...3, term: 5))
        try log.append([entry(4, term: 5, size: 4000)])
    }

    @Test("truncating takes entries back for good, whatever segment they are in")
    func truncates() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        try log.append(entries(1...40, size: 1000))
        try log.truncateSuffix(from: 41)
        try log.truncateSuffix(from: 38)
        try log.append(entries(38...39, term: 2, size: 10))
        try log.truncateSuffix(from: 12)
        #expect(log.lastIndex == 11)
        #expect(log.lastTerm == 1)
        try log.append(entries(12...30, term: 4, size: 500))
        let expected = entries(1...11, size: 1000) + entries(12...30, term: 4, size: 500)
        #expect(try all(log) == expected)
        var again = try open(on: disk)
        #expect(try all(again) == expected)
        #expect(try again.term(at: 11) == 1)
        #expect(try again.term(at: 12) == 4)
        try again.truncateSuffix(from: 1)
        #expect(again.isEmpty)
        #expect(again.lastTerm == 0)
        try again.append(entries(1...2, term: 9))
        #expect(try all(open(on: disk)) == entries(1...2, term: 9))
    }

    @Test("a log truncated in a later segment survives losing its prefix")
    func truncatesThenDiscards() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        try log.append(entries(1...40, size: 1000))
        try log.truncateSuffix(from: 12)
        try log.discardPrefix(through: 11)
        #expect(log.firstIndex == 12)
        #expect(log.segmentCount == 1)
        var again = try open(on: disk)
        #expect(again.firstIndex == 12)
        #expect(again.lastIndex == 11)
        #expect(again.lastTerm == 1)
        try again.append(entries(12...13, term: 2))
        #expect(try all(open(on: disk)) == entries(12...13, term: 2))
    }

    @Test("discarding drops whole segments and keeps at most two files to reuse")
    func discards() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        try log.append(entries(1...50, size: 1000))
        let count = log.segmentCount
        try log.discardPrefix(through: 6)
        #expect(log.segmentCount == count)
        try log.discardPrefix(through: 7)
        #expect(log.segmentCount == count - 1)
        #expect(log.firstIndex == 8)
        try log.discardPrefix(through: .max)
        #expect(log.segmentCount == 1)
        #expect(log.lastIndex == 50)
        #expect(log.spareCount == 2)
        #expect(try disk.list(logDirectory).count == 3)
        #expect(
            failure { () throws(LogError) in try log.truncateSuffix(from: 3) }
                == .outOfRange(index: 3, first: log.firstIndex, last: 50)
        )
        // The reused files still hold the old entries; none of them may be taken for a new one.
        try log.append(entries(51...70, term: 2, size: 1000))
        let again = try open(on: disk)
        #expect(again.firstIndex == log.firstIndex)
        #expect(try all(again).suffix(20) == entries(51...70, term: 2, size: 1000)[...])
    }

    @Test("a log begun anew behind a snapshot is empty and knows the term before it")
    func resets() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        try log.append(entries(1...40, size: 1000))
        try log.reset(after: 1000, term: 7)
        for log in [log, try open(on: disk)] {
            #expect(log.firstIndex == 1001)
            #expect(log.lastIndex == 1000)
            #expect(log.lastTerm == 7)
            #expect(try log.term(at: 1000) == 7)
        }
        try log.append([entry(1001, term: 7)])
        #expect(try all(open(on: disk)) == [entry(1001, term: 7)])
    }

    @Test("settling twice writes once")
    func settles() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        try log.append(entries(1...3))
        disk.clearDiary()
        try log.settle()
        #expect(disk.diary.count == 2)
        try log.settle()
        #expect(disk.diary.count == 2)
        try log.append(entries(4...5))
        #expect(try all(open(on: disk)) == entries(1...5))
    }

    @Test("limits that contradict themselves are refused")
    func limits() {
        for limits in [
            LogLimits(segmentSizeBytes: 12289, payloadSizeBytesMax: 100),
            LogLimits(segmentSizeBytes: 8192, payloadSizeBytesMax: 4096),
            LogLimits(segmentSizeBytes: 0, payloadSizeBytesMax: 0),
            LogLimits(segmentSizeBytes: 8192, payloadSizeBytesMax: -1),
            LogLimits(segmentSizeBytes: 8192, payloadSizeBytesMax: .max),
        ] {
            let error = failure { () throws(LogError) in
                _ = try open(on: SimulatedDisk(), limits: limits)
            }
            guard case .unusableLimits = error else {
                Issue.record("\(limits) gave \(String(describing: error))")
                continue
            }
        }
    }

    @Test("a log opened with other limits keeps its old segments")
    func otherLimits() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        try log.append(entries(1...20, size: 1000))
        let larger = LogLimits(segmentSizeBytes: 32768, payloadSizeBytesMax: 16000)
        var again = try open(on: disk, limits: larger)
        try again.append([entry(21, size: 16000)] + entries(22...60, size: 1000))
        try again.discardPrefix(through: 10)
        let expected = entries(8...20, size: 1000) + [entry(21, size: 16000)]
        #expect(try all(open(on: disk)) == expected + entries(22...60, size: 1000))
    }
}
