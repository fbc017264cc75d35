// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing

@testable import Store

@Suite("RocksDB store")
struct RocksStoreTests {
    @Test("RocksDB's texts become closed errors")
    func errorTexts() {
        let full =
            "IO error: No space left on device: While appending to file: /s/000020.sst: "
            + "No space left on device"
        let quota = "IO error: While appending to file: /s/000020.sst: Disk quota exceeded"
        let held = "IO error: lock hold by current process, acquire time 1: /s/LOCK: No locks"
        let busy = "IO error: While lock file: /s/LOCK: Resource temporarily unavailable"
        let block =
            "Corruption: block checksum mismatch: stored = 3, computed = 4, type = 4 "
            + " in /s/000008.sst offset 0 size 1216"
        let short =
            "Corruption: file is too short (1 bytes) to be an sstable/s/000008.sst in "
            + "file /s/MANIFEST-000005"
        let gone =
            "Corruption: Corruption: IO error: No such file or directory: While open a "
            + "file for random read: /s/000008.ldb: No such file or directory in file "
            + "/s/MANIFEST-000005"
        let headless =
            "IO error: No such file or directory: While opening a file for "
            + "sequentially reading: /s/MANIFEST-000005: No such file or directory"
        let parent =
            "IO error: No such file or directory: While mkdir if missing: /s: "
            + "No such file or directory"
        let current = "Corruption: CURRENT file corrupted"
        let expected: [(String, StoreError)] = [
            (full, .noSpace(full)), (quota, .noSpace(quota)),
            (held, .locked(path: "/s")), (busy, .locked(path: "/s")),
            (block, .corrupt(path: "/s/000008.sst", reason: block)),
            (short, .corrupt(path: "/s/000008.sst", reason: short)),
            (gone, .corrupt(path: "/s/000008.sst", reason: gone)),
            (headless, .corrupt(path: "/s/MANIFEST-000005", reason: headless)),
            (current, .corrupt(path: "/s/CURRENT", reason: current)),
            ("Corruption: what", .corrupt(path: "/s", reason: "Corruption: what")),
            ("Shutdown in progress: ", .closed), (parent, .io(parent)), ("Busy: ", .io("Busy: ")),
        ]
        for (text, error) in expected {
            #expect(
                StoreError(rocksDBMessage: text, storePath: "/s", whileOpening: true) == error
            )
        }
        #expect(
            StoreError(rocksDBMessage: headless, storePath: "/s", whileOpening: false)
                == .io(headless)
        )
    }

    @Test("another process that opens the store is told that it is locked")
    func lockedByProcess() throws {
        let rig = try StoreRig(.rocks)
        defer { rig.discard() }
        try rig.open().close()
        // A lock of an open file description has another owner than this process, as the lock
        // of another process has. The C library hides the name of the command from Swift.
        let setOpenFileLock: Int32 = 37
        let descriptor = Glibc.open("\(rig.path())/LOCK", O_RDWR | O_CLOEXEC)
        #expect(descriptor >= 0)
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        #expect(fcntl(descriptor, setOpenFileLock, &lock) == 0)
        #expect(throws: StoreError.locked(path: rig.path())) { try rig.open() }
        Glibc.close(descriptor)
        #expect(throws: Never.self) { try rig.open() }
    }

    @Test("a store may be forbidden to be made, and needs a parent directory")
    func creation() throws {
        var options = RocksOptions()
        options.createIfMissing = false
        let rig = try StoreRig(.rocks, options)
        defer { rig.discard() }
        for name in ["state", "no/such/parent"] {
            let error = #expect(throws: StoreError.self) { try rig.open(name) }
            guard case .io = error else {
                Issue.record("\(name): \(String(describing: error))")
                continue
            }
        }
        try RocksStore(path: rig.path("state") + "//").close()
        #expect(try rig.open().pairs() == [])
    }

    @Test("a missing or damaged file is named at open", arguments: Damage.allCases)
    func damageAtOpen(damage: Damage) throws {
        let rig = try StoreRig(.rocks)
        defer { rig.discard() }
        let store = try rig.open()
        for round in 0..<3 {
            try store.write(.put("key \(round)", String(repeating: "v", count: 5000)))
            try store.flush()
        }
        store.close()
        let file = try damage.inflict(on: rig.path())
        for attempt in 0..<2 {
            let error = #expect(throws: StoreError.self) { try rig.open() }
            guard case .corrupt(let path, _) = error else {
                Issue.record("attempt \(attempt): \(String(describing: error))")
                continue
            }
            #expect(path == file)
        }
    }

    @Test("a damaged block fails its readers, names the file and spares the rest")
    func damagedBlock() throws {
        let rig = try StoreRig(.rocks)
        defer { rig.discard() }
        var store = try rig.open()
        for key in ["a", "b"] {
            try store.write(.put(key, String(repeating: key, count: 5000)))
            try store.flush()
        }
        store.close()
        let file = try Damage.tables(of: rig.path())[0]
        try Damage.overwrite(file, at: 20, with: Data(repeating: 0x5A, count: 8))
        store = try rig.open()
        let reads: [() throws -> Void] = [
            { _ = try store.get(bytes("a")) },
            { _ = try store.withValue(of: bytes("a")) { _ in } },
            { _ = try store.pairs() },
            { _ = try store.snapshot().pairs() },
        ]
        for read in reads {
            let error = #expect(throws: StoreError.self) { try read() }
            guard case .corrupt(let path, _) = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(path == file)
        }
        #expect(try store.get(bytes("b"))?.count == 5000)
    }

    @Test("a crash during background flushes leaves whole batches, at least those flushed")
    func crashPrefix() throws {
        var options = RocksOptions()
        options.writeBufferBytes = 64 << 10
        let rig = try StoreRig(.rocks, options)
        defer { rig.discard() }
        var store = try rig.open()
        var written = 0
        var ahead = 0
        for _ in 0..<12 {
            var flushed = written
            for step in 0..<600 {
                written += 1
                let filler = String(repeating: "x", count: 300)
                try store.write(
                    .puts([("a", "\(written)"), ("fill \(step)", filler), ("z", "\(written)")])
                )
                if step == 20 {
                    try store.flush()
                    flushed = written
                }
            }
            store = try rig.crash(store)
            let found = try Int(store.text("a") ?? "") ?? 0
            #expect(try store.text("z") == "\(found)")
            #expect(found >= flushed)
            #expect(found <= written)
            if found > flushed { ahead += 1 }
            written = found
        }
        #expect(ahead > 0, "no background flush got through: the test shows nothing")
    }

    @Test("a snapshot is released with the last reference to it")
    func snapshotRelease() throws {
        let rig = try StoreRig(.rocks)
        defer { rig.discard() }
        let store = try RocksStore(path: rig.path())
        defer { store.close() }
        var snapshots = [try store.snapshot(), try store.snapshot()]
        snapshots.append(snapshots[0])
        #expect(store.property("rocksdb.num-snapshots") == 2)
        snapshots.removeFirst()
        #expect(store.property("rocksdb.num-snapshots") == 2)
        snapshots.removeAll()
        #expect(store.property("rocksdb.num-snapshots") == 0)
    }

    @Test("the memory of the block cache stays within its limit")
    func cacheBound() throws {
        var options = RocksOptions()
        options.blockCacheBytes = 256 << 10
        let rig = try StoreRig(.rocks, options)
        defer { rig.discard() }
        let store = try rig.open()
        for block in 0..<40 {
            let value = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* (block &+ 7) >> 3) }
            var batch = WriteBatch()
            batch.put(bytes("\(block)"), value)
            try store.write(batch)
        }
        try store.flush()
        #expect(try store.pairs().count == 40)
        let statistics = try store.statistics()
        #expect(statistics.cacheBytes > 0)
        #expect(statistics.cacheBytes <= 512 << 10)
        #expect(statistics.tableFileBytes > 0)
        #expect(statistics.keyCount == 40)
    }
}

/// What a bad disk or a careless hand does to the files of a closed store.
enum Damage: String, CaseIterable, Sendable {
    case tableMissing
    case tableCut
    case tableFooter
    case manifestMissing
    case manifestFlipped
    case currentMissing
    case currentGarbage
    case currentEmpty

    /// Damages the store and returns the file an error must name.
    func inflict(on store: String) throws -> String {
        let current = "\(store)/CURRENT"
        let name = try String(contentsOfFile: current, encoding: .utf8)
        let manifest = "\(store)/" + name.trimmingCharacters(in: .whitespacesAndNewlines)
        let table = try Damage.tables(of: store)[1]
        switch self {
        case .tableMissing, .manifestMissing, .currentMissing:
            let victim = [.tableMissing: table, .manifestMissing: manifest][self] ?? current
            try FileManager.default.removeItem(atPath: victim)
            return victim
        case .tableCut:
            truncate(table, 100)
            return table
        case .tableFooter:
            let size = try Data(contentsOf: URL(fileURLWithPath: table)).count
            try Damage.overwrite(table, at: size - 40, with: Data(count: 40))
            return table
        case .manifestFlipped:
            try Damage.overwrite(manifest, at: 20, with: Data([0x5A, 0x5A]))
            return manifest
        case .currentGarbage, .currentEmpty:
            let content = self == .currentEmpty ? "" : "garbage\n"
            try content.write(toFile: current, atomically: false, encoding: .utf8)
            return current
        }
    }

    static func tables(of store: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: store)
            .filter { $0.hasSuffix(".sst") }.sorted().map { "\(store)/\($0)" }
    }

    static func overwrite(_ file: String, at offset: Int, with data: Data) throws {
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: file))
        try handle.seek(toOffset: UInt64(offset))
        try handle.write(contentsOf: data)
        try handle.close()
    }
}
