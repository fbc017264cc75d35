// SPDX-License-Identifier: Apache-2.0

package import FSMap
package import Identity
import Raft

/// Names one request to whoever made it.
package struct ProposalID: Hashable, Sendable {
    package let rawValue: UInt64

    /// Wraps a number that the caller never uses twice.
    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

/// A change somebody wants, and the name its answer goes by.
package struct Proposal: Sendable {
    package var id: ProposalID
    package var kind: Command.Kind
    /// With one, the change happens once however often it is proposed, on whichever member.
    package var origin: RequestOrigin?

    /// Joins a name and a change.
    package init(id: ProposalID, kind: Command.Kind, origin: RequestOrigin? = nil) {
        self.id = id
        self.kind = kind
        self.origin = origin
    }
}

/// Why a proposal was not carried out, or may not have been.
package enum ProposalError: Error, Equatable, Sendable {
    /// The rules of the state machine refuse it.
    case refused(CommandError)
    case noSpace
    /// This node does not take writes; nothing has happened, nor will.
    case notWritable(reason: String)
    /// Not committed within the deadline, or the leadership was lost; it may still be.
    case timedOut
    /// The node is shutting down or has failed; the outcome is unknown.
    case stopped
    /// Too many proposals wait already.
    case busy
    case io(String)
}

extension ProposalError {
    /// What Raft refused, in the words of a node.
    init(_ refusal: Refusal) {
        switch refusal {
        case .notLeader(let leader):
            let name = leader.map { "member \($0) leads" } ?? "no member leads at the moment"
            self = .notWritable(reason: name)
        case .leadershipLost: self = .notWritable(reason: "the leadership was lost")
        case .transferring: self = .notWritable(reason: "the leadership is being handed over")
        case .busy: self = .busy
        case .stopped: self = .stopped
        case .membership(let error): self = .notWritable(reason: "the group: \(error)")
        }
    }
}

extension FSError {
    /// A proposal that failed, as a file operation reports it.
    package init(_ error: ProposalError) {
        switch error {
        case .refused(let error): self = FSError(error)
        case .noSpace: self = .noSpace
        case .notWritable: self = .readOnly
        case .timedOut: self = .timedOut
        case .stopped: self = .io("the node has stopped; the outcome is unknown")
        case .busy: self = .busy
        case .io(let reason): self = .io(reason)
        }
    }
}
