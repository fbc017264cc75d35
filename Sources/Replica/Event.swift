// SPDX-License-Identifier: Apache-2.0

package import Identity
package import Raft
package import Store

/// Both clocks when something happens.
package struct Moment: Sendable {
    /// The wall clock, which may jump: it stamps commands and nothing else.
    package var wall: Timestamp
    /// Nanoseconds of a clock that never goes back and counts while the machine sleeps.
    package var monotonic: UInt64

    /// Joins what the two clocks show.
    package init(wall: Timestamp, monotonic: UInt64) {
        self.wall = wall
        self.monotonic = monotonic
    }
}

/// What can happen to a replica; time comes with it.
package enum Event: Sendable {
    /// Changes somebody wants.
    case propose([Proposal])
    /// Somebody wants to read what is at least as new as this request (thesis section 6.4).
    case read(ProposalID)
    case changeMembership(ProposalID, Raft.MembershipChange)
    /// Hands the leadership over; to whoever is furthest when nobody is named.
    case transferLeadership(to: MemberID?)
    /// A message without a state beside it: a snapshot is passed over here.
    case receive(Message)
    /// A snapshot has arrived whole and verified: the message and the state that came with it.
    case receiveSnapshot(Message, RecordStore)
    /// The disk is at work on the last `.persist`; see ``Action/prepare``.
    case prepare
    /// The writes up to this number are durable.
    case persisted(through: UInt64)
    /// A write has not been made.
    case persistFailed(PersistFailure)
    /// The readers' caches have been told what the last `.warn` said.
    case warned
    /// Time passed: deadlines, elections and expiry.
    case tick
    /// Everything applied up to this index is in the store's own files.
    case flushed(through: UInt64)
    /// A snapshot that was to be sent has arrived, or never will.
    case snapshotSent(to: MemberID, succeeded: Bool)
    /// The transport lost messages to this member.
    case unreachable(MemberID)
    /// This leader's process is known to have died.
    case suspectLeader(MemberID)
}

/// Why a write was not made.
package enum PersistFailure: Equatable, Sendable {
    /// There is no room; the owner goes on trying, and says `.persisted` once it succeeds.
    case noSpace
    /// A write or sync failed: what is on disk is unknown, so the member stops for good.
    case stopped(String)
}

/// What a replica wants done.
///
/// The owner performs actions in order.
package enum Action: Sendable {
    /// Make this durable, in the order of the numbers, then say `.persisted`; several may be
    /// outstanding. `state` is what a snapshot in it brings: it replaces the state's own files.
    case persist(Write, state: RecordStore?)
    /// Say `.prepare` while the disk is at work: what comes after it is worked out meanwhile.
    ///
    /// An owner that does not is slower and nothing else.
    case prepare
    case send(Message)
    /// Send this with a copy of the state, described by ``Replica/snapshotMessage(_:of:)``.
    case sendSnapshot(Message)
    /// Readers' caches will be wrong in this way from `.warned` on: note it, then say `.warned`.
    case warn(Staleness)
    /// The state has changed; readers see it now.
    case applied([Identity.Effect], [Change])
    /// The state is another one now: ``Replica/store``.
    case replaced
    /// The answer to a proposal, a change of the group or a read; a read may look now.
    case reply(ProposalID, Result<Applied, ProposalError>)
    case roleChanged(RoleChange)
    /// Nothing before this index is needed to recover any more.
    case discardLog(through: UInt64)
    /// The disk has lost what it acknowledged: nobody may start from it again.
    case doubt
    /// The member stops: it neither writes nor answers for its state any more.
    case stop(reason: String)
}

/// What of the readers' caches is about to be wrong.
package enum Staleness: Equatable, Sendable {
    case of([Identity.Effect])
    /// All of it.
    case everything
}
