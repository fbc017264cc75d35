// SPDX-License-Identifier: Apache-2.0

import Simulation

/// The history of one session id, told line by line; every line is one instant later.
struct Story {
    private(set) var history = History<SessionKey>()
    private var time: UInt64 = 0

    /// Asked and answered before anything else happens.
    mutating func tell(_ operation: SessionKey.Operation, _ outcome: SessionKey.Outcome) {
        let id = call(operation)
        answer(id, outcome)
    }

    mutating func call(_ operation: SessionKey.Operation, by client: Int = 0) -> OperationID {
        time += 1
        return history.call(operation, by: client, at: time)
    }

    /// Asked, and nobody ever learns what became of it.
    mutating func lose(_ operation: SessionKey.Operation) {
        _ = call(operation)
    }

    mutating func answer(_ id: OperationID, _ outcome: SessionKey.Outcome) {
        time += 1
        history.return(id, outcome, at: time)
    }

    mutating func withdraw(_ id: OperationID) {
        history.withdraw(id)
    }

    var verdict: Verdict<SessionKey> {
        LinearizabilityChecker(SessionKey()).verdict(on: history)
    }
}

extension Verdict {
    var isLinearizable: Bool {
        guard case .linearizable = self else { return false }
        return true
    }

    var isUnknown: Bool {
        guard case .unknown = self else { return false }
        return true
    }

    var counterexample: Counterexample<Specification>? {
        guard case .notLinearizable(let counterexample, stepCount: _) = self else { return nil }
        return counterexample
    }
}
