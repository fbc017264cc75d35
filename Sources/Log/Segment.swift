// SPDX-License-Identifier: Apache-2.0

/// A segment file and what of it belongs to the log.
///
/// INVARIANT: `offsets[k]` is where the entry `firstIndex + k` stands in the file.
/// INVARIANT: `end` is where the next record goes; in a sealed segment, where the seal is.
struct Segment<File: Sendable>: Sendable {
    let file: File
    let path: String
    let header: SegmentHeader
    let sizeBytes: Int
    let seed: UInt32
    /// Of the first entry that counts: a truncation may have moved it below the header's.
    private(set) var firstIndex: UInt64
    private(set) var previousTerm: UInt64
    private(set) var offsets: [UInt32] = []
    private(set) var lastTerm: UInt64
    var end = SegmentHeader.recordsOffset
    var sealedBy: UInt64?
    /// Whether a later record says that the last write was made durable.
    var isVouchedFor = true

    init(file: File, path: String, header: SegmentHeader, sizeBytes: Int) {
        self.file = file
        self.path = path
        self.header = header
        self.sizeBytes = sizeBytes
        seed = header.seed
        firstIndex = header.firstIndex
        previousTerm = header.previousTerm
        lastTerm = header.previousTerm
    }

    /// The index after its last entry.
    var nextIndex: UInt64 { firstIndex + UInt64(offsets.count) }

    /// Whether a record of this size fits and leaves room for the seal.
    func hasRoom(for recordSize: Int, at end: Int) -> Bool {
        end + recordSize + Record.headerSize <= sizeBytes
    }

    mutating func adopt(term: UInt64, at offset: Int) {
        offsets.append(UInt32(offset))
        lastTerm = term
    }

    /// Lets go of the entries from `index` on; the one before has term `term`.
    mutating func truncate(from index: UInt64, termBefore term: UInt64) {
        if index <= firstIndex {
            firstIndex = index
            previousTerm = term
            offsets = []
            lastTerm = term
        } else if index < nextIndex {
            offsets.removeLast(Int(nextIndex - index))
            lastTerm = term
        }
    }

    /// Where the bytes of the k-th entry end at the latest.
    func bound(ofEntry position: Int) -> Int {
        position + 1 < offsets.count ? Int(offsets[position + 1]) : end
    }
}

/// A file that waits to become a segment: all its blocks are reserved and were written once.
struct SpareSegment<File: Sendable>: Sendable {
    let file: File
    let path: String
}
