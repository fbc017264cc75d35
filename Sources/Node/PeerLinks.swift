// SPDX-License-Identifier: Apache-2.0

package import Identity
package import Raft
package import Replica

/// How a node reaches the other members of its group: over the network in the room `Cluster`, in
/// memory in tests.
package protocol PeerLinks: AnyObject, Sendable {
    /// Sends, or drops what cannot be sent, in order to each member.
    ///
    /// On the replica thread; never blocks.
    func send(_ messages: [Message])
    /// Brings a copy of the state to the receiver of the message (``LocalNode/checkpoint(into:)``),
    /// then delivers `.snapshotSent` to the node, whatever came of it.
    ///
    /// On the replica thread; never blocks.
    func sendSnapshot(_ message: Message)
    /// Asks a member for something; `completion` runs once, within the time, on any thread.
    func ask(
        _ member: MemberID,
        _ request: PeerRequest,
        timeoutNanoseconds: UInt64,
        completion: @escaping @Sendable (Result<PeerAnswer, PeerFailure>) -> Void
    )
    /// Who is in the group from now on; connections to others end.
    func groupChanged(_ members: [GroupMember])
}

/// What one member asks another for.
package enum PeerRequest: Equatable, Sendable {
    /// To propose a change, which the other does if it leads.
    case propose(Command.Kind, origin: RequestOrigin)
    /// To say how far it is, once it has applied this index and its mounts have forgotten what that
    /// changed.
    case progress(index: UInt64)
    case changeGroup(GroupChange)
    case transferLeadership(to: UInt64?)
}

/// A change of the group as an operator asks for it.
package enum GroupChange: Equatable, Sendable {
    /// Adds a learner; `id` 0 asks for the next free number.
    case add(GroupMember)
    case promote(UInt64)
    case remove(UInt64)
}

/// What a member answers.
package enum PeerAnswer: Equatable, Sendable {
    case applied(Applied)
    case failed(ProposalError)
    case progress(PeerProgress)
}

/// How far a member is.
package struct PeerProgress: Equatable, Sendable {
    package var applied: UInt64
    /// What was applied up to here, the member's mounts do not show any more; also none.
    package var forgotten: UInt64
    /// The member's wall clock when it had applied what was asked for, and when it was forgotten.
    package var appliedAt: Timestamp
    package var forgottenAt: Timestamp

    /// Makes it from its parts.
    package init(
        applied: UInt64,
        forgotten: UInt64,
        appliedAt: Timestamp,
        forgottenAt: Timestamp
    ) {
        self.applied = applied
        self.forgotten = forgotten
        self.appliedAt = appliedAt
        self.forgottenAt = forgottenAt
    }
}

/// Why a member did not answer.
package enum PeerFailure: Error, Equatable, Sendable {
    /// The request never left: nothing has come of it, nor will.
    case unreachable
    /// It may have arrived, or may still.
    case noAnswer
}
