// SPDX-License-Identifier: Apache-2.0

import Simulation

/// The definition of linearizability, tried out on every order there is.
///
/// Shares nothing with the checker but the specification.
struct ReferenceSearch<Specification: SequentialSpecification> {
    let specification: Specification
    let operations: [RecordedOperation<Specification>]

    var isLinearizable: Bool {
        extend([], specification.initial)
    }

    private func extend(_ order: [Int], _ state: Specification.State) -> Bool {
        if isComplete(order), keepsTime(order.map { operations[$0] }) { return true }
        for index in operations.indices where !order.contains(index) {
            let operation = operations[index]
            let next = specification.step(state, operation.operation, operation.outcome)
            if let next, extend(order + [index], next) { return true }
        }
        return false
    }

    private func isComplete(_ order: [Int]) -> Bool {
        operations.indices.allSatisfy { operations[$0].outcome == nil || order.contains($0) }
    }

    /// Whether no operation stands behind one that was called after its return.
    private func keepsTime(_ order: [RecordedOperation<Specification>]) -> Bool {
        order.indices.allSatisfy { later in
            order[..<later].allSatisfy { earlier in
                order[later].returnOrder.map { $0 > earlier.callOrder } ?? true
            }
        }
    }

    /// Whether an order explains the history: a run, in time, with every answered operation once.
    func isWitness(_ order: [RecordedOperation<Specification>]) -> Bool {
        var state = specification.initial
        for operation in order {
            guard
                let next = specification.step(state, operation.operation, operation.outcome)
            else { return false }
            state = next
        }
        let taken = Set(order.map(\.callOrder))
        let isWhole = operations.allSatisfy { $0.outcome == nil || taken.contains($0.callOrder) }
        let areKnown = taken.isSubset(of: operations.map(\.callOrder))
        return isWhole && areKnown && taken.count == order.count && keepsTime(order)
    }
}

/// The same key without the hint that a read changes nothing.
struct SessionKeyWithoutHint: SequentialSpecification {
    private let key = SessionKey()

    var initial: SessionKey.State { key.initial }

    func step(
        _ state: SessionKey.State,
        _ operation: SessionKey.Operation,
        _ outcome: SessionKey.Outcome?
    ) -> SessionKey.State? {
        key.step(state, operation, outcome)
    }
}
