// SPDX-License-Identifier: Apache-2.0

import Log
import Store
import Synchronization

/// A store that flushes by itself now and then, behind any write, as a full memtable does.
///
/// So a crash may leave anything between two batches, also where nobody asked for a flush.
final class RestlessStore: KeyValueStore, Sendable {
    let base: MemoryStore
    private let flushPercent: Int
    private let generator: Mutex<SplitMix64>

    init(_ base: MemoryStore, flushPercent: Int, seed: UInt64) {
        self.base = base
        self.flushPercent = flushPercent
        generator = Mutex(SplitMix64(seed: seed))
    }

    func write(_ batch: WriteBatch) throws(StoreError) {
        try base.write(batch)
        if generator.withLock({ $0.chance(flushPercent) }) { try base.flush() }
    }

    func get(_ key: [UInt8]) throws(StoreError) -> [UInt8]? { try base.get(key) }

    func withValue<R>(
        of key: [UInt8],
        _ body: (Swift.Span<UInt8>) -> R
    ) throws(StoreError) -> R? {
        try base.withValue(of: key, body)
    }

    func scan(
        from lower: [UInt8],
        below upper: [UInt8],
        _ body: (_ key: Swift.Span<UInt8>, _ value: Swift.Span<UInt8>) -> Bool
    ) throws(StoreError) {
        try base.scan(from: lower, below: upper, body)
    }

    func snapshot() throws(StoreError) -> MemorySnapshot { try base.snapshot() }
    func flush() throws(StoreError) { try base.flush() }
    func checkpoint(to path: String) throws(StoreError) { try base.checkpoint(to: path) }
    func statistics() throws(StoreError) -> StoreStatistics { try base.statistics() }
    func close() { base.close() }
}
