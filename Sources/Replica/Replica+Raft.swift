// SPDX-License-Identifier: Apache-2.0

import Identity
import Raft
import Store

/// Between the owner and the Raft member.
extension Replica {
    /// Hands an input to the member and does what it asks for.
    mutating func drive(_ input: Input) {
        let effects = member.step(input, at: now)
        if journal != nil {
            journal?.append(MemberStep(at: now, input, effects, member))
        }
        for effect in effects { perform(effect) }
    }

    private mutating func perform(_ effect: Raft.Effect) {
        switch effect {
        case .persist(let write): persist(write)
        case .send(let message):
            if case .snapshot = message.kind {
                actions.append(.sendSnapshot(message))
            } else {
                actions.append(.send(message))
            }
        case .apply(let entries): committed += entries
        case .roleChanged(let change):
            actions.append(.roleChanged(change))
            if change.role != .leader { refuseWaiting(change.leader) }
        case .accepted(let request, let term, let places):
            place(request, term: term, from: places.lowerBound)
        case .refused(let request, let refusal): refuse(request, ProposalError(refusal))
        case .readReady(let request, let index):
            // One that took too long has its answer.
            guard let read = reads.removeValue(forKey: request) else { return }
            placedReads.append((read, index))
        case .stopped(.logLost):
            actions.append(.doubt)
            stop("the disk has lost what this member had acknowledged")
        case .stopped(let reason): stop("Raft: \(reason)")
        // Another leader decides: what is in flight is answered when its place is applied.
        case .uncertain: break
        // Asked for where they are needed: `isWritable` and `freshAsOf`.
        case .lease, .fresh: break
        }
    }

    private mutating func persist(_ write: Write) {
        guard write.snapshot != nil else { return actions.append(.persist(write, state: nil)) }
        guard let state = arrival?.store else {
            preconditionFailure("the member installs only what has arrived")
        }
        arrival?.write = write.number
        actions.append(.persist(write, state: state))
    }

    mutating func newRequest() -> RequestID {
        nextRequest += 1
        return RequestID(nextRequest)
    }

    // MARK: - Durability

    mutating func receivePersisted(through number: UInt64) {
        isLogFull = false
        guard let write = arrival?.write, write <= number else {
            return drive(.persisted(through: number))
        }
        arrival?.persisted = number
    }

    /// Readers see the state of a snapshot before the member counts on it.
    mutating func warnOfArrival() {
        guard visible == nil, stopReason == nil, let number = arrival?.persisted else { return }
        visible = .state(through: number)
        actions.append(.warn(.everything))
    }

    mutating func receivePersistFailed(_ failure: PersistFailure) {
        switch failure {
        case .stopped(let reason): stop(reason)
        case .noSpace:
            isLogFull = true
            // What has no place in the log never happened; what has one waits for room, and so
            // do revocations.
            refuseWideningAndHandOver()
        }
    }

    /// Without room only what takes access away may wait, and somebody else may have room.
    mutating func refuseWideningAndHandOver() {
        let refused = waiting.filter { $0.command?.isNarrowing != true }
        waiting.removeAll { $0.command?.isNarrowing != true }
        for proposal in refused { reply(proposal, .failure(.noSpace)) }
        // Again each time: whoever was asked before may not have been able to.
        drive(.transferLeadership(to: nil))
    }

    mutating func stop(_ reason: String) {
        guard stopReason == nil else { return }
        stopReason = reason
        for proposal in inFlight + waiting { reply(proposal, .failure(.stopped)) }
        inFlight = []
        waiting = []
        answerReads(.stopped) { _ in true }
        committed = []
        visible = nil
        actions.append(.stop(reason: reason))
        // A leader that cannot apply is none, and whoever led instead would not be heard.
        drive(.writeFailed)
    }

    // MARK: - Freshness

    /// The newest moment of the own clock before which everything acknowledged is in the state
    /// here; 0 where that cannot be said.
    ///
    /// A leader with nothing to apply vouches for when it sent what a majority has answered, a
    /// follower for the moment whose reading has been at the leader and back (docs/RAFT.md), a
    /// voter on its own for this very moment. None of it rests on the lease.
    package func freshAsOf(now: UInt64) -> UInt64 {
        guard stopReason == nil else { return 0 }
        let isAlone = member.configuration.voters == [member.id]
        return isAlone && member.confirmedAsOf != nil && isCaughtUp ? now : vouchedAt
    }

    /// Whether the state is the newest there is, as long as nobody takes a living leader for dead
    /// (thesis section 6.4.1); look at the clock again after reading.
    package func isCurrent(now: UInt64) -> Bool {
        stopReason == nil && hasLease(at: now) && isCaughtUp
    }

    /// Whether nobody else can have become leader before this moment.
    func hasLease(at now: UInt64) -> Bool {
        guard let deadline = member.leaseDeadline else { return false }
        // Nobody else could: what others have answered does not matter, nor when.
        return deadline > now || member.configuration.voters == [member.id]
    }

    private var isCaughtUp: Bool { store.metadata.appliedIndex == member.commitIndex }

    mutating func noteFreshness() {
        guard stopReason == nil else { return }
        if let confirmed = member.confirmedAsOf, isCaughtUp {
            vouchedAt = max(vouchedAt, confirmed)
        }
        vouchedAt = max(vouchedAt, member.freshAsOf)
    }
}
