// SPDX-License-Identifier: Apache-2.0

/// One entry of the replicated log: opaque bytes at a place in the order, stamped with its term.
package struct LogEntry: Equatable, Sendable {
    /// The term of the leader that made it.
    package var term: UInt64
    /// Its place in the order; the first is 1.
    package var index: UInt64
    /// What sort of payload it is; a number of the owner's, opaque to the log.
    package var tag: UInt32
    /// What it says; opaque to the log.
    package var payload: [UInt8]

    /// An entry; indexes begin at 1 and leave no gap.
    package init(term: UInt64, index: UInt64, tag: UInt32 = 0, payload: [UInt8]) {
        self.term = term
        self.index = index
        self.tag = tag
        self.payload = payload
    }
}

/// The sizes a log keeps to.
package struct LogLimits: Equatable, Sendable {
    /// Size of a segment file; a multiple of 4096, at most 1 GiB.
    package var segmentSizeBytes: Int
    /// Largest payload of one entry.
    ///
    /// An entry never spans segments.
    package var payloadSizeBytesMax: Int
    /// How many discarded segments are kept to be written over; the rest are removed.
    package var spareSegmentsMax: Int

    /// The sizes that suit a member of a group.
    package init(
        segmentSizeBytes: Int = 8 << 20,
        payloadSizeBytesMax: Int = 4 << 20,
        spareSegmentsMax: Int = 2
    ) {
        self.segmentSizeBytes = segmentSizeBytes
        self.payloadSizeBytesMax = payloadSizeBytesMax
        self.spareSegmentsMax = spareSegmentsMax
    }

    /// Why these sizes cannot be kept to; nil when they can.
    var fault: String? {
        let block = SegmentHeader.recordsOffset
        guard segmentSizeBytes % block == 0, segmentSizeBytes <= 1 << 30 else {
            return "a segment's size is a multiple of \(block) and at most 1 GiB"
        }
        guard payloadSizeBytesMax >= 0, spareSegmentsMax >= 0 else {
            return "a size is negative"
        }
        guard payloadSizeBytesMax < segmentSizeBytes,
            block + Record.size(ofPayload: payloadSizeBytesMax) + 2 * Record.headerSize
                <= segmentSizeBytes
        else { return "a segment does not hold the largest entry" }
        return nil
    }
}

/// What was found when a log was opened, for the operator.
package struct LogRecovery: Equatable, Sendable {
    /// Where an unfinished write was cut off.
    package struct TornTail: Equatable, Sendable {
        /// The segment file.
        package let path: String
        /// Where its last whole record ends.
        package let offsetBytes: Int
        /// Recognizable remains; an unfinished write may have left more or less than this.
        package let sizeBytes: Int
    }

    /// Segment files in use.
    package internal(set) var segmentCount: Int
    /// Entries in them.
    package internal(set) var entryCount: UInt64
    /// Nil after a clean stop, and after a crash that caught no write.
    package internal(set) var tornTail: TornTail?
}
