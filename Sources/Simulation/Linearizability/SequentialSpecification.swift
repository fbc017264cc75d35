// SPDX-License-Identifier: Apache-2.0

/// What one key does when one client at a time uses it.
///
/// A history of many clients is linearizable if some order of its operations, which keeps the order
/// of any two of which one had returned before the other was called, is a run of this.
package protocol SequentialSpecification: Sendable {
    /// What the key holds; equal states must behave alike for ever.
    associatedtype State: Hashable & Sendable
    /// What is asked. Two equal operations of unknown outcome stand for each other.
    associatedtype Operation: Hashable & Sendable
    /// What is answered.
    associatedtype Outcome: Equatable & Sendable

    /// The state before the first operation.
    var initial: State { get }

    /// The state after the operation took effect; nil where it cannot have been answered so.
    ///
    /// Without an outcome nobody knows the answer, so every answer is possible and the state
    /// follows from the operation alone.
    func step(_ state: State, _ operation: Operation, _ outcome: Outcome?) -> State?

    /// Whether the operation leaves every state as it is, whatever its outcome.
    ///
    /// The search takes such an operation as soon as it fits, and never tries it elsewhere. A
    /// specification that says false everywhere is right too, only slower to check.
    func isObservation(_ operation: Operation) -> Bool
}

extension SequentialSpecification {
    /// False: any operation may change the state.
    package func isObservation(_ operation: Operation) -> Bool { false }
}
