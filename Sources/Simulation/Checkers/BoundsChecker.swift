// SPDX-License-Identifier: Apache-2.0

import Raft
import Replica

/// A replica holds no more than its owner's options promise, whatever its clients and disks do.
struct BoundsChecker {
    private let retainedBytesMax: Int
    private let batchEntriesMax: Int
    private let proposalsMax: Int

    init(_ options: WorldOptions) {
        retainedBytesMax = options.limits.retainedBytesMax
        batchEntriesMax = options.limits.batchEntriesMax
        proposalsMax = options.limits.proposalsMax
    }

    /// The log in memory, right after something was applied.
    ///
    /// What is not applied is not the checker's to count on a follower: a disk that is slow or full
    /// holds back whatever its leader's window lets through.
    func check(_ member: Member) throws(Violation) {
        let entries = member.entries(from: member.firstIndex, bytesMax: .max)
        var appliedBytes = 0
        var ownCount = 0
        for entry in entries {
            if entry.index < member.appliedIndex {
                appliedBytes += entry.sizeBytes
            } else if entry.index > member.appliedIndex, entry.term == member.term,
                case .payload = entry.content
            {
                ownCount += 1
            }
        }
        // It is let go of in steps of that size, and one entry may be larger than any bound.
        guard appliedBytes < 2 * retainedBytesMax else {
            throw Violation(
                "\(member.id) holds \(appliedBytes) bytes of entries that are applied, "
                    + "and may keep \(retainedBytesMax)"
            )
        }
        // One batch at a time, and the next once it is applied here.
        guard member.role != .leader || ownCount <= batchEntriesMax else {
            throw Violation(
                "\(member.id) leads with \(ownCount) proposals under way, "
                    + "and a batch has \(batchEntriesMax)"
            )
        }
    }

    /// The requests that wait: at most as many as are let in, and only what was asked for.
    func check(pendingCount: Int, asked: Int, by id: MemberID) throws(Violation) {
        guard pendingCount <= min(asked, proposalsMax) else {
            throw Violation(
                "\(id) has \(pendingCount) requests waiting, of \(asked) that it was asked, "
                    + "and may have \(proposalsMax)"
            )
        }
    }
}
