// SPDX-License-Identifier: Apache-2.0

internal import CRocksDB
internal import Synchronization

/// A key-value store in a directory, kept by RocksDB.
///
/// The write-ahead log is off: the caller's own log makes writes durable, and after a crash the
/// state is the one last flushed. There is one column family, so a batch lies in one write buffer
/// and reaches the disk whole.
///
/// On a full disk a background flush fails; from then on writes and flushes throw `noSpace`,
/// reads go on and nothing acknowledged is lost from memory. RocksDB looks for space every five
/// seconds and then goes on by itself.
///
/// INVARIANT: every use of the native database lies between `gate.enter` and `gate.leave`.
/// INVARIANT: the native database is freed once, after the gate is shut and all native
/// snapshots, listed in `snapshots`, are released.
@safe
package final class RocksStore: KeyValueStore, @unchecked Sendable {
    // SAFETY: RocksDB takes calls from any thread; the gate keeps them off a closed database.
    /// The directory of the store, without a slash at its end.
    package let path: String

    let database: OpaquePointer
    let gate = AccessGate()
    private let cache: OpaquePointer
    private let readOptions: OpaquePointer
    private let writeOptions: OpaquePointer
    let flushOptions: OpaquePointer
    /// The addresses of the native snapshots that are not released.
    private let snapshots = Mutex<Set<UInt>>([])
    private let isClosed = Mutex(false)

    /// Opens the store in `path`, creating it in an existing parent directory if there is none.
    ///
    /// Throws `locked` while another store has it open and `corrupt` when its files are not what
    /// was written, above all when one is missing.
    package init(
        path: String,
        options: RocksOptions = RocksOptions()
    ) throws(StoreError) {
        var path = path
        while path.count > 1, path.hasSuffix("/") {
            path.removeLast()
        }
        try StoreDirectory.refuseHeadless(path)
        let native = unsafe options.makeNative()
        defer { unsafe rocksdb_options_destroy(native.options) }
        do throws(StoreError) {
            let opened = try unsafe rocksChecked(path, whileOpening: true) { error in
                unsafe rocksdb_open(native.options, path, error)
            }
            guard let opened = unsafe opened else {
                throw .io("RocksDB returned neither a store nor an error for \(path)")
            }
            unsafe database = opened
        } catch {
            unsafe rocksdb_cache_destroy(native.cache)
            throw error
        }
        self.path = path
        unsafe cache = native.cache
        unsafe readOptions = rocksdb_readoptions_create()
        unsafe writeOptions = rocksdb_writeoptions_create()
        unsafe rocksdb_writeoptions_disable_WAL(writeOptions, 1)
        unsafe flushOptions = rocksdb_flushoptions_create()
        unsafe rocksdb_flushoptions_set_wait(flushOptions, 1)
        try StoreDirectory.syncParent(of: path)
    }

    deinit {
        close()
        unsafe rocksdb_flushoptions_destroy(flushOptions)
        unsafe rocksdb_writeoptions_destroy(writeOptions)
        unsafe rocksdb_readoptions_destroy(readOptions)
    }

    /// Reads the value of a key from the newest state.
    package func get(_ key: [UInt8]) throws(StoreError) -> [UInt8]? {
        try unsafe get(key, readOptions)
    }

    /// Lends the value of a key, pinned in the block cache or the write buffer.
    package func withValue<R>(
        of key: [UInt8],
        _ body: (Span<UInt8>) -> R
    ) throws(StoreError) -> R? {
        try unsafe withValue(of: key, readOptions, body)
    }

    /// Scans the newest state.
    package func scan(
        from lower: [UInt8],
        below upper: [UInt8],
        _ body: (_ key: Span<UInt8>, _ value: Span<UInt8>) -> Bool
    ) throws(StoreError) {
        try unsafe scan(from: lower, below: upper, snapshot: nil, body)
    }

    /// Applies a batch to the write buffer; waits while all write buffers are full.
    package func write(_ batch: WriteBatch) throws(StoreError) {
        try enter()
        defer { gate.leave() }
        guard !batch.isEmpty else { return }
        let native = unsafe rocksdb_writebatch_create()
        defer { unsafe rocksdb_writebatch_destroy(native) }
        for operation in batch.operations {
            switch operation {
            case .put(let key, let value):
                unsafe withNativeBytes(of: key) { key, keyCount in
                    unsafe withNativeBytes(of: value) { value, valueCount in
                        unsafe rocksdb_writebatch_put(native, key, keyCount, value, valueCount)
                    }
                }
            case .delete(let key):
                unsafe withNativeBytes(of: key) { key, keyCount in
                    unsafe rocksdb_writebatch_delete(native, key, keyCount)
                }
            }
        }
        try unsafe checked { error in
            unsafe rocksdb_write(database, writeOptions, native, error)
        }
    }

    /// Pins the state of this moment.
    package func snapshot() throws(StoreError) -> RocksSnapshot {
        try enter()
        defer { gate.leave() }
        guard let native = unsafe rocksdb_create_snapshot(database) else {
            throw .io("RocksDB returned no snapshot of \(path)")
        }
        let address = UInt(bitPattern: native)
        snapshots.withLock { _ = $0.insert(address) }
        return unsafe RocksSnapshot(store: self, native: native)
    }

    /// Asks RocksDB for its estimates.
    package func statistics() throws(StoreError) -> StoreStatistics {
        try enter()
        defer { gate.leave() }
        return StoreStatistics(
            memtableBytes: property("rocksdb.cur-size-all-mem-tables"),
            cacheBytes: property("rocksdb.block-cache-usage"),
            tableFileBytes: property("rocksdb.total-sst-files-size"),
            keyCount: property("rocksdb.estimate-num-keys")
        )
    }

    /// Writes out what it can, releases every snapshot and frees the lock of the directory.
    package func close() {
        isClosed.withLock { isClosed in
            guard !isClosed else { return }
            isClosed = true
            gate.shut()
            snapshots.withLock { addresses in
                while let address = addresses.popFirst() {
                    unsafe rocksdb_release_snapshot(database, OpaquePointer(bitPattern: address))
                }
            }
            unsafe rocksdb_close(database)
            unsafe rocksdb_cache_destroy(cache)
        }
    }

    /// Gives a snapshot back, unless `close` has done so or is about to.
    func release(_ snapshot: OpaquePointer) {
        guard gate.enter() else { return }
        defer { gate.leave() }
        let address = UInt(bitPattern: snapshot)
        snapshots.withLock { _ = $0.remove(address) }
        unsafe rocksdb_release_snapshot(database, snapshot)
    }

    /// A number RocksDB keeps, or zero when it has none of that name; only inside the gate.
    func property(_ name: String) -> UInt64 {
        var value: UInt64 = 0
        return unsafe rocksdb_property_int(database, name, &value) == 0 ? value : 0
    }
}
