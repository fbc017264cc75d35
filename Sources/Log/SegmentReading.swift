// SPDX-License-Identifier: Apache-2.0

/// Reading entries from segments whose records were found whole before.
extension Disk {
    /// Entries from `index` on, in order: what fits `bytesMax` bytes of file, but at least one.
    ///
    /// Empty when `index` is one beyond the last; it is not below the first.
    func entries(
        of segments: [Segment<File>],
        from index: UInt64,
        bytesMax: Int
    ) throws(LogError) -> [LogEntry] {
        let lastIndex = (segments.last?.nextIndex ?? 1) - 1
        var entries: [LogEntry] = []
        var next = index
        var room = bytesMax
        while next <= lastIndex {
            let (segment, range) = extent(of: segments, from: next)
            let start = Int(segment.offsets[range.lowerBound])
            var count = 0
            for position in range {
                let size = segment.bound(ofEntry: position) - start
                guard size <= room || (entries.isEmpty && count == 0) else { break }
                count += 1
            }
            guard count > 0 else { break }
            let taken = range.prefix(count)
            try read(taken, of: segment, into: &entries)
            room -= segment.bound(ofEntry: taken.upperBound - 1) - start
            next += UInt64(count)
        }
        return entries
    }

    /// The segment that holds `index`, and the positions in it from there on.
    func extent(
        of segments: [Segment<File>],
        from index: UInt64
    ) -> (Segment<File>, Range<Int>) {
        // The last one that begins at or before: those before it may have been emptied.
        guard let segment = segments.last(where: { $0.firstIndex <= index }) else {
            preconditionFailure("the log holds no index below its first")
        }
        return (segment, Int(index - segment.firstIndex)..<segment.offsets.count)
    }

    /// Appends the entries at these positions, every one checked again.
    func read(
        _ positions: Range<Int>,
        of segment: Segment<File>,
        into entries: inout [LogEntry]
    ) throws(LogError) {
        let start = Int(segment.offsets[positions.lowerBound])
        let end = segment.bound(ofEntry: positions.upperBound - 1)
        let bytes: [UInt8]
        do throws(DiskError) {
            bytes = try read(segment.file, at: start, count: end - start)
        } catch {
            throw LogError(fatal: error, at: segment.path)
        }
        for position in positions {
            let offset = Int(segment.offsets[position])
            let index = segment.firstIndex + UInt64(position)
            let record = Record(decoding: bytes.span, at: offset - start, seed: segment.seed)
            guard let record, record.kind == .entry, record.index == index else {
                throw .corrupt(
                    path: segment.path,
                    offsetBytes: offset,
                    reason: "an entry that was whole fails its checksum"
                )
            }
            let payload = offset - start + Record.headerSize
            entries.append(
                LogEntry(
                    term: record.term,
                    index: index,
                    tag: record.tag,
                    payload: Array(bytes[payload..<(payload + record.payloadSize)])
                )
            )
        }
    }
}
