// SPDX-License-Identifier: Apache-2.0

/// The numbers a member keeps to; the same on all members of a group.
package struct Options: Equatable, Sendable {
    /// The election timeout T in ticks; a follower waits T to 2 T, drawn anew each time.
    package var electionTicks = 10
    /// How often a leader gives a sign of life; at most half the election timeout.
    package var heartbeatTicks = 1
    /// What a tick is meant to take; promises about time go by the clock, not by ticks.
    package var tickNanoseconds: UInt64 = 50_000_000
    /// Entries of one message; an entry larger than this goes alone.
    package var appendBytesMax = 1 << 20
    /// The window of messages not yet answered, for each follower.
    package var inFlightMessagesMax = 256
    package var inFlightBytesMax = 8 << 20
    /// Proposals accepted and not committed; more are refused as `.busy`.
    package var uncommittedBytesMax = 64 << 20
    /// Reads that wait for a round; more are refused as `.busy`.
    package var readsMax = 65_536
    /// How far behind a learner may be when it is promoted.
    package var promotionLagEntriesMax: UInt64 = 1000
    /// The member neither votes nor campaigns: its disk cannot vouch for what it once said.
    package var isMute = false

    /// The defaults: an election timeout of 500 ms, a sign of life every 50 ms.
    package init() {}

    /// T by the clock: how long a vote is refused after contact with a leader.
    package var electionTimeoutNanoseconds: UInt64 {
        UInt64(electionTicks) * tickNanoseconds
    }

    /// How long a lease lasts from the sending of its round: two thirds of T.
    ///
    /// The rest is for clocks that run apart (thesis section 6.4.1: "the lease ... is about an
    /// election timeout divided by the clock drift bound", shortened).
    package var leaseNanoseconds: UInt64 { electionTimeoutNanoseconds / 3 * 2 }
}
