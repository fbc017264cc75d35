// SPDX-License-Identifier: Apache-2.0

package import FSMap
package import Identity
package import Log
import Store

/// Names one proposal to whoever made it.
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

    /// Joins a name and a change.
    package init(id: ProposalID, kind: Command.Kind) {
        self.id = id
        self.kind = kind
    }
}

/// What can happen to a replica.
///
/// Time comes with the event.
package enum Event: Sendable {
    /// Changes somebody wants. `at` is the wall clock, `now` the monotonic clock in nanoseconds.
    case propose([Proposal], at: Timestamp, now: UInt64)
    /// The disk is at work on the last `.append`; see ``Action/prepare``.
    case prepare
    /// The entries of the last `.append` up to this index are durable.
    case written(through: UInt64)
    /// The entries of the last `.append` are not in the log, and never will be.
    case appendFailed(AppendFailure)
    /// The readers' caches have been told what the last `.warn` said.
    case warned
    /// Time passed: deadlines and expiry. Both clocks as in `propose`.
    case tick(at: Timestamp, now: UInt64)
    /// Everything applied up to this index is in the store's own files.
    case flushed(through: UInt64)
}

/// Why entries did not reach the log.
package enum AppendFailure: Equatable, Sendable {
    /// There is no room; later writes may succeed.
    case noSpace
    /// A write or sync failed: what is on disk is unknown, so the member stops for good.
    case stopped(String)
}

/// What a replica wants done.
///
/// The owner performs actions in order.
package enum Action: Sendable {
    /// Make these entries durable, then say `.written`; one append is outstanding at a time.
    case append([LogEntry])
    /// Say `.prepare` while the disk is at work: what comes after it is worked out meanwhile.
    ///
    /// An owner that does not is slower and nothing else.
    case prepare
    /// Readers' caches will be wrong in this way from `.warned` on: note it, then say `.warned`.
    case warn([Effect])
    /// The state has changed; readers see it now.
    case applied([Effect], [Change])
    /// The answer to a proposal.
    case reply(ProposalID, Result<Applied, ProposalError>)
    /// Nothing before this index is needed to recover any more.
    case discardLog(through: UInt64)
    /// The member stops: it neither writes nor answers for its state any more.
    case stop(reason: String)
}

/// Why a proposal was not carried out, or may not have been.
package enum ProposalError: Error, Equatable, Sendable {
    /// The rules of the state machine refuse it.
    case refused(CommandError)
    case noSpace
    /// This node does not take writes.
    case notWritable(reason: String)
    /// Not committed within the deadline; it may still be.
    case timedOut
    /// The node is shutting down or has failed; the outcome is unknown.
    case stopped
    /// Too many proposals wait already.
    case busy
    case io(String)
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
