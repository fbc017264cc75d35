// SPDX-License-Identifier: Apache-2.0

/// Opening: what is in the directory becomes the log, or the log refuses to open.
extension DurableLog {
    mutating func recover() throws(LogError) {
        let names = try disk.durableNames(in: directory)
        let mayBeNew = try adoptSpares(names)
        let found = try findSegments(names)
        nextNumber = 1 + max(nextNumber, found.map(\.header.number).max() ?? 0)
        if found.isEmpty {
            guard mayBeNew else {
                throw .corrupt(path: directory, offsetBytes: 0, reason: "the segments are missing")
            }
            try startSegment(previous: 0, firstIndex: 1, previousTerm: 0)
        } else {
            try adopt(found)
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

    /// Every segment file, oldest first, with its header read and nothing else.
    private func findSegments(_ names: [String]) throws(LogError) -> [Segment<D.File>] {
        var found: [Segment<D.File>] = []
        for name in names {
            guard let number = SegmentName.number(name, suffix: SegmentName.segmentSuffix) else {
                continue
            }
            let path = path(of: name)
            let file: D.File
            let size: Int
            let block: [UInt8]
            do throws(DiskError) {
                file = try disk.open(path)
                size = try disk.size(of: file)
                block = try disk.read(file, at: 0, count: SegmentHeader.recordsOffset)
            } catch {
                throw LogError(fatal: error, at: path)
            }
            let header: SegmentHeader
            do throws(SegmentHeader.Fault) {
                header = try SegmentHeader(decoding: block.span)
            } catch {
                throw .corrupt(path: path, offsetBytes: 0, reason: error.reason)
            }
            guard header.number == number else {
                let reason = "the header is of segment \(header.number)"
                throw .corrupt(path: path, offsetBytes: 0, reason: reason)
            }
            found.append(Segment(file: file, path: path, header: header, sizeBytes: size))
        }
        return found
    }

    /// Reads the records of every segment and leaves the end of the last one clean.
    private mutating func adopt(_ found: [Segment<D.File>]) throws(LogError) {
        // A reset that a crash cut short has left the old log in front of the new one.
        let start = found.lastIndex { $0.header.previous == 0 } ?? 0
        for (position, segment) in found.enumerated() where position >= start {
            try checkLink(segment)
            let bytes = try contents(of: segment)
            var segment = segment
            var scan = SegmentScan()
            do throws(SegmentScan.Fault) {
                try scan.run(bytes.span, &segment, before: &segments)
            } catch {
                throw corrupt(segment, error.offset, error.reason)
            }
            segments.append(segment)
            if position == found.count - 1 { try mend(bytes, scan) }
        }
        segments.insert(contentsOf: found[..<start], at: 0)
        for _ in 0..<start { try retire(0) }
    }

    /// Checks that a segment goes on where the one before it ends.
    private func checkLink(_ segment: Segment<D.File>) throws(LogError) {
        guard let last = segments.last else { return }
        guard segment.header.previous == last.header.number,
            last.sealedBy == nil || last.sealedBy == segment.header.number
        else { throw corrupt(segment, 0, "the segment before it is missing") }
        // Only the newest seal may be missing: it is written after its successor is durable.
        if segments.count > 1, segments[segments.count - 2].sealedBy == nil {
            throw corrupt(segments[segments.count - 2], segments[segments.count - 2].end, "no seal")
        }
        guard segment.header.firstIndex == last.nextIndex else {
            throw corrupt(last, last.end, "entries before \(segment.header.firstIndex) are missing")
        }
    }

    /// Makes the end of the log as durable as it looks, and unreadable behind its last record.
    ///
    /// The last write and the last seal are written again, because a process whose sync failed may
    /// have left in the cache what never reached the disk.
    private mutating func mend(_ bytes: [UInt8], _ scan: SegmentScan) throws(LogError) {
        let position = segments.count - 1
        let segment = segments[position]
        guard segment.sealedBy == nil else {
            throw corrupt(segment, segment.end, "the segment after it is missing")
        }
        if position > 0 { try seal(position - 1) }
        if scan.tornSize > 0 {
            recovery.tornTail = LogRecovery.TornTail(
                path: segment.path,
                offsetBytes: segment.end,
                sizeBytes: scan.tornSize
            )
        }
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

    private func contents(of segment: Segment<D.File>) throws(LogError) -> [UInt8] {
        do throws(DiskError) {
            return try disk.read(segment.file, at: 0, count: segment.sizeBytes)
        } catch {
            throw LogError(fatal: error, at: segment.path)
        }
    }

    private func corrupt(_ segment: Segment<D.File>, _ offset: Int, _ reason: String) -> LogError {
        .corrupt(path: segment.path, offsetBytes: offset, reason: reason)
    }
}
