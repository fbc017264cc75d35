// SPDX-License-Identifier: Apache-2.0

/// A call on one key or on several at once.
package struct KeyedCall: Sendable {
    fileprivate struct Part: Sendable {
        var slot: Int
        var id: OperationID
    }

    fileprivate var parts: [Part]
}

/// The histories of many independent keys.
///
/// Linearizability is local (Herlihy and Wing, 1990): the whole is linearizable if each key is, and
/// keys apart are far cheaper to check. What spans keys is checked as one operation on each of them
/// with the same call and return; that it happened on all of them at one instant is not checked.
package struct KeyedHistory<
    Key: Hashable & Comparable & Sendable,
    Specification: SequentialSpecification
>: Sendable {
    private var slots: [Key: Int] = [:]
    private var keys: [Key] = []
    private var histories: [History<Specification>] = []

    /// A history in which nothing has happened.
    package init() {}

    /// How many operations there are, one on several keys counted on each of them.
    package var operationCount: Int { histories.reduce(0) { $0 + $1.operations.count } }

    /// The history of one key; empty where nobody used it.
    package func history(of key: Key) -> History<Specification> {
        slots[key].map { histories[$0] } ?? History()
    }

    /// A client sends an operation that concerns these keys.
    package mutating func call(
        _ operation: Specification.Operation,
        on keys: [Key],
        by client: Int = 0,
        at time: UInt64
    ) -> KeyedCall {
        var call = KeyedCall(parts: [])
        for key in keys {
            let slot = slot(of: key)
            let id = histories[slot].call(operation, by: client, at: time)
            call.parts.append(.init(slot: slot, id: id))
        }
        return call
    }

    /// The client has the answer, the same for all keys of the call.
    package mutating func `return`(
        _ call: KeyedCall,
        _ outcome: Specification.Outcome,
        at time: UInt64
    ) {
        for part in call.parts { histories[part.slot].return(part.id, outcome, at: time) }
    }

    /// Takes back a call that is known to have had no effect on any key, now and for ever.
    package mutating func withdraw(_ call: KeyedCall) {
        for part in call.parts { histories[part.slot].withdraw(part.id) }
    }

    /// Checks every key by itself, in ascending order, each within the checker's budget.
    package func report(
        by checker: LinearizabilityChecker<Specification>
    ) -> LinearizabilityReport<Key, Specification> {
        var report = LinearizabilityReport<Key, Specification>()
        for key in keys.sorted() { report.add(key, checker.verdict(on: history(of: key))) }
        return report
    }

    private mutating func slot(of key: Key) -> Int {
        if let slot = slots[key] { return slot }
        slots[key] = keys.count
        keys.append(key)
        histories.append(History())
        return keys.count - 1
    }
}

/// What became of all keys of a history.
package struct LinearizabilityReport<
    Key: Hashable & Comparable & Sendable,
    Specification: SequentialSpecification
>: Sendable {
    /// A key whose history no order explains.
    package struct Violation: Sendable {
        package let key: Key
        package let counterexample: Counterexample<Specification>
    }

    package private(set) var linearizableCount = 0
    package private(set) var violations: [Violation] = []
    /// The keys whose budget was spent before there was a verdict: no success, and no failure.
    package private(set) var undecided: [Key] = []
    package private(set) var stepCount = 0

    /// Whether every key was found linearizable.
    package var isLinearizable: Bool { violations.isEmpty && undecided.isEmpty }

    fileprivate mutating func add(_ key: Key, _ verdict: Verdict<Specification>) {
        stepCount += verdict.stepCount
        switch verdict {
        case .linearizable: linearizableCount += 1
        case .notLinearizable(let counterexample, stepCount: _):
            violations.append(Violation(key: key, counterexample: counterexample))
        case .unknown: undecided.append(key)
        }
    }
}
