// SPDX-License-Identifier: Apache-2.0

import Glibc
import Log
import Testing

@Suite("the simulated disk")
struct SimulatedDiskTests {
    @Test("a crash keeps what was synced and may lose the rest")
    func keepsWhatWasSynced() throws {
        var generator = SplitMix64(seed: 1)
        let disk = SimulatedDisk()
        let file = try disk.create("/a")
        try disk.write(file, at: 0, [1, 1])
        try disk.syncData(file)
        try disk.syncDirectory("/")
        try disk.write(file, at: 0, [2, 2])
        #expect(disk.crash(.losesAll, using: &generator).contents(of: "/a") == [1, 1])
        #expect(disk.crash(.keepsAll, using: &generator).contents(of: "/a") == [2, 2])
        #expect(disk.contents(of: "/a") == [2, 2])
    }

    @Test("writes are torn at sectors and reordered between syncs")
    func tearsAndReorders() throws {
        var generator = SplitMix64(seed: 2)
        let disk = SimulatedDisk()
        let file = try disk.create("/a")
        try disk.syncDirectory("/")
        try disk.write(file, at: 0, [UInt8](repeating: 1, count: 1536))
        try disk.write(file, at: 2048, [UInt8](repeating: 2, count: 512))
        var seen: Set<[UInt8]> = []
        for _ in 0..<300 {
            let bytes = disk.crash(using: &generator).contents(of: "/a") ?? []
            var sectors: [UInt8] = []
            for start in stride(from: 0, to: bytes.count, by: 512) {
                let sector = Set(bytes[start..<min(start + 512, bytes.count)])
                #expect(sector.count == 1, "a sector is written at one stroke")
                sectors.append(sector.first ?? 0)
            }
            seen.insert(sectors)
        }
        #expect(seen.contains([]))
        #expect(seen.contains([1, 1, 1, 0, 2]))
        #expect(seen.contains([0, 0, 0, 0, 2]), "a later write without the earlier one")
        #expect(seen.contains { $0.first == 1 && $0.dropFirst().first == 0 }, "a torn write")
    }

    @Test("names that were not synced with their directory may be lost or kept")
    func namesAreLostOrKept() throws {
        var generator = SplitMix64(seed: 3)
        let disk = SimulatedDisk()
        _ = try disk.create("/kept")
        try disk.syncDirectory("/")
        _ = try disk.create("/new")
        try disk.rename("/kept", to: "/renamed")
        var seen: Set<[String]> = []
        for _ in 0..<60 { seen.insert(try disk.crash(using: &generator).list("/")) }
        #expect(seen == [["kept"], ["kept", "new"], ["renamed"], ["new", "renamed"]])
    }

    @Test("what a failed sync left behind is read but never becomes durable")
    func failedSyncForgets() throws {
        var generator = SplitMix64(seed: 4)
        let disk = SimulatedDisk()
        let file = try disk.create("/a")
        try disk.syncDirectory("/")
        try disk.write(file, at: 0, [1])
        disk.fail(.init(.syncData, errno: EIO))
        #expect(throws: DiskError(.syncData, errno: EIO)) { try disk.syncData(file) }
        try disk.syncData(file)
        #expect(disk.contents(of: "/a") == [1])
        #expect(disk.crash(.keepsAll, using: &generator).contents(of: "/a") == [])
    }

    @Test("a full disk refuses growth but not overwriting, and takes what fits")
    func fills() throws {
        let disk = SimulatedDisk(capacityBytes: 1000)
        let file = try disk.create("/a")
        try disk.preallocate(file, size: 900)
        #expect(throws: DiskError(.preallocate, errno: ENOSPC)) {
            try disk.preallocate(file, size: 1001)
        }
        try disk.write(file, at: 0, [UInt8](repeating: 1, count: 900))
        #expect(throws: DiskError(.write, errno: ENOSPC)) {
            try disk.write(file, at: 900, [UInt8](repeating: 1, count: 101))
        }
        #expect(try disk.size(of: file) == 1000)
        try disk.remove("/a")
        #expect(try disk.freeBytes(in: "/") == 1000)
    }

    @Test("the n-th call fails, once, and a failing write gets a part through")
    func armedFaults() throws {
        let disk = SimulatedDisk()
        let file = try disk.create("/a")
        disk.fail(.init(.write, at: 2, errno: EIO, bytesWritten: 1))
        try disk.write(file, at: 0, [1, 1])
        #expect(throws: DiskError(.write, errno: EIO)) { try disk.write(file, at: 0, [2, 2]) }
        #expect(disk.contents(of: "/a") == [2, 1])
        try disk.write(file, at: 0, [3, 3])
    }

    @Test("the same seed leaves the same disk")
    func isDeterministic() throws {
        let disk = SimulatedDisk()
        let file = try disk.create("/a")
        try disk.write(file, at: 0, [UInt8](repeating: 7, count: 5000))
        for seed in UInt64(0)..<20 {
            var one = SplitMix64(seed: seed)
            var two = SplitMix64(seed: seed)
            let first = disk.crash(using: &one).contents(of: "/a")
            #expect(first == disk.crash(using: &two).contents(of: "/a"), "seed \(seed)")
        }
    }
}
