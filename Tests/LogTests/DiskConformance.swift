// SPDX-License-Identifier: Apache-2.0

import Glibc
import Log
import Testing

/// What every disk does, whatever it is made of, tried in an empty directory `root`.
struct DiskConformance<D: Disk> {
    let disk: D
    let root: String

    func all() throws {
        try readsWhatWasWritten()
        try readsShortOnlyAtTheEnd()
        try preallocatedRoomReadsAsZeros()
        try createRefusesATakenName()
        try missingNamesSayNoEntry()
        try renameReplacesAtOneStroke()
        try anOpenFileOutlivesItsName()
        try listIsSortedAndHoldsNamesOnly()
        try syncsSucceed()
        #expect(try disk.freeBytes(in: root) > 0)
    }

    private func path(_ name: String) -> String { root + "/" + name }

    private func code<T>(_ body: () throws(DiskError) -> T) -> Int32? {
        do throws(DiskError) {
            _ = try body()
            return nil
        } catch {
            return error.errno
        }
    }

    private func readsWhatWasWritten() throws {
        let file = try disk.create(path("a"))
        try disk.write(file, at: 0, [1, 2, 3, 4])
        try disk.write(file, at: 2, [9, 9, 9])
        #expect(try disk.read(file, at: 0, count: 5) == [1, 2, 9, 9, 9])
        try disk.write(file, at: 7, [7])
        #expect(try disk.read(file, at: 4, count: 4) == [9, 0, 0, 7])
        #expect(try disk.size(of: file) == 8)
        let again = try disk.open(path("a"))
        #expect(try disk.read(again, at: 7, count: 1) == [7])
        try disk.write(file, at: 3, [])
        #expect(try disk.size(of: again) == 8)
    }

    private func readsShortOnlyAtTheEnd() throws {
        let file = try disk.open(path("a"))
        #expect(try disk.read(file, at: 6, count: 100) == [0, 7])
        #expect(try disk.read(file, at: 100, count: 1) == [])
        #expect(try disk.read(file, at: 0, count: 0) == [])
    }

    private func preallocatedRoomReadsAsZeros() throws {
        let file = try disk.create(path("b"))
        try disk.write(file, at: 0, [5])
        try disk.preallocate(file, size: 10_000)
        #expect(try disk.size(of: file) == 10_000)
        #expect(try disk.read(file, at: 0, count: 3) == [5, 0, 0])
        try disk.preallocate(file, size: 10)
        #expect(try disk.size(of: file) == 10_000)
    }

    private func createRefusesATakenName() throws {
        #expect(code { () throws(DiskError) in try disk.create(path("a")) } == EEXIST)
        try disk.makeDirectory(path("d"))
        #expect(code { () throws(DiskError) in try disk.makeDirectory(path("d")) } == EEXIST)
        #expect(code { () throws(DiskError) in try disk.create(path("d")) } == EEXIST)
    }

    private func missingNamesSayNoEntry() throws {
        #expect(code { () throws(DiskError) in try disk.open(path("no")) } == ENOENT)
        #expect(code { () throws(DiskError) in try disk.remove(path("no")) } == ENOENT)
        #expect(code { () throws(DiskError) in try disk.list(path("no")) } == ENOENT)
        #expect(code { () throws(DiskError) in try disk.create(path("no/x")) } == ENOENT)
        #expect(code { () throws(DiskError) in try disk.makeDirectory(path("no/x")) } == ENOENT)
        #expect(code { () throws(DiskError) in try disk.syncDirectory(path("no")) } == ENOENT)
        #expect(
            code { () throws(DiskError) in try disk.rename(path("no"), to: path("x")) } == ENOENT
        )
    }

    private func renameReplacesAtOneStroke() throws {
        let old = try disk.create(path("old"))
        try disk.write(old, at: 0, [1])
        let new = try disk.create(path("new"))
        try disk.write(new, at: 0, [2])
        try disk.rename(path("new"), to: path("old"))
        #expect(try disk.read(disk.open(path("old")), at: 0, count: 1) == [2])
        #expect(code { () throws(DiskError) in try disk.open(path("new")) } == ENOENT)
        try disk.write(new, at: 0, [3])
        #expect(try disk.read(disk.open(path("old")), at: 0, count: 1) == [3])
    }

    private func anOpenFileOutlivesItsName() throws {
        let file = try disk.create(path("gone"))
        try disk.write(file, at: 0, [1, 2])
        try disk.remove(path("gone"))
        #expect(try disk.read(file, at: 0, count: 2) == [1, 2])
        #expect(code { () throws(DiskError) in try disk.open(path("gone")) } == ENOENT)
    }

    private func listIsSortedAndHoldsNamesOnly() throws {
        _ = try disk.create(path("d/z"))
        _ = try disk.create(path("d/m"))
        try disk.makeDirectory(path("d/n"))
        #expect(try disk.list(path("d")) == ["m", "n", "z"])
        #expect(try disk.list(root) == ["a", "b", "d", "old"])
    }

    private func syncsSucceed() throws {
        try disk.syncData(disk.open(path("b")))
        try disk.syncDirectory(path("d"))
        try disk.syncDirectory(root)
    }
}

@Suite("every disk keeps the same promises")
struct DiskConformanceTests {
    @Test("the disk of the machine")
    func posix() throws {
        let directory = TemporaryDirectory()
        try DiskConformance(disk: PosixDisk(), root: directory.path).all()
    }

    @Test("the simulated disk")
    func simulated() throws {
        let disk = SimulatedDisk()
        try disk.makeDirectory("/root")
        try DiskConformance(disk: disk, root: "/root").all()
    }

    @Test("a simulated disk after a crash that kept everything")
    func simulatedAfterCrash() throws {
        var generator = SplitMix64(seed: 5)
        let disk = SimulatedDisk()
        try disk.makeDirectory("/root")
        try DiskConformance(disk: disk.crash(.keepsAll, using: &generator), root: "/root").all()
    }
}
