// SPDX-License-Identifier: Apache-2.0

internal import CRocksDB
internal import Glibc

/// What becomes durable, and the proof that it has.
///
/// While RocksDB recovers from a full disk its flush may succeed and leave the newest write buffer
/// in memory (facebook/rocksdb issue 8046). Whoever shortens a log after a flush would lose what
/// is in it, so success is not believed but checked.
extension RocksStore {
    private static let attemptsMax = 100
    private static let pauseMicroseconds: UInt32 = 50_000

    /// Writes all write buffers to table files and syncs them.
    ///
    /// Takes up to five seconds longer while RocksDB recovers from an error.
    package func flush() throws(StoreError) {
        try enter()
        defer { gate.leave() }
        let newest = unsafe rocksdb_get_latest_sequence_number(database)
        for attempt in 0..<Self.attemptsMax {
            if attempt > 0 { usleep(Self.pauseMicroseconds) }
            try unsafe checked { error in
                unsafe rocksdb_flush(database, flushOptions, error)
            }
            if isFlushed(through: newest) { return }
        }
        throw .io("RocksDB keeps what it was to flush in memory: \(path)")
    }

    /// Flushes, then makes a directory of hard links to the table files.
    package func checkpoint(to path: String) throws(StoreError) {
        try flush()
        try enter()
        defer { gate.leave() }
        let maker = try unsafe checked { error in
            unsafe rocksdb_checkpoint_object_create(database, error)
        }
        defer { unsafe rocksdb_checkpoint_object_destroy(maker) }
        try unsafe checked { error in
            unsafe rocksdb_checkpoint_create(maker, path, 0, error)
        }
        // RocksDB syncs the files and the new directory, but not the name it was moved to.
        try StoreDirectory.syncParent(of: path)
    }

    /// Whether the operation of this sequence number, and every one before it, is in a table file.
    ///
    /// Each operation takes the next number and is one entry of a write buffer, and the oldest
    /// buffers are flushed first: so the entries not flushed are those with the highest numbers.
    /// What is written between these three reads can only make the answer false.
    private func isFlushed(through sequence: UInt64) -> Bool {
        let newest = unsafe rocksdb_get_latest_sequence_number(database)
        let active = property("rocksdb.num-entries-active-mem-table")
        let waiting = property("rocksdb.num-entries-imm-mem-tables")
        return newest >= sequence + active + waiting
    }
}
