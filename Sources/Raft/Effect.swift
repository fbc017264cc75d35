// SPDX-License-Identifier: Apache-2.0

/// What a member wants done, in this order.
///
/// There is nothing to get wrong about durability: a message that depends on a write comes out of
/// `step` only after the owner has said that the write is durable.
package enum Effect: Equatable, Sendable {
    /// Make this durable, in the order of the numbers, then say `.persisted`.
    case persist(Write)
    case send(Message)
    /// These entries are committed, and durable here: apply them in order, then say `.applied`.
    case apply([Entry])
    case roleChanged(RoleChange)
    /// The proposal has these places in the log of this term; it is committed when entries with
    /// this term come out of `.apply` there, lost when others do.
    case accepted(RequestID, term: Term, ClosedRange<LogIndex>)
    /// The request was not taken, and never will be.
    case refused(RequestID, Refusal)
    /// The member does not lead any more: what it had accepted here in this term, and has not
    /// committed, may be committed by others or lost.
    case uncertain(term: Term, ClosedRange<LogIndex>)
    /// Once this index is applied, the state holds all that was committed before the request.
    case readReady(RequestID, LogIndex)
    /// Until its clock shows this, the leader may answer from its state; nil: at once no more.
    case lease(until: UInt64?)
    /// The state applied here holds all that was acknowledged before the own clock showed this.
    case fresh(asOf: UInt64)
    /// The member does nothing more.
    case stopped(StopReason)
}

/// One write: everything in it becomes durable, or the member stops (thesis section 3.8).
///
/// The order within: the snapshot replaces the state and begins the log anew behind it; the log is
/// truncated; the entries are appended; term and vote are written. Either all of it is there after
/// a crash or a prefix of it: a longer log under an old term does no harm, since nothing was said.
package struct Write: Equatable, Sendable {
    /// One more than the write before.
    package var number: UInt64
    /// Make the state and the log begin here; what was received with the message.
    package var snapshot: Snapshot?
    /// Remove the entries from this index on.
    package var truncateFrom: LogIndex?
    package var entries: [Entry]
    package var hardState: HardState?
}

/// What a member must never forget (thesis figure 3.1).
package struct HardState: Equatable, Sendable {
    package var term: Term
    /// Whom it voted for in this term.
    package var vote: MemberID?

    /// Joins a term and the vote given in it.
    package init(term: Term, vote: MemberID?) {
        self.term = term
        self.vote = vote
    }
}

/// What a member is to the others (thesis section 3.3; pre-candidates, section 9.6).
package enum Role: Equatable, Sendable {
    case follower
    case preCandidate
    case candidate
    case leader
    /// It has seen what must not be and does nothing more.
    case stopped
}

/// A change of role, of term or of the leader that is followed.
package struct RoleChange: Equatable, Sendable {
    package var role: Role
    package var term: Term
    package var leader: MemberID?
    package var cause: RoleCause
}

/// Why a role changed.
package enum RoleCause: Equatable, Sendable {
    /// Nothing was heard of a leader for an election timeout.
    case electionTimeout
    /// The owner knows that the leader's process is dead.
    case leaderSuspected
    /// A majority would vote for this member.
    case preVoteWon
    case electionWon
    case electionLost
    /// Another member is in a later term.
    case higherTerm
    /// A leader made itself known.
    case leaderHeard
    /// Too few members answered for an election timeout.
    case quorumLost
    /// The leader asked this member to take over.
    case transferRequested
    /// Handing the leadership over took too long.
    case transferAborted
    /// The member is not in the group any more.
    case removed
    case stopped(StopReason)
}

/// Why a member stopped for good.
package enum StopReason: Equatable, Sendable {
    case writeFailed
    /// The leader holds an acknowledgement of entries that are not here: the disk lost them.
    case logLost
    /// Somebody else leads in the very term in which this member leads.
    case twoLeaders
}

/// Why a request was not taken.
package enum Refusal: Equatable, Sendable {
    case notLeader(MemberID?)
    /// The leadership ended before the read was confirmed.
    case leadershipLost
    /// The leadership is being handed over.
    case transferring
    /// Too much waits already.
    case busy
    /// The member has stopped for good.
    case stopped
    case membership(MembershipError)
}
