// SPDX-License-Identifier: Apache-2.0

/// One session id: nobody, then live, then revoked for ever.
///
/// A session shows the number that its last writer chose, so that a read tells whose write it saw.
/// It is the client's number and not the record's version: the client knows it even where it does
/// not know what became of the write.
///
/// Reads are those that promise the newest state, by read index or by lease. What a follower shows
/// within its bound is older by design, and has no place in such a history.
package struct SessionKey: SequentialSpecification {
    /// What the store holds under the id.
    package enum State: Hashable, Sendable {
        case absent
        case live(Int)
        case revoked
    }

    /// What a client asks.
    package enum Operation: Hashable, Sendable {
        /// A session that must not be there yet, with this number.
        case create(Int)
        /// A session with this number, in place of one that is there.
        case put(Int)
        /// The revocation of this one session.
        case revoke
        /// What a revocation of many does here: nothing where there is no session.
        case revokeAmongOthers
        case read
    }

    /// What a client was told.
    ///
    /// A write that was refused for a reason that is not here had no effect: withdraw it.
    package enum Outcome: Hashable, Sendable {
        /// The write did what it was for.
        case done
        /// A create found a live session.
        case alreadyExists
        /// A create or put was refused because the id was revoked.
        case refusedAsRevoked
        /// There was no session: revoked, or never there. An answer to a revocation, of one or of
        /// many, or to a read by somebody who cannot tell the two apart.
        case gone
        /// A read showed a session with this number.
        case live(Int)
        /// A read showed that the session was revoked.
        case revoked
        /// A read showed that there never was a session.
        case absent
    }

    package let initial: State

    /// A session id as a run begins with it: as a rule nobody has used it.
    package init(initial: State = .absent) {
        self.initial = initial
    }

    package func isObservation(_ operation: Operation) -> Bool { operation == .read }

    package func step(_ state: State, _ operation: Operation, _ outcome: Outcome?) -> State? {
        switch operation {
        case .create(let number): create(state, number, outcome)
        case .put(let number): put(state, number, outcome)
        case .revoke: revoke(state, outcome)
        case .revokeAmongOthers: revokeAmongOthers(state, outcome)
        case .read: read(state, outcome)
        }
    }

    private func create(_ state: State, _ number: Int, _ outcome: Outcome?) -> State? {
        switch (state, outcome) {
        case (.absent, .done), (.absent, nil): .live(number)
        case (.live, .alreadyExists), (.live, nil): state
        case (.revoked, .refusedAsRevoked), (.revoked, nil): state
        case (_, .gone), (_, .live), (_, .revoked), (_, .absent): Self.misused(outcome)
        default: nil
        }
    }

    private func put(_ state: State, _ number: Int, _ outcome: Outcome?) -> State? {
        switch (state, outcome) {
        case (.absent, .done), (.live, .done), (.absent, nil), (.live, nil): .live(number)
        case (.revoked, .refusedAsRevoked), (.revoked, nil): state
        case (_, .done), (_, .refusedAsRevoked): nil
        default: Self.misused(outcome)
        }
    }

    private func revoke(_ state: State, _ outcome: Outcome?) -> State? {
        switch (state, outcome) {
        case (.live, .done), (.live, nil): .revoked
        // A revocation leaves its mark on a session that is there; it does not forbid an id.
        case (.absent, .gone), (.revoked, .gone), (.absent, nil), (.revoked, nil): state
        case (_, .done), (_, .gone): nil
        default: Self.misused(outcome)
        }
    }

    private func revokeAmongOthers(_ state: State, _ outcome: Outcome?) -> State? {
        switch (state, outcome) {
        case (.live, .done), (.live, nil): .revoked
        // Whoever finds nobody to revoke has found this session not to be there.
        case (.live, .gone): nil
        case (_, .done), (_, .gone), (_, nil): state
        default: Self.misused(outcome)
        }
    }

    private func read(_ state: State, _ outcome: Outcome?) -> State? {
        switch outcome {
        case nil: state
        case .live(let number): state == .live(number) ? state : nil
        case .revoked: state == .revoked ? state : nil
        case .absent: state == .absent ? state : nil
        case .gone: state == .absent || state == .revoked ? state : nil
        case .done, .alreadyExists, .refusedAsRevoked: Self.misused(outcome)
        }
    }

    /// An answer to another question is a mistake of whoever wrote the history.
    private static func misused(_ outcome: Outcome?) -> State? {
        preconditionFailure("\(String(describing: outcome)) does not answer this operation")
    }
}
