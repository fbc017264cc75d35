// SPDX-License-Identifier: Apache-2.0

/// The durable log of entries: preallocated segment files, one write and one fdatasync per batch.
///
/// Obeys the Raft thesis, section 3.8 (the log is persistent state) and 3.5 (a conflict deletes the
/// suffix). One owner: a copy of the value would write over the original.
///
/// INVARIANT: the entries are `firstIndex...lastIndex` without a gap, their terms never go back.
/// INVARIANT: when a change returns, it is durable; when it throws `.noSpace`, nothing changed.
/// INVARIANT: after a failed write or sync the log answers `.stopped` until it is opened anew.
/// INVARIANT: disks write sectors of 512 bytes at one stroke; a write shares at most one sector
/// with what was durable before.
package struct DurableLog<D: Disk>: Sendable {
    let disk: D
    let directory: String
    /// The sizes it keeps to.
    package let limits: LogLimits
    /// What was found at the opening.
    package internal(set) var recovery = LogRecovery(segmentCount: 0, entryCount: 0)
    var segments: [Segment<D.File>] = []
    var spares: [SpareSegment<D.File>] = []
    var nextNumber: UInt64 = 1
    private var isStopped = false
    private var buffer: [UInt8] = []

    /// Opens the log in `directory` and cuts a torn tail; makes directory and log when absent.
    ///
    /// Throws `.corrupt` when anything else is not as it was made durable.
    package init(
        opening directory: String,
        on disk: D,
        limits: LogLimits = LogLimits()
    ) throws(LogError) {
        if let fault = limits.fault { throw .unusableLimits(reason: fault) }
        self.disk = disk
        self.directory = directory
        self.limits = limits
        try recover()
    }

    /// The index of the oldest entry; one more than `lastIndex` when there is none.
    package var firstIndex: UInt64 { segments.first?.firstIndex ?? 1 }

    /// The index of the newest entry, or of the one before the log when it is empty.
    package var lastIndex: UInt64 { (segments.last?.nextIndex ?? 1) - 1 }

    /// The term of the entry at `lastIndex`; 0 before the first entry ever.
    package var lastTerm: UInt64 { segments.last?.lastTerm ?? 0 }

    /// Whether there is no entry.
    package var isEmpty: Bool { firstIndex > lastIndex }

    /// Bytes of segment files in use, spares not counted.
    package var durableBytes: Int {
        segments.reduce(0) { $0 + $1.end }
    }

    /// How many segment files hold the log.
    package var segmentCount: Int { segments.count }

    /// How many files wait to become segments.
    package var spareCount: Int { spares.count }

    /// Adds entries that follow `lastIndex` and returns when they are durable.
    ///
    /// After `.noSpace` none of them is in the log, nor will be after a crash.
    package mutating func append(_ entries: [LogEntry]) throws(LogError) {
        try change { (log) throws(LogError) in
            try log.checkOrder(entries)
            try log.reserveSegments(for: entries)
            let last = log.lastIndex
            do throws(LogError) {
                try log.write(entries)
            } catch {
                if case .noSpace = error, log.lastIndex > last {
                    try log.takeBack(from: last + 1)
                }
                throw error
            }
        }
    }

    /// Does at leisure what the next append would wait for: a spare segment, and a mark behind the
    /// last write so that damage to it is no longer taken for a torn tail.
    package mutating func settle() throws(LogError) {
        try change { (log) throws(LogError) in
            let last = log.segments.count - 1
            let segment = log.segments[last]
            if !segment.isVouchedFor, segment.hasRoom(for: Record.headerSize, at: segment.end) {
                log.encode(.mark, term: 0, index: log.lastIndex)
                try log.commitBuffer()
                log.segments[last].isVouchedFor = true
            }
            if log.spares.isEmpty, log.limits.spareSegmentsMax > 0 { try log.makeSpare() }
        }
    }

    /// Runs a change unless the log has stopped; a failure of the disk stops it.
    mutating func change(
        _ body: (inout Self) throws(LogError) -> Void
    ) throws(LogError) {
        try checkRunning()
        do throws(LogError) {
            try body(&self)
        } catch {
            if case .io = error { isStopped = true }
            throw error
        }
    }

    func checkRunning() throws(LogError) {
        if isStopped { throw .stopped }
    }
}

extension DurableLog {
    private func checkOrder(_ entries: [LogEntry]) throws(LogError) {
        var expected = lastIndex + 1
        var term = lastTerm
        for entry in entries {
            guard entry.index == expected, entry.term >= term else {
                throw .outOfOrder(index: entry.index, expected: expected)
            }
            guard entry.payload.count <= limits.payloadSizeBytesMax else {
                throw .tooLarge(
                    index: entry.index,
                    sizeBytes: entry.payload.count,
                    sizeBytesMax: limits.payloadSizeBytesMax
                )
            }
            expected += 1
            term = entry.term
        }
    }

    /// Makes as many spares as the entries will need, so that room runs out here or not at all.
    private mutating func reserveSegments(for entries: [LogEntry]) throws(LogError) {
        var needed = 0
        var end = segments[segments.count - 1].end
        var size = segments[segments.count - 1].sizeBytes
        for entry in entries {
            let recordSize = Record.size(ofPayload: entry.payload.count)
            if end + recordSize + Record.headerSize > size {
                needed += 1
                end = SegmentHeader.recordsOffset
                size = limits.segmentSizeBytes
            }
            end += recordSize
        }
        while spares.count < needed { try makeSpare() }
    }

    /// Undoes the part of a batch that went into a segment before room ran out in the next.
    private mutating func takeBack(from index: UInt64) throws(LogError) {
        let segment = segments[segments.count - 1]
        let full = DiskError.full(.write)
        guard segment.hasRoom(for: Record.headerSize, at: segment.end) else {
            throw LogError(fatal: full, at: segment.path)
        }
        do throws(LogError) {
            try writeTruncation(from: index)
        } catch {
            guard case .noSpace(let path) = error else { throw error }
            throw LogError(fatal: full, at: path)
        }
    }

    private mutating func write(_ entries: [LogEntry]) throws(LogError) {
        var written = 0
        while written < entries.count {
            let count = fill(entries[written...])
            if count == 0 {
                try roll()
                continue
            }
            let start = segments[segments.count - 1].end
            try commitBuffer()
            var offset = start
            for entry in entries[written..<(written + count)] {
                segments[segments.count - 1].adopt(term: entry.term, at: offset)
                offset += Record.size(ofPayload: entry.payload.count)
            }
            written += count
        }
    }

    /// Encodes as many entries as the open segment takes; answers how many.
    private mutating func fill(_ entries: ArraySlice<LogEntry>) -> Int {
        let segment = segments[segments.count - 1]
        var end = segment.end
        var count = 0
        buffer.removeAll(keepingCapacity: true)
        for entry in entries {
            let record = Record(
                kind: .entry,
                term: entry.term,
                index: entry.index,
                durableEnd: segment.end,
                tag: entry.tag,
                payloadSize: entry.payload.count
            )
            guard segment.hasRoom(for: record.size, at: end) else { break }
            record.encode(payload: entry.payload, seed: segment.seed, into: &buffer)
            end += record.size
            count += 1
        }
        return count
    }

    /// Encodes one record without a payload for the open segment.
    mutating func encode(_ kind: Record.Kind, term: UInt64, index: UInt64) {
        let segment = segments[segments.count - 1]
        buffer.removeAll(keepingCapacity: true)
        Record(kind: kind, term: term, index: index, durableEnd: segment.end)
            .encode(seed: segment.seed, into: &buffer)
    }

    /// Writes and syncs; when room runs out, what was written of it is cleared first.
    private func writeDurably(
        _ bytes: [UInt8],
        at offset: Int,
        in segment: Segment<D.File>
    ) throws(LogError) {
        do throws(DiskError) {
            try disk.write(segment.file, at: offset, bytes)
        } catch {
            guard error.isOutOfSpace else { throw LogError(error, at: segment.path) }
            try wipe(segment, from: offset, count: bytes.count)
            throw LogError(error, at: segment.path)
        }
        try sync(segment)
    }

    /// Writes the buffer at the end of the open segment and makes it durable.
    ///
    /// Zeros go behind it, so that the end of a finished write does not look like a torn one.
    mutating func commitBuffer() throws(LogError) {
        let last = segments.count - 1
        let size = buffer.count
        for _ in 0..<Record.headerSize { buffer.append(0) }
        try writeDurably(buffer, at: segments[last].end, in: segments[last])
        segments[last].end += size
        segments[last].isVouchedFor = false
    }

    /// Makes a part of a segment unreadable for good.
    func wipe(
        _ segment: Segment<D.File>,
        from offset: Int,
        count: Int
    ) throws(LogError) {
        do throws(DiskError) {
            try disk.write(segment.file, at: offset, [UInt8](repeating: 0, count: count))
        } catch {
            throw LogError(fatal: error, at: segment.path)
        }
        try sync(segment)
    }

    func sync(_ segment: Segment<D.File>) throws(LogError) {
        do throws(DiskError) {
            try disk.syncData(segment.file)
        } catch {
            throw LogError(fatal: error, at: segment.path)
        }
    }
}
