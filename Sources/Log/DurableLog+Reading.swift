// SPDX-License-Identifier: Apache-2.0

/// Reading entries back, for replay and for members that lag behind.
extension DurableLog {
    /// Entries from `index` on, in order: what fits `bytesMax` bytes of file, but at least one.
    ///
    /// Empty when `index` is one beyond the last. Throws `.corrupt` rather than a changed byte.
    package func entries(from index: UInt64, bytesMax: Int) throws(LogError) -> [LogEntry] {
        try checkRunning()
        guard index >= firstIndex, index <= lastIndex + 1 else {
            throw .outOfRange(index: index, first: firstIndex, last: lastIndex)
        }
        return try disk.entries(of: segments, from: index, bytesMax: bytesMax)
    }

    /// The term of an entry of the log, or of the one before its first.
    package func term(at index: UInt64) throws(LogError) -> UInt64 {
        try checkRunning()
        if index == lastIndex { return lastTerm }
        if index + 1 == firstIndex, let first = segments.first { return first.previousTerm }
        guard index >= firstIndex, index < lastIndex else {
            throw .outOfRange(index: index, first: firstIndex, last: lastIndex)
        }
        let (segment, range) = disk.extent(of: segments, from: index)
        var entries: [LogEntry] = []
        try disk.read(range.prefix(1), of: segment, into: &entries)
        return entries[0].term
    }
}
