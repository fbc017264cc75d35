// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// A readable set of keys and values, ordered bytewise by key: a store or a snapshot of one.
///
/// Every method may be called from any thread, also from inside the body of another one.
/// A body holds up a `close` of the store, so it is short and never closes the store itself.
package protocol KeyValueReader: Sendable {
    /// The value of a key, or nil when the key is not there.
    func get(_ key: [UInt8]) throws(StoreError) -> [UInt8]?

    /// Calls `body` with the value of a key without copying it, or returns nil without a call.
    ///
    /// The value is stable while `body` runs, whatever is written meanwhile.
    func withValue<R>(
        of key: [UInt8],
        _ body: (Span<UInt8>) -> R
    ) throws(StoreError) -> R?

    /// Calls `body` with each key and value of `lower ..< upper` in order until it returns false.
    ///
    /// The scan sees the state at its start; writes made meanwhile do not show. A range whose
    /// lower end is not below its upper end is empty.
    func scan(
        from lower: [UInt8],
        below upper: [UInt8],
        _ body: (_ key: Span<UInt8>, _ value: Span<UInt8>) -> Bool
    ) throws(StoreError)
}

/// An ordered key-value store with atomic batches, consistent snapshots and checkpoints.
///
/// Many threads may read while one writes. After an error of `write` the batch is wholly
/// absent; after an error of `flush` everything written stays readable and may be flushed later.
///
/// INVARIANT: a crash leaves the state after some prefix of the batches, never part of one, and
/// that prefix holds at least everything written before the last successful `flush` began.
package protocol KeyValueStore: KeyValueReader {
    /// A consistent view of one moment.
    associatedtype Snapshot: KeyValueReader

    /// Applies a batch atomically; it is visible at once and durable after the next `flush`.
    func write(_ batch: WriteBatch) throws(StoreError)

    /// The state of this moment, kept until the last reference to it goes.
    ///
    /// It keeps the store's memory and files alive, and throws `closed` once the store is closed.
    func snapshot() throws(StoreError) -> Snapshot

    /// Makes everything written so far durable before it returns.
    func flush() throws(StoreError)

    /// Makes a durable copy of the state, unflushed writes included, that opens as a store.
    ///
    /// `path` must not exist, its parent directory must, on the same file system.
    func checkpoint(to path: String) throws(StoreError)

    /// What the store occupies.
    func statistics() throws(StoreError) -> StoreStatistics

    /// Ends the store; later calls, and those of its snapshots, throw `closed`.
    ///
    /// Waits for calls in progress. May be called again and from any thread. What was not
    /// flushed is written out when that is possible, which is no promise.
    func close()
}

/// What a store occupies, in memory and on disk; estimates of the engine.
package struct StoreStatistics: Sendable, Equatable {
    /// Writes held in memory, flushed or not, until no reader needs them there, in bytes.
    package var memtableBytes: UInt64
    /// The block cache, filters and indexes included, in bytes.
    package var cacheBytes: UInt64
    /// The table files on disk, in bytes.
    package var tableFileBytes: UInt64
    /// The number of keys.
    package var keyCount: UInt64

    /// Data in memory and on disk together, without caches, in bytes.
    package var approximateBytes: UInt64 { memtableBytes + tableFileBytes }
}

/// Whether one key comes before another: bytewise, a prefix before what it begins.
func keyPrecedes(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    let order = unsafe left.withUnsafeBytes { left in
        unsafe right.withUnsafeBytes { right in
            guard let start = left.baseAddress, let other = right.baseAddress else { return 0 }
            return unsafe Int(memcmp(start, other, min(left.count, right.count)))
        }
    }
    return order == 0 ? left.count < right.count : order < 0
}
