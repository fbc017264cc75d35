// SPDX-License-Identifier: Apache-2.0

/// Opening: what is in the directory becomes the log, or the log refuses to open.
extension DurableLog {
    mutating func recover() throws(LogError) {
        let names = try disk.durableNames(in: directory)
        let mayBeNew = try adoptSpares(names)
        var chain = SegmentChain(directory: directory, on: disk)
        try chain.find(names)
        nextNumber = 1 + max(nextNumber, chain.found.map(\.header.number).max() ?? 0)
        if chain.found.isEmpty {
            guard mayBeNew else {
                throw .corrupt(path: directory, offsetBytes: 0, reason: "the segments are missing")
            }
            try startSegment(previous: 0, firstIndex: 1, previousTerm: 0)
        } else {
            try chain.read()
            try adopt(chain)
        }
        recovery.segmentCount = segments.count
        recovery.entryCount = lastIndex + 1 - firstIndex
        try prepareSpare()
    }

    /// Keeps usable spares, removes the others; answers whether none of them has seen a log yet.
    private mutating func adoptSpares(_ names: [String]) throws(LogError) -> Bool {
        var mayBeNew = true
        for name in names {
            guard let number = SegmentName.number(name, suffix: SegmentName.spareSuffix) else {
                continue
            }
            let path = path(of: name)
            nextNumber = max(nextNumber, number)
            let file: D.File
            var header: SegmentHeader?
            do throws(DiskError) {
                file = try disk.open(path)
                let block = try disk.read(file, at: 0, count: SegmentHeader.recordsOffset)
                header = try? SegmentHeader(decoding: block.span)
                if try disk.size(of: file) != limits.segmentSizeBytes { header = nil }
            } catch {
                throw LogError(fatal: error, at: path)
            }
            if let header {
                nextNumber = max(nextNumber, header.number)
                if header.previous != 0 || header.firstIndex > 1 { mayBeNew = false }
            }
            if header != nil, spares.count < max(limits.spareSegmentsMax, 1) {
                spares.append(SpareSegment(file: file, path: path))
            } else {
                try removeFile(path)
            }
        }
        return mayBeNew
    }

    /// Takes what was read for the log, and leaves the end of its last segment clean.
    private mutating func adopt(_ chain: SegmentChain<D>) throws(LogError) {
        segments = chain.segments
        recovery.tornTail = chain.tornTail
        try mend(chain.lastBytes, chain.lastScan)
        segments.insert(contentsOf: chain.leftovers, at: 0)
        for _ in chain.leftovers { try retire(0) }
    }

    /// Makes the end of the log as durable as it looks, and unreadable behind its last record.
    ///
    /// The last write and the last seal are written again, because a process whose sync failed may
    /// have left in the cache what never reached the disk.
    private mutating func mend(_ bytes: [UInt8], _ scan: SegmentScan) throws(LogError) {
        let position = segments.count - 1
        let segment = segments[position]
        if position > 0 { try seal(position - 1) }
        do throws(DiskError) {
            if scan.lastWriteOffset < segment.end {
                let again = Array(bytes[scan.lastWriteOffset..<segment.end])
                try disk.write(segment.file, at: scan.lastWriteOffset, again)
            }
            try fillWithZeros(segment.file, from: segment.end, to: segment.sizeBytes)
        } catch {
            throw LogError(fatal: error, at: segment.path)
        }
        try sync(segment)
    }

    /// A log can be opened on a full disk: it is read, and appends have the room it has reserved.
    private mutating func prepareSpare() throws(LogError) {
        guard spares.isEmpty, limits.spareSegmentsMax > 0 else { return }
        do throws(LogError) {
            try makeSpare()
        } catch {
            guard case .noSpace = error else { throw error }
        }
    }
}
