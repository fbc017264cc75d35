// SPDX-License-Identifier: Apache-2.0

/// A map from byte strings to byte strings, ordered bytewise by key.
///
/// The pairs lie in chunks of bounded size, so a change moves at most one chunk, and a copy of
/// the map shares all chunks that neither side changes: a copy is a snapshot.
///
/// INVARIANT: no chunk is empty, none holds more than `chunkCountMax` pairs, and keys strictly
/// ascend within a chunk and from chunk to chunk.
struct SortedMap: Sendable {
    private struct Chunk: Sendable {
        var keys: [[UInt8]]
        var values: [[UInt8]]
    }

    static let chunkCountMax = 256

    private var chunks: [Chunk] = []

    /// The number of pairs.
    private(set) var count = 0

    /// The bytes of all keys and values.
    private(set) var byteCount = 0

    subscript(key: [UInt8]) -> [UInt8]? {
        guard let chunk = chunkIndex(of: key) else { return nil }
        let position = Self.lowerBound(of: key, in: chunks[chunk].keys)
        let keys = chunks[chunk].keys
        guard position < keys.count, keys[position] == key else { return nil }
        return chunks[chunk].values[position]
    }

    mutating func put(_ key: [UInt8], _ value: [UInt8]) {
        guard let chunk = chunkIndex(of: key) else {
            // Before every key: into the first chunk, or the first pair of all.
            if chunks.isEmpty {
                chunks.append(Chunk(keys: [], values: []))
            }
            insert(key, value, chunk: 0, position: 0)
            return
        }
        let position = Self.lowerBound(of: key, in: chunks[chunk].keys)
        if position < chunks[chunk].keys.count, chunks[chunk].keys[position] == key {
            byteCount += value.count - chunks[chunk].values[position].count
            chunks[chunk].values[position] = value
        } else {
            insert(key, value, chunk: chunk, position: position)
        }
    }

    mutating func delete(_ key: [UInt8]) {
        guard let chunk = chunkIndex(of: key) else { return }
        let position = Self.lowerBound(of: key, in: chunks[chunk].keys)
        guard position < chunks[chunk].keys.count, chunks[chunk].keys[position] == key else {
            return
        }
        byteCount -= key.count + chunks[chunk].values[position].count
        count -= 1
        chunks[chunk].keys.remove(at: position)
        chunks[chunk].values.remove(at: position)
        if chunks[chunk].keys.isEmpty {
            chunks.remove(at: chunk)
        }
    }

    /// Calls `body` with the pairs of `lower ..< upper` in order until it returns false.
    func scan(
        from lower: [UInt8],
        below upper: [UInt8],
        _ body: (_ key: Span<UInt8>, _ value: Span<UInt8>) -> Bool
    ) {
        guard keyPrecedes(lower, upper) else { return }
        let first = chunkIndex(of: lower) ?? 0
        for index in first..<max(first, chunks.count) {
            let chunk = chunks[index]
            let start = index == first ? Self.lowerBound(of: lower, in: chunk.keys) : 0
            for position in start..<chunk.keys.count {
                let key = chunk.keys[position]
                let value = chunk.values[position]
                guard keyPrecedes(key, upper), body(key.span, value.span) else { return }
            }
        }
    }

    private mutating func insert(
        _ key: [UInt8],
        _ value: [UInt8],
        chunk: Int,
        position: Int
    ) {
        chunks[chunk].keys.insert(key, at: position)
        chunks[chunk].values.insert(value, at: position)
        count += 1
        byteCount += key.count + value.count
        if chunks[chunk].keys.count > Self.chunkCountMax {
            // A load in key order leaves full chunks behind, any other order halves them.
            let isAppend = chunk == chunks.count - 1 && position == Self.chunkCountMax
            split(chunk, at: isAppend ? Self.chunkCountMax : Self.chunkCountMax / 2)
        }
    }

    private mutating func split(_ chunk: Int, at position: Int) {
        let tail = Chunk(
            keys: Array(chunks[chunk].keys[position...]),
            values: Array(chunks[chunk].values[position...])
        )
        chunks[chunk].keys.removeSubrange(position...)
        chunks[chunk].values.removeSubrange(position...)
        chunks.insert(tail, at: chunk + 1)
    }

    /// The last chunk that begins at or before `key`; nil when all begin after it.
    private func chunkIndex(of key: [UInt8]) -> Int? {
        var low = 0
        var high = chunks.count
        while low < high {
            let middle = (low + high) / 2
            if keyPrecedes(key, chunks[middle].keys[0]) {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low == 0 ? nil : low - 1
    }

    /// The position of the first key not before `key`.
    private static func lowerBound(of key: [UInt8], in keys: [[UInt8]]) -> Int {
        var low = 0
        var high = keys.count
        while low < high {
            let middle = (low + high) / 2
            if keyPrecedes(keys[middle], key) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }
}
