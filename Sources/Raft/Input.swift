// SPDX-License-Identifier: Apache-2.0

/// Names one request to whoever made it; the same number is never used twice.
package struct RequestID: Hashable, Sendable {
    package let rawValue: UInt64

    /// Wraps the owner's number.
    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

/// Everything that can happen to a member.
///
/// Time comes with each input: a clock in nanoseconds that never goes back and counts while the
/// machine sleeps.
package enum Input: Equatable, Sendable {
    /// One tick of the owner's timer. The first one, as soon as the member is there.
    case tick
    case receive(Message)
    /// All writes up to this number are durable.
    case persisted(through: UInt64)
    /// A write failed. What is on disk is unknown, so the member stops for good.
    case writeFailed
    /// The state machine has applied everything up to this index.
    case applied(through: LogIndex)
    /// Commands to be committed, all or none taken.
    case propose(RequestID, [[UInt8]])
    case changeMembership(RequestID, MembershipChange)
    /// Asks for an index: whoever has applied it knows all that was committed before the request.
    case read(RequestID)
    /// Hands the leadership over; to whoever is furthest when nobody is named.
    case transferLeadership(to: MemberID?)
    /// This leader's process is known to have died, and its lease with it. See
    /// ``Member/receiveSuspicion(of:)``.
    case suspectLeader(MemberID)
    /// The owner holds a durable snapshot of the state at this index.
    case snapshotTaken(at: LogIndex)
    /// Entries up to this index need not be kept for those who are behind.
    case compact(through: LogIndex)
    /// A snapshot that the core asked to be sent has arrived, or never will.
    case snapshotSent(to: MemberID, succeeded: Bool)
    /// The transport lost messages to this member.
    case unreachable(MemberID)
}
