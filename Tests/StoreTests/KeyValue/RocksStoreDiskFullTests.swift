// SPDX-License-Identifier: Apache-2.0

import Foundation
import Store
import Synchronization
import Testing

/// A store on a small file system of its own, which fills up.
@Suite("RocksDB store on a full disk", .serialized)
struct RocksStoreDiskFullTests {
    @Test("writes say noSpace, reads go on, and space brings the store back as it was")
    func fillAndRecover() throws {
        let disk = try SmallDisk(megabytes: 24)
        defer { disk.unmount() }
        let store = try RocksStore(path: "\(disk.path)/state", options: disk.options)
        defer { store.close() }
        var load = DiskLoad(store: store)
        try load.writeUntil(count: 200)
        try store.flush()
        let logBytes = disk.size(of: "state/LOG")

        try disk.fill(leaving: 2 << 20)
        try load.writeUntilFull()
        #expect(throws: StoreError.self) { try store.flush() }
        let snapshot = try store.snapshot()
        try load.verify(in: snapshot)
        let failing = ContinuousClock.now
        while ContinuousClock.now - failing < .seconds(6) {
            // Longer than RocksDB waits before it looks for space, in vain this time.
            #expect(try load.writeOne() == false)
            try load.verify(in: store, sample: 97)
            usleep(100_000)
        }

        disk.free()
        try load.retryUntilWritten(within: .seconds(20))
        try load.verify(in: store)
        try store.flush()
        #expect(disk.size(of: "state/LOG") == logBytes, "a logged line may abort the process")
        try store.checkpoint(to: "\(disk.path)/copy")
        let copy = try RocksStore(path: "\(disk.path)/copy", options: disk.options)
        defer { copy.close() }
        try load.verify(in: copy)
    }

    @Test("flushes go on while compactions find no space")
    func compactionFails() throws {
        let disk = try SmallDisk(megabytes: 24)
        defer { disk.unmount() }
        let store = try RocksStore(path: "\(disk.path)/state", options: disk.options)
        defer { store.close() }
        var load = DiskLoad(store: store)
        try load.writeUntil(count: 6000)
        try store.flush()
        try disk.fill(leaving: 1 << 20)
        // Each flush makes a small table that covers all keys, so each compaction rewrites all.
        let flushes = Atomic<Int>(0)
        let end = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            for _ in 0..<60 {
                try? store.write(.puts([("key 0", ""), ("last", "")]))
                try? store.flush()
                flushes.add(1, ordering: .relaxed)
            }
            end.signal()
        }
        let hasEnded = end.wait(timeout: .now() + 30) == .success
        let count = flushes.load(ordering: .relaxed)
        disk.free()
        if !hasEnded { end.wait() }
        #expect(hasEnded, "hung after \(count) flushes")
    }

    @Test("a store opens and closes on a disk without a free byte, or says noSpace")
    func openOnFullDisk() throws {
        let disk = try SmallDisk(megabytes: 24)
        defer { disk.unmount() }
        let path = "\(disk.path)/state"
        let store = try RocksStore(path: path, options: disk.options)
        try store.write(.put("a", "1"))
        try store.flush()
        try store.write(.put("a", "2"))
        try disk.fill(leaving: 0)
        store.close()
        // Closing gave back what the files had reserved.
        disk.free()
        try disk.fill(leaving: 0)
        let error = #expect(throws: StoreError.self) {
            try RocksStore(path: path, options: disk.options)
        }
        guard case .noSpace = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        disk.free()
        let again = try RocksStore(path: path, options: disk.options)
        defer { again.close() }
        #expect(["1", "2"].contains(try again.text("a")))
    }
}

/// Records of random-looking bytes, and how many the store has accepted.
private struct DiskLoad {
    let store: RocksStore
    private(set) var accepted = 0

    init(store: RocksStore) {
        self.store = store
    }

    /// True when the store took the next record, false when it had no space.
    mutating func writeOne() throws -> Bool {
        var batch = WriteBatch()
        batch.put(bytes("key \(accepted)"), value(accepted))
        batch.put(bytes("last"), bytes("\(accepted)"))
        do throws(StoreError) {
            try store.write(batch)
        } catch .noSpace {
            return false
        }
        accepted += 1
        return true
    }

    mutating func writeUntil(count: Int) throws {
        while accepted < count {
            #expect(try writeOne())
        }
    }

    mutating func writeUntilFull() throws {
        for _ in 0..<100_000 where try !writeOne() { return }
        Issue.record("the disk does not fill")
    }

    mutating func retryUntilWritten(within limit: Duration) throws {
        let start = ContinuousClock.now
        while try !writeOne() {
            guard ContinuousClock.now - start < limit else {
                Issue.record("no write after \(limit)")
                return
            }
            usleep(50_000)
        }
    }

    func verify(
        in reader: some KeyValueReader,
        sample: Int = 1,
        at place: SourceLocation = #_sourceLocation
    ) throws {
        #expect(try reader.text("last") == "\(accepted - 1)", sourceLocation: place)
        #expect(try reader.get(bytes("key \(accepted)")) == nil, sourceLocation: place)
        for index in stride(from: 0, to: accepted, by: sample)
        where try reader.get(bytes("key \(index)")) != value(index) {
            Issue.record("record \(index) of \(accepted) is lost", sourceLocation: place)
            return
        }
    }

    private func value(_ index: Int) -> [UInt8] {
        var state = UInt64(index) &* 0x9E37_79B9_7F4A_7C15 | 1
        return (0..<1024).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }
    }
}

/// A mounted file system of a few megabytes with a file that takes its space.
private struct SmallDisk {
    let path: String
    private var ballast: String { "\(path)/ballast" }

    /// Buffers small enough that the disk is full long before memory shows it.
    var options: RocksOptions {
        var options = RocksOptions()
        options.writeBufferBytes = 1 << 20
        options.blockCacheBytes = 1 << 20
        return options
    }

    init(megabytes: Int) throws {
        path = NSTemporaryDirectory() + "brokerfs-disk-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: true
        )
        guard mount("tmpfs", path, "tmpfs", 0, "size=\(megabytes)m") == 0 else {
            throw StoreError.io("mount: \(errno)")
        }
    }

    func unmount() {
        #expect(umount2(path, Int32(MNT_DETACH)) == 0)
        rmdir(path)
    }

    func fill(leaving bytes: Int) throws {
        var space = statvfs()
        guard statvfs(path, &space) == 0 else { throw StoreError.io("statvfs: \(errno)") }
        let free = Int(space.f_bavail) * Int(space.f_bsize)
        let descriptor = open(ballast, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
        defer { close(descriptor) }
        guard descriptor >= 0, posix_fallocate(descriptor, 0, free - bytes) == 0 else {
            throw StoreError.io("no ballast: \(errno)")
        }
    }

    func free() { unlink(ballast) }

    func size(of name: String) -> Int {
        var status = stat()
        return stat("\(path)/\(name)", &status) == 0 ? Int(status.st_size) : -1
    }
}
