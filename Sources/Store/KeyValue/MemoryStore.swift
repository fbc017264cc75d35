// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// A key-value store in memory that crashes and fails when told to, for tests and simulation.
///
/// It keeps the promises of `KeyValueStore` and no more: a crash loses everything since the last
/// flush. Its disk is a `MemoryVolume`, which outlives it.
///
/// INVARIANT: a batch is applied under one lock, so no reader sees part of it.
package final class MemoryStore: KeyValueStore, Sendable {
    /// The operations that can be made to fail.
    package enum Operation: Int, Sendable, CaseIterable {
        /// `get`, `withValue` and `scan`, of the store and its snapshots.
        case read
        /// `write`; the batch is not applied.
        case write
        /// `snapshot`.
        case snapshot
        /// `flush`; nothing becomes durable, nor does it when the store is closed.
        case flush
        /// `checkpoint`; nothing is made.
        case checkpoint
    }

    private struct Fault: Sendable {
        let operation: Operation
        let error: StoreError
        var count: Int
    }

    private struct State: Sendable {
        var content: SortedMap
        var isClosed = false
        /// In the order they were asked for.
        var faults: [Fault] = []
    }

    /// Where the store keeps what it flushes.
    package let volume: MemoryVolume
    /// The name of the store on its volume.
    package let path: String

    private let state: Mutex<State>

    /// An empty store on a volume of its own.
    package convenience init() {
        let volume = MemoryVolume()
        guard let content = volume.open("state") else {
            preconditionFailure("a new volume has no store")
        }
        self.init(volume: volume, path: "state", content: content)
    }

    /// Opens the store at a path of a volume, creating an empty one if there is none.
    ///
    /// Throws `locked` while another store has it open.
    package convenience init(volume: MemoryVolume, path: String) throws(StoreError) {
        guard let content = volume.open(path) else {
            throw .locked(path: path)
        }
        self.init(volume: volume, path: path, content: content)
    }

    private init(volume: MemoryVolume, path: String, content: SortedMap) {
        self.volume = volume
        self.path = path
        state = Mutex(State(content: content))
    }

    deinit {
        close()
    }

    /// Reads the value of a key from the newest state.
    package func get(_ key: [UInt8]) throws(StoreError) -> [UInt8]? {
        try content(for: .read)[key]
    }

    /// Lends the value of a key; the store is not locked meanwhile.
    package func withValue<R>(
        of key: [UInt8],
        _ body: (Span<UInt8>) -> R
    ) throws(StoreError) -> R? {
        guard let value = try get(key) else { return nil }
        return body(value.span)
    }

    /// Scans the newest state; the store is not locked meanwhile.
    package func scan(
        from lower: [UInt8],
        below upper: [UInt8],
        _ body: (_ key: Span<UInt8>, _ value: Span<UInt8>) -> Bool
    ) throws(StoreError) {
        try content(for: .read).scan(from: lower, below: upper, body)
    }

    /// Applies a batch.
    package func write(_ batch: WriteBatch) throws(StoreError) {
        try perform(.write) { state in
            for operation in batch.operations {
                switch operation {
                case .put(let key, let value): state.content.put(key, value)
                case .delete(let key): state.content.delete(key)
                }
            }
        }
    }

    /// Shares the present content with a snapshot.
    package func snapshot() throws(StoreError) -> MemorySnapshot {
        MemorySnapshot(store: self, content: try content(for: .snapshot))
    }

    /// Copies the present content to the volume.
    package func flush() throws(StoreError) {
        try perform(.flush) { volume.flush($0.content, to: path) }
    }

    /// Copies the present content to another path of the volume.
    package func checkpoint(to path: String) throws(StoreError) {
        let isNew = try perform(.checkpoint) { volume.create(path, $0.content) }
        guard isNew else { throw .io("\(path) exists") }
    }

    /// Counts the content; the memory is the bytes of keys and values.
    package func statistics() throws(StoreError) -> StoreStatistics {
        try perform(nil) { state in
            StoreStatistics(
                memtableBytes: UInt64(state.content.byteCount),
                cacheBytes: 0,
                tableFileBytes: 0,
                keyCount: UInt64(state.content.count)
            )
        }
    }

    /// Flushes, unless a flush would fail, and unlocks the path.
    package func close() {
        end { state in
            guard !state.faults.contains(where: { $0.operation == .flush }) else { return }
            volume.flush(state.content, to: path)
        }
    }

    /// Ends this store as a power cut would, and opens what was flushed.
    ///
    /// A store that is closed already lost nothing by it.
    package func crashed() -> MemoryStore {
        end { _ in }
        guard let content = volume.open(path) else {
            preconditionFailure("\(path) was opened again before the crash")
        }
        return MemoryStore(volume: volume, path: path, content: content)
    }

    /// Makes the next `count` calls of an operation throw `error`, after those already asked for.
    package func failNext(
        _ operation: Operation,
        with error: StoreError,
        count: Int = 1
    ) {
        state.withLock { state in
            state.faults.append(Fault(operation: operation, error: error, count: count))
        }
    }

    /// Makes nothing fail any more.
    package func clearFaults() {
        state.withLock { $0.faults = [] }
    }

    /// Throws what a read of a snapshot must throw.
    func checkRead() throws(StoreError) {
        try perform(.read) { _ in }
    }

    private func content(for operation: Operation) throws(StoreError) -> SortedMap {
        try perform(operation) { $0.content }
    }

    private func perform<R: Sendable>(
        _ operation: Operation?,
        _ body: (inout State) -> sending R
    ) throws(StoreError) -> R {
        try state.withLock { (state) throws(StoreError) -> sending R in
            guard !state.isClosed else { throw .closed }
            if let index = state.faults.firstIndex(where: { $0.operation == operation }) {
                let error = state.faults[index].error
                state.faults[index].count -= 1
                if state.faults[index].count <= 0 {
                    state.faults.remove(at: index)
                }
                throw error
            }
            return body(&state)
        }
    }

    private func end(_ lastWords: (inout State) -> Void) {
        state.withLock { state in
            guard !state.isClosed else { return }
            lastWords(&state)
            state.isClosed = true
            volume.unlock(path)
        }
    }
}

/// A consistent view of an in-memory store.
package final class MemorySnapshot: KeyValueReader, Sendable {
    private let store: MemoryStore
    private let content: SortedMap

    init(store: MemoryStore, content: SortedMap) {
        self.store = store
        self.content = content
    }

    /// Reads the value of a key as of the snapshot.
    package func get(_ key: [UInt8]) throws(StoreError) -> [UInt8]? {
        try store.checkRead()
        return content[key]
    }

    /// Lends the value of a key as of the snapshot.
    package func withValue<R>(
        of key: [UInt8],
        _ body: (Span<UInt8>) -> R
    ) throws(StoreError) -> R? {
        guard let value = try get(key) else { return nil }
        return body(value.span)
    }

    /// Scans the state as of the snapshot.
    package func scan(
        from lower: [UInt8],
        below upper: [UInt8],
        _ body: (_ key: Span<UInt8>, _ value: Span<UInt8>) -> Bool
    ) throws(StoreError) {
        try store.checkRead()
        content.scan(from: lower, below: upper, body)
    }
}
