// SPDX-License-Identifier: Apache-2.0

/// An operation of a history, by the order of the calls.
package struct OperationID: Hashable, Sendable {
    let index: Int
}

/// One operation of one client: what it asked, when, and what it knows of the answer.
package struct RecordedOperation<Specification: SequentialSpecification>: Sendable {
    package let operation: Specification.Operation
    /// Nil: nobody knows whether it took effect, nor when it will.
    package fileprivate(set) var outcome: Specification.Outcome?
    package let client: Int
    package let calledAt: UInt64
    package fileprivate(set) var returnedAt: UInt64?
    /// The places of call and return among all events of the history.
    ///
    /// They decide what came before what: the times are for people, since two events of one instant
    /// have an order as well.
    package let callOrder: Int
    package fileprivate(set) var returnOrder: Int?
    fileprivate var isWithdrawn = false
}

extension RecordedOperation: CustomStringConvertible {
    package var description: String {
        let end = returnedAt.map(String.init) ?? "?"
        let answer = outcome.map { "\($0)" } ?? "unknown"
        return "[\(calledAt)..\(end)] client \(client): \(operation) -> \(answer)"
    }
}

/// What the clients of one key saw, event by event in the order in which it happened.
package struct History<Specification: SequentialSpecification>: Sendable {
    private var recorded: [RecordedOperation<Specification>] = []
    private var eventCount = 0

    /// A history in which nothing has happened.
    package init() {}

    /// All operations but the withdrawn ones, in the order of their calls.
    package var operations: [RecordedOperation<Specification>] {
        recorded.filter { !$0.isWithdrawn }
    }

    /// A client sends an operation; until it returns, its outcome counts as unknown.
    package mutating func call(
        _ operation: Specification.Operation,
        by client: Int = 0,
        at time: UInt64
    ) -> OperationID {
        recorded.append(
            RecordedOperation(
                operation: operation,
                client: client,
                calledAt: time,
                callOrder: nextOrder()
            )
        )
        return OperationID(index: recorded.count - 1)
    }

    /// The client has the answer.
    ///
    /// An operation of unknown outcome never returns, even if the client was told so and goes on:
    /// it may still take effect at any later time.
    package mutating func `return`(
        _ id: OperationID,
        _ outcome: Specification.Outcome,
        at time: UInt64
    ) {
        precondition(isOpen(id), "an operation has one answer")
        recorded[id.index].outcome = outcome
        recorded[id.index].returnedAt = time
        recorded[id.index].returnOrder = nextOrder()
    }

    /// Takes back a call that is known to have had no effect, now and for ever: it was refused
    /// before it got a place in the log.
    package mutating func withdraw(_ id: OperationID) {
        precondition(isOpen(id), "an operation that was answered has happened")
        recorded[id.index].isWithdrawn = true
    }

    private func isOpen(_ id: OperationID) -> Bool {
        recorded[id.index].returnOrder == nil && !recorded[id.index].isWithdrawn
    }

    private mutating func nextOrder() -> Int {
        eventCount += 1
        return eventCount
    }
}
