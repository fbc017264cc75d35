// SPDX-License-Identifier: Apache-2.0

import Glibc
import Log
import Testing

@Suite("the durable log on a disk that fails")
struct DurableLogFailureTests {
    @Test("a full disk at preallocation leaves the log as it was, and room lets it go on")
    func fullAtPreallocation() throws {
        let disk = SimulatedDisk(capacityBytes: 3 * 12288 + 100)
        var log = try open(on: disk)
        try log.append(entries(1...20, size: 1000))
        let before = try all(log)
        let batch = entries(21...60, size: 1000)
        let error = failure { () throws(LogError) in try log.append(batch) }
        guard case .noSpace = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(try all(log) == before)
        #expect(try all(open(on: disk)) == before)
        disk.setCapacity(1 << 20)
        try log.append(batch)
        #expect(try all(open(on: disk)) == before + batch)
    }

    @Test(
        "a write that runs out of room leaves nothing, not even after a crash",
        arguments: [0, 1, 600, 1088, 5000, 7000],
        [ENOSPC, EDQUOT]
    )
    func fullAtWrite(_ bytesWritten: Int, _ errno: Int32) throws {
        var generator = SplitMix64(seed: 1)
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        try log.append(entries(1...2, size: 1000))
        // The second write of this batch goes to another segment than the first.
        for nth in 1...2 {
            disk.fail(.init(.write, at: nth == 1 ? 1 : 4, errno: errno, bytesWritten: bytesWritten))
            let error = failure { () throws(LogError) in
                try log.append(entries(3...13, size: 1000))
            }
            guard case .noSpace = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(try all(log) == entries(1...2, size: 1000))
            for mode in SimulatedDisk.CrashMode.allCases {
                let crashed = disk.crash(mode, using: &generator)
                #expect(try all(open(on: crashed)) == entries(1...2, size: 1000))
            }
        }
        try log.append(entries(3...13, term: 2, size: 1000))
        let expected = entries(1...2, size: 1000) + entries(3...13, term: 2, size: 1000)
        #expect(try all(open(on: disk)) == expected)
    }

    @Test("a failed sync stops the log for good; it is not tried again")
    func failedSync() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        try log.append(entries(1...2))
        disk.fail(.init(.syncData, errno: EIO))
        let error = failure { () throws(LogError) in try log.append([entry(3)]) }
        #expect(
            error
                == .io(
                    operation: .syncData,
                    path: try segmentPaths(on: disk).last ?? "",
                    errno: EIO
                )
        )
        disk.clearDiary()
        #expect(failure { () throws(LogError) in try log.append([entry(3)]) } == .stopped)
        #expect(failure { () throws(LogError) in try log.truncateSuffix(from: 1) } == .stopped)
        #expect(failure { () throws(LogError) in try log.discardPrefix(through: 1) } == .stopped)
        #expect(failure { () throws(LogError) in try log.reset(after: 9, term: 1) } == .stopped)
        #expect(failure { () throws(LogError) in try log.settle() } == .stopped)
        #expect(
            failure { () throws(LogError) in _ = try log.entries(from: 1, bytesMax: 1) } == .stopped
        )
        #expect(disk.diary == [])
    }

    @Test("what a failed sync left in the cache is durable once a new opening has shown it")
    func failedSyncThenOpened() throws {
        var generator = SplitMix64(seed: 2)
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        try log.append(entries(1...2))
        disk.fail(.init(.syncData, errno: EIO))
        _ = failure { () throws(LogError) in try log.append([entry(3)]) }
        let shown = try all(open(on: disk))
        #expect(shown == entries(1...3))
        #expect(try all(open(on: disk.crash(.losesAll, using: &generator))) == shown)
    }

    @Test(
        "every call that fails with an input/output error stops the log",
        arguments: [DiskOperation.write, .syncData, .rename, .syncDirectory, .create, .preallocate]
    )
    func anyFailureStops(_ operation: DiskOperation) throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        try log.append(entries(1...2))
        disk.fail(.init(operation, errno: EIO))
        _ = failure { () throws(LogError) in try log.append(entries(3...40, size: 1000)) }
        #expect(failure { () throws(LogError) in try log.append([entry(3)]) } == .stopped)
        let after = try all(open(on: disk))
        #expect(after.prefix(2) == entries(1...2)[...])
        #expect(after == entries(1...2) + entries(3...40, size: 1000).prefix(after.count - 2))
    }

    @Test("a log opens and is read on a full disk")
    func opensWhenFull() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        try log.append(entries(1...12, size: 1000))
        disk.setCapacity(0)
        var again = try open(on: disk)
        #expect(try all(again) == entries(1...12, size: 1000))
        // The open segment has its blocks already.
        try again.append(entries(13...14, size: 1000))
        #expect(again.lastIndex == 14)
    }

    @Test("a new log on a full disk says so, and can be made later")
    func createdWhenFull() throws {
        let disk = SimulatedDisk(capacityBytes: 100)
        let error = failure { () throws(LogError) in _ = try open(on: disk) }
        guard case .noSpace = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        disk.setCapacity(1 << 20)
        #expect(try open(on: disk).isEmpty)
    }
}
