// SPDX-License-Identifier: Apache-2.0

import Log

/// What `log check --json` prints; keys are added, never renamed.
struct LogReport: Encodable {
    struct Segment: Encodable {
        var path: String
        var first: UInt64
        var last: UInt64
        var lastTerm: UInt64
        var usedBytes: Int
        var sizeBytes: Int
        var sealed: Bool

        enum CodingKeys: String, CodingKey {
            case path, first, last, sealed
            case lastTerm = "last_term"
            case usedBytes = "used_bytes"
            case sizeBytes = "size_bytes"
        }
    }

    /// An unfinished write at the end.
    struct Torn: Encodable {
        var path: String
        var offset: Int
        var bytes: Int
    }

    struct Member: Encodable {
        var member: UInt64
        // Drawn from all 64 bits, which readers that take numbers for doubles would change.
        var incarnation: String
        var term: UInt64
        var vote: UInt64?
        var installing: UInt64?
        var doubted: Bool
        var damagedCopies: Int

        enum CodingKeys: String, CodingKey {
            case member, incarnation, term, vote, installing, doubted
            case damagedCopies = "damaged_copies"
        }
    }

    var sound: Bool
    var faults: [String]
    var entries: UInt64
    var first: UInt64
    var last: UInt64
    var lastTerm: UInt64
    var segments: [Segment]
    var spares: Int
    var leftovers: Int
    var torn: Torn?
    var member: Member?

    enum CodingKeys: String, CodingKey {
        case sound, faults, entries, first, last, segments, spares, leftovers, torn, member
        case lastTerm = "last_term"
    }

    init(_ log: LogInspection<PosixDisk>, _ member: MemberInspection?, faults: [String]) {
        sound = faults.isEmpty
        self.faults = faults
        entries = log.entryCount
        first = log.firstIndex
        last = log.lastIndex
        lastTerm = log.lastTerm
        spares = log.spareCount
        leftovers = log.leftoverCount
        segments = log.segments.map { segment in
            Segment(
                path: segment.path,
                first: segment.firstIndex,
                last: segment.lastIndex,
                lastTerm: segment.lastTerm,
                usedBytes: segment.usedBytes,
                sizeBytes: segment.sizeBytes,
                sealed: segment.isSealed
            )
        }
        torn = log.tornTail.map {
            Torn(path: $0.path, offset: $0.offsetBytes, bytes: $0.sizeBytes)
        }
        self.member = member.flatMap { look in
            look.state.map { state in
                Member(
                    member: state.member,
                    incarnation: "\(state.incarnation)",
                    term: state.term,
                    vote: state.vote,
                    installing: state.installing?.index,
                    doubted: state.isDoubted,
                    damagedCopies: look.copies.count {
                        if case .damaged = $0 { true } else { false }
                    }
                )
            }
        }
    }
}
