// SPDX-License-Identifier: Apache-2.0

/// Truncating the end, discarding the beginning, beginning anew.
extension DurableLog {
    /// Takes back the entries from `index` on (a conflict, Raft thesis section 3.5).
    ///
    /// One record says so: nothing that is durable is written over, so a crash leaves the log as it
    /// was before or as it is after. An index beyond the last changes nothing.
    package mutating func truncateSuffix(from index: UInt64) throws(LogError) {
        try change { (log) throws(LogError) in
            guard index <= log.lastIndex else { return }
            guard index >= log.firstIndex else {
                throw .outOfRange(index: index, first: log.firstIndex, last: log.lastIndex)
            }
            let segment = log.segments[log.segments.count - 1]
            if !segment.hasRoom(for: Record.headerSize, at: segment.end) { try log.roll() }
            try log.writeTruncation(from: index)
        }
    }

    /// Drops whole segments whose entries are all at or before `index`; the last one stays.
    package mutating func discardPrefix(through index: UInt64) throws(LogError) {
        try change { (log) throws(LogError) in
            // Oldest first, and each durably before the next: a gap would be taken for damage.
            while log.segments.count > 1, log.segments[0].nextIndex - 1 <= index {
                try log.retire(0)
            }
        }
    }

    /// Begins anew behind a snapshot: an empty log whose next index is `index + 1`.
    ///
    /// After a crash the log is the old one or the new one. `.noSpace` leaves the old one.
    package mutating func reset(after index: UInt64, term: UInt64) throws(LogError) {
        try change { (log) throws(LogError) in
            try log.startSegment(previous: 0, firstIndex: index + 1, previousTerm: term)
            try log.dropSegmentsBeforeLast()
        }
    }

    /// Removes what the last segment, which begins the log anew, has left behind.
    mutating func dropSegmentsBeforeLast() throws(LogError) {
        while segments.count > 1 {
            do throws(LogError) {
                try retire(0)
            } catch {
                // The new beginning is durable already, so there is no way back.
                guard case .noSpace(let path) = error else { throw error }
                throw LogError(fatal: .full(.rename), at: path)
            }
        }
    }

    /// Writes the record that takes entries back; the open segment has room for it.
    mutating func writeTruncation(from index: UInt64) throws(LogError) {
        let term = try term(at: index - 1)
        encode(.truncation, term: term, index: index)
        try commitBuffer()
        for position in segments.indices {
            segments[position].truncate(from: index, termBefore: term)
        }
    }
}
