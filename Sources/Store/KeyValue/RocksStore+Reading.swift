// SPDX-License-Identifier: Apache-2.0

internal import CRocksDB

/// What a store and its snapshots read with; they differ in the read options alone.
extension RocksStore {
    /// Enters the gate, or throws when the store is closed.
    func enter() throws(StoreError) {
        guard gate.enter() else { throw .closed }
    }

    func checked<R>(
        _ call: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R
    ) throws(StoreError) -> R {
        try unsafe rocksChecked(path, whileOpening: false, call)
    }

    func get(_ key: [UInt8], _ options: OpaquePointer) throws(StoreError) -> [UInt8]? {
        try unsafe withValue(of: key, options) { value in
            unsafe [UInt8](unsafeUninitializedCapacity: value.count) { buffer, count in
                unsafe value.withUnsafeBufferPointer { source in
                    _ = unsafe buffer.initialize(fromContentsOf: source)
                }
                count = value.count
            }
        }
    }

    func withValue<R>(
        of key: [UInt8],
        _ options: OpaquePointer,
        _ body: (Span<UInt8>) -> R
    ) throws(StoreError) -> R? {
        try enter()
        defer { gate.leave() }
        let slice = try unsafe checked { error in
            unsafe withNativeBytes(of: key) { key, count in
                unsafe rocksdb_get_pinned(database, options, key, count, error)
            }
        }
        guard let slice = unsafe slice else { return nil }
        defer { unsafe rocksdb_pinnableslice_destroy(slice) }
        var count = 0
        let start = unsafe rocksdb_pinnableslice_value(slice, &count)
        return body(unsafe nativeBytes(start, count).span)
    }

    func scan(
        from lower: [UInt8],
        below upper: [UInt8],
        snapshot: OpaquePointer?,
        _ body: (_ key: Span<UInt8>, _ value: Span<UInt8>) -> Bool
    ) throws(StoreError) {
        try enter()
        defer { gate.leave() }
        guard keyPrecedes(lower, upper) else { return }
        let options = unsafe rocksdb_readoptions_create()
        defer { unsafe rocksdb_readoptions_destroy(options) }
        unsafe rocksdb_readoptions_set_snapshot(options, snapshot)
        // The iterator keeps a pointer to its upper bound, not a copy.
        try unsafe withNativeBytes(of: upper) { (upper, count) throws(StoreError) in
            unsafe rocksdb_readoptions_set_iterate_upper_bound(options, upper, count)
            let iterator = unsafe rocksdb_create_iterator(database, options)
            defer { unsafe rocksdb_iter_destroy(iterator) }
            unsafe withNativeBytes(of: lower) { lower, count in
                unsafe rocksdb_iter_seek(iterator, lower, count)
            }
            while unsafe rocksdb_iter_valid(iterator) != 0 {
                var keyCount = 0
                var valueCount = 0
                let key = unsafe rocksdb_iter_key(iterator, &keyCount)
                let value = unsafe rocksdb_iter_value(iterator, &valueCount)
                let goOn = body(
                    unsafe nativeBytes(key, keyCount).span,
                    unsafe nativeBytes(value, valueCount).span
                )
                guard goOn else { return }
                unsafe rocksdb_iter_next(iterator)
            }
            try unsafe checked { error in
                unsafe rocksdb_iter_get_error(iterator, error)
            }
        }
    }
}

/// A consistent view of a RocksDB store.
///
/// INVARIANT: `native` is released once: by `deinit`, or by the `close` of the store before it.
@safe
package final class RocksSnapshot: KeyValueReader, @unchecked Sendable {
    // SAFETY: RocksDB's snapshots are read from any thread; the store's gate guards their life.
    private let store: RocksStore
    private let native: OpaquePointer
    private let readOptions: OpaquePointer

    init(store: RocksStore, native: OpaquePointer) {
        self.store = store
        unsafe self.native = native
        unsafe readOptions = rocksdb_readoptions_create()
        unsafe rocksdb_readoptions_set_snapshot(readOptions, native)
    }

    deinit {
        unsafe store.release(native)
        unsafe rocksdb_readoptions_destroy(readOptions)
    }

    /// Reads the value of a key as of the snapshot.
    package func get(_ key: [UInt8]) throws(StoreError) -> [UInt8]? {
        try unsafe store.get(key, readOptions)
    }

    /// Lends the value of a key as of the snapshot.
    package func withValue<R>(
        of key: [UInt8],
        _ body: (Span<UInt8>) -> R
    ) throws(StoreError) -> R? {
        try unsafe store.withValue(of: key, readOptions, body)
    }

    /// Scans the state as of the snapshot.
    package func scan(
        from lower: [UInt8],
        below upper: [UInt8],
        _ body: (_ key: Span<UInt8>, _ value: Span<UInt8>) -> Bool
    ) throws(StoreError) {
        try unsafe store.scan(from: lower, below: upper, snapshot: native, body)
    }
}
