// SPDX-License-Identifier: Apache-2.0

internal import CRocksDB

/// The limits of a RocksDB store.
///
/// The memory of one store is bounded by the write buffers, the block cache (which also holds
/// filters and indexes) and a few kilobytes for each open file.
package struct RocksOptions: Sendable, Equatable {
    /// Whether a directory that holds no store becomes an empty one.
    package var createIfMissing = true
    /// The size at which a write buffer is flushed, in bytes.
    ///
    /// It bounds what the log must replay after a crash, together with the number of buffers. A
    /// small buffer stays in the processor's cache: 10,000 revocations are inserted in a quarter of
    /// the time that 16 MiB take.
    package var writeBufferBytes = 4 << 20
    /// The write buffers in memory, the one being filled and those being flushed.
    package var writeBufferCountMax = 6
    /// The block cache, in bytes.
    package var blockCacheBytes = 64 << 20
    /// The cache has two to the power of this parts, each with a lock of its own.
    package var blockCacheShardBits = 2
    /// The bits of the Bloom filter for each key.
    package var bloomBitsPerKey = 10
    /// The uncompressed size of a block of a table file, in bytes.
    package var blockBytes = 8 << 10
    /// The size of a table file, in bytes.
    package var tableFileBytes = 16 << 20
    /// The files kept open.
    package var openFilesMax = 512
    /// The threads for flushes and compactions together.
    package var backgroundJobsMax = 2

    /// The defaults, made for two cores and a million small records.
    package init() {}

    /// The owned C options and the cache they use; the caller destroys both.
    func makeNative() -> RocksNativeOptions {
        guard let options = unsafe rocksdb_options_create(), let cache = unsafe makeCache() else {
            preconditionFailure("RocksDB returned no options")
        }
        unsafe rocksdb_options_set_create_if_missing(options, createIfMissing ? 1 : 0)
        unsafe rocksdb_options_set_paranoid_checks(options, 1)
        unsafe rocksdb_options_set_max_open_files(options, Int32(openFilesMax))
        unsafe rocksdb_options_set_max_background_jobs(options, Int32(backgroundJobsMax))
        unsafe rocksdb_options_set_compression(options, Int32(rocksdb_lz4_compression))
        unsafe setSizes(of: options)
        unsafe neverStall(options)
        unsafe silence(options)
        unsafe setTableFormat(of: options, cache: cache)
        return unsafe RocksNativeOptions(options: options, cache: cache)
    }

    /// A cache of few parts.
    ///
    /// A block that is larger than a part is never kept. The filter of a table of a million small
    /// keys has more than a megabyte; with RocksDB's 64 parts every read would read it anew.
    private func makeCache() -> OpaquePointer? {
        let options = unsafe rocksdb_lru_cache_options_create()
        defer { unsafe rocksdb_lru_cache_options_destroy(options) }
        unsafe rocksdb_lru_cache_options_set_capacity(options, blockCacheBytes)
        unsafe rocksdb_lru_cache_options_set_num_shard_bits(options, Int32(blockCacheShardBits))
        return unsafe rocksdb_cache_create_lru_opts(options)
    }

    private func setSizes(of options: OpaquePointer) {
        unsafe rocksdb_options_set_write_buffer_size(options, writeBufferBytes)
        unsafe rocksdb_options_set_max_write_buffer_number(options, Int32(writeBufferCountMax))
        unsafe rocksdb_options_set_target_file_size_base(options, UInt64(tableFileBytes))
        unsafe rocksdb_options_set_max_bytes_for_level_base(options, UInt64(4 * tableFileBytes))
        unsafe rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1)
        unsafe rocksdb_options_set_bytes_per_sync(options, 1 << 20)
        // Opening a large store reads no table file only to refresh compaction statistics.
        unsafe rocksdb_options_set_skip_stats_update_on_db_open(options, 1)
    }

    /// Keeps writes and flushes from waiting for compactions.
    ///
    /// On a nearly full disk a compaction finds no space where a flush still does. RocksDB would
    /// then hold up writes and, once there are too many small tables, hang in `rocksdb_flush`
    /// until somebody frees space. More tables make reads slower; a caller that hangs is worse.
    private func neverStall(_ options: OpaquePointer) {
        let never: Int32 = 1 << 20
        unsafe rocksdb_options_set_level0_slowdown_writes_trigger(options, never)
        unsafe rocksdb_options_set_level0_stop_writes_trigger(options, never)
        unsafe rocksdb_options_set_soft_pending_compaction_bytes_limit(options, 0)
        unsafe rocksdb_options_set_hard_pending_compaction_bytes_limit(options, 0)
    }

    /// Keeps RocksDB from writing its own log.
    ///
    /// Debian builds it with assertions, and its log writer asserts that no line is written
    /// after one that failed: on a full disk the second line would end the process. So only the
    /// header is logged, at open; no line, statistics and no rolling of the file follow.
    private func silence(_ options: OpaquePointer) {
        let headerOnly: Int32 = 5
        unsafe rocksdb_options_set_info_log_level(options, headerOnly)
        unsafe rocksdb_options_set_max_log_file_size(options, 0)
        unsafe rocksdb_options_set_keep_log_file_num(options, 2)
        unsafe rocksdb_options_set_stats_dump_period_sec(options, 0)
        unsafe rocksdb_options_set_stats_persist_period_sec(options, 0)
    }

    private func setTableFormat(of options: OpaquePointer, cache: OpaquePointer) {
        guard let table = unsafe rocksdb_block_based_options_create() else {
            preconditionFailure("RocksDB returned no table options")
        }
        defer { unsafe rocksdb_block_based_options_destroy(table) }
        unsafe rocksdb_block_based_options_set_block_cache(table, cache)
        unsafe rocksdb_block_based_options_set_block_size(table, blockBytes)
        unsafe rocksdb_block_based_options_set_format_version(table, 5)
        unsafe rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1)
        unsafe rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1)
        // The table options take the filter policy over. Whole keys are filtered: a prefix
        // extractor would change what a scan across prefixes may return.
        let filter = unsafe rocksdb_filterpolicy_create_bloom_full(Double(bloomBitsPerKey))
        unsafe rocksdb_block_based_options_set_filter_policy(table, filter)
        unsafe rocksdb_options_set_block_based_table_factory(options, table)
    }
}

/// The C objects an open store is made with.
@unsafe
struct RocksNativeOptions {
    let options: OpaquePointer
    let cache: OpaquePointer
}
