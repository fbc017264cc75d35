// SPDX-License-Identifier: Apache-2.0

/// Reads a segment's records when the log is opened and tells a torn tail from corruption.
///
/// A record that fails its checksum ends the segment only if nothing after it was written later
/// than itself: a later record whose `durableEnd` lies beyond it proves that it was durable once.
/// The records of one write vouch for nothing among themselves, since sectors of a write that was
/// not synced reach the disk in any order.
///
/// INVARIANT: the scan ends at the first record that does not pass, whatever follows.
struct SegmentScan {
    /// What is wrong, and where.
    struct Fault: Error {
        var offset: Int
        var reason: String
    }

    /// Where the last write began that no later record vouches for.
    private(set) var lastWriteOffset = SegmentHeader.recordsOffset
    /// Recognizable remains of an unfinished write behind the last record.
    private(set) var tornSize = 0

    /// Adopts every record of `segment` and carries truncations back to the segments before it.
    mutating func run<File>(
        _ bytes: Span<UInt8>,
        _ segment: inout Segment<File>,
        before: inout [Segment<File>]
    ) throws(Fault) {
        while let record = Record(decoding: bytes, at: segment.end, seed: segment.seed) {
            try checkPlace(record, in: segment)
            lastWriteOffset = record.durableEnd
            switch record.kind {
            case .entry:
                segment.adopt(term: record.term, at: segment.end)
            case .mark:
                break
            case .truncation:
                for index in before.indices {
                    before[index].truncate(from: record.index, termBefore: record.term)
                }
                segment.truncate(from: record.index, termBefore: record.term)
            case .seal:
                segment.sealedBy = record.term
                return
            }
            segment.isVouchedFor = record.kind == .mark
            segment.end += record.size
        }
        try judgeTail(bytes, segment)
    }

    private func checkPlace<File>(
        _ record: Record,
        in segment: Segment<File>
    ) throws(Fault) {
        let startsWrite = record.durableEnd == segment.end
        let continuesWrite =
            record.durableEnd == lastWriteOffset && segment.end > SegmentHeader.recordsOffset
        let follows =
            switch record.kind {
            case .entry: record.index == segment.nextIndex && record.term >= segment.lastTerm
            case .mark, .seal: record.index == segment.nextIndex - 1
            case .truncation: record.index < segment.nextIndex && record.index > 0
            }
        guard startsWrite || continuesWrite, follows else {
            throw Fault(offset: segment.end, reason: "a record is out of its place")
        }
    }

    private mutating func judgeTail<File>(
        _ bytes: Span<UInt8>,
        _ segment: Segment<File>
    ) throws(Fault) {
        let end = segment.end
        var position = end + Record.alignment
        while position + Record.headerSize <= bytes.count {
            defer { position += Record.alignment }
            guard Record.mayBegin(bytes, at: position),
                let record = Record(decoding: bytes, at: position, seed: segment.seed)
            else { continue }
            guard record.durableEnd <= end else {
                throw Fault(
                    offset: end,
                    reason: "a durable record fails its checksum: a later one vouches for it"
                )
            }
            tornSize = position + record.size - end
        }
        let headerEnd = min(end + Record.headerSize, bytes.count)
        for offset in end..<headerEnd where bytes[offset] != 0 {
            tornSize = max(tornSize, headerEnd - end)
        }
    }
}
