// SPDX-License-Identifier: Apache-2.0

/// The segments of a directory, found and read in order: the verdict on what is there.
///
/// Opening a log and looking at one share it, so that both say the same.
///
/// INVARIANT: it changes nothing; after an error `segments` is what was read before the fault.
struct SegmentChain<D: Disk>: Sendable {
    let disk: D
    let directory: String
    /// Every segment file with its header read and nothing else, oldest first.
    private(set) var found: [Segment<D.File>] = []
    /// The segments of the log, with their records.
    private(set) var segments: [Segment<D.File>] = []
    /// The bytes of the last one, and how they were read.
    private(set) var lastBytes: [UInt8] = []
    private(set) var lastScan = SegmentScan()

    init(directory: String, on disk: D) {
        self.directory = directory
        self.disk = disk
    }

    /// What a reset that a crash cut short has left: the old log in front of the new one.
    var leftovers: ArraySlice<Segment<D.File>> {
        found[..<(found.lastIndex { $0.header.previous == 0 } ?? 0)]
    }

    /// Reads the header of every segment among the names.
    mutating func find(_ names: [String]) throws(LogError) {
        for name in names {
            let suffix = SegmentName.segmentSuffix
            guard let number = SegmentName.number(name, suffix: suffix) else { continue }
            let path = directory + "/" + name
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
    }

    /// Reads the records of every segment that was found and belongs to the log.
    mutating func read() throws(LogError) {
        for segment in found[leftovers.endIndex...] {
            try checkLink(segment)
            let bytes: [UInt8]
            do throws(DiskError) {
                bytes = try disk.read(segment.file, at: 0, count: segment.sizeBytes)
            } catch {
                throw LogError(fatal: error, at: segment.path)
            }
            var segment = segment
            var scan = SegmentScan()
            do throws(SegmentScan.Fault) {
                try scan.run(bytes.span, &segment, before: &segments)
            } catch {
                segments.append(segment)
                throw corrupt(segment, error.offset, error.reason)
            }
            (lastBytes, lastScan) = (bytes, scan)
            segments.append(segment)
        }
        if let last = segments.last, last.sealedBy != nil {
            throw corrupt(last, last.end, "the segment after it is missing")
        }
    }

    /// Where the last segment ends in an unfinished write; nil when it ends cleanly.
    var tornTail: LogRecovery.TornTail? {
        guard lastScan.tornSize > 0, let last = segments.last else { return nil }
        return LogRecovery.TornTail(
            path: last.path,
            offsetBytes: last.end,
            sizeBytes: lastScan.tornSize
        )
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

    private func corrupt(_ segment: Segment<D.File>, _ offset: Int, _ reason: String) -> LogError {
        .corrupt(path: segment.path, offsetBytes: offset, reason: reason)
    }
}
