// SPDX-License-Identifier: Apache-2.0

/// The numbers of the search.
package enum SearchLimits {
    /// How many steps of the specification a history may cost. A key of thousands of operations
    /// takes thousands; what reaches this is an explosion, and would eat the memory next.
    package static let stepsMax = 1_000_000
}

/// Looks for an order that explains a history.
///
/// Wing and Gong's search ("Testing and Verifying Concurrent Objects", 1993): take any operation
/// that was called before the first return among those left, if its answer is the one the
/// specification gives, and go on; where nothing fits, take the last one back. Lowe's memory
/// ("Testing for linearizability", 2017): a set of operations taken that led to a state before
/// leads to the same failure again.
///
/// An operation of unknown outcome may be left out, so one order may fail for every choice of them.
/// What keeps that from doubling the work with each: see ``SearchMemory``, `twins` and `isUseful`.
package struct LinearizabilityChecker<Specification: SequentialSpecification>: Sendable {
    private let specification: Specification
    private let stepsMax: Int

    /// - Parameter stepsMax: The budget of one history; beyond it the verdict is `.unknown`.
    package init(_ specification: Specification, stepsMax: Int = SearchLimits.stepsMax) {
        self.specification = specification
        self.stepsMax = stepsMax
    }

    /// Whether some order explains the history.
    package func verdict(on history: History<Specification>) -> Verdict<Specification> {
        var search = Search(specification, history.operations)
        return search.run(stepsMax: stepsMax)
    }
}

/// One search. Answered operations have the numbers below `answered.count`, the open ones, whose
/// outcome is unknown, those that follow.
private struct Search<Specification: SequentialSpecification> {
    /// An operation that was taken, and how to take it back.
    private struct Taken {
        var number: Int
        var stateBefore: Specification.State
        var isObservation: Bool
    }

    private let specification: Specification
    private let answered: [RecordedOperation<Specification>]
    private let open: [RecordedOperation<Specification>]
    /// For each open operation the one before it that asks the same.
    private let twins: [Int?]
    private var events: EventList
    private var state: Specification.State
    private var answeredTaken: OperationSet
    private var openTaken: OperationSet
    private var order: [Taken] = []
    private var answeredLeft: Int
    private var memory = SearchMemory<Specification.State>()
    private var stepCount = 0
    private var best: Counterexample<Specification>?
    private var bestSize = (left: Int.max, taken: 0)

    init(_ specification: Specification, _ operations: [RecordedOperation<Specification>]) {
        self.specification = specification
        answered = operations.filter { $0.returnOrder != nil }
        open = operations.filter { $0.returnOrder == nil }
        twins = Self.twins(of: open)
        events = EventList(Self.events(of: answered))
        state = specification.initial
        answeredTaken = OperationSet(capacity: answered.count)
        openTaken = OperationSet(capacity: open.count)
        answeredLeft = answered.count
    }

    mutating func run(stepsMax: Int) -> Verdict<Specification> {
        var last: Int?
        while answeredLeft > 0 {
            if let number = candidate(after: last) {
                guard stepCount < stepsMax else { return .unknown(stepCount: stepCount) }
                last = take(number) ? nil : number
                continue
            }
            noteBest()
            last = takeBack()
            guard last == nil else { continue }
            guard let best else { preconditionFailure("a dead end was noted") }
            return .notLinearizable(best, stepCount: stepCount)
        }
        return .linearizable(order: order.map { operation($0.number) }, stepCount: stepCount)
    }

    /// The next operation that may be taken here, after one that was tried.
    ///
    /// Answered ones first, open ones when nothing else fits: they have all the time there is.
    private func candidate(after last: Int?) -> Int? {
        if last.map({ $0 < answered.count }) ?? true {
            let event = last.map { events.event(after: 2 * $0) } ?? events.first
            if let event, EventList.isCall(event) { return event / 2 }
        }
        guard !open.isEmpty, let limit = events.firstReturn else { return nil }
        guard let limitOrder = answered[limit / 2].returnOrder else { return nil }
        let next = last.map { max(0, $0 - answered.count + 1) } ?? 0
        for index in next..<open.count {
            guard open[index].callOrder < limitOrder else { return nil }
            let isTwinLeft = twins[index].map { !openTaken.contains($0) } ?? false
            // Of two that ask the same and were never answered, the earlier can stand wherever the
            // later can: only one of the orders has to be tried.
            if !openTaken.contains(index), !isTwinLeft {
                return answered.count + index
            }
        }
        return nil
    }

    /// Takes the operation if its answer fits and it leads to where the search has not been.
    private mutating func take(_ number: Int) -> Bool {
        stepCount += 1
        let candidate = operation(number)
        let next = specification.step(state, candidate.operation, candidate.outcome)
        guard let next else { return false }
        let isAnswered = number < answered.count
        guard isAnswered || isUseful(candidate, leadingTo: next) else { return false }
        mark(number, isTaken: true)
        let isNew = memory.insert(answered: answeredTaken, open: openTaken, state: next)
        guard isNew else {
            mark(number, isTaken: false)
            return false
        }
        let isObservation = isAnswered && specification.isObservation(candidate.operation)
        order.append(Taken(number: number, stateBefore: state, isObservation: isObservation))
        state = next
        if isAnswered {
            events.takeOut(number)
            answeredLeft -= 1
        }
        return true
    }

    /// Whether there is a reason to take an operation that need not be there at all.
    private mutating func isUseful(
        _ candidate: RecordedOperation<Specification>,
        leadingTo next: Specification.State
    ) -> Bool {
        guard next != state else { return false }
        guard let last = order.last, last.number >= answered.count else { return true }
        stepCount += 1
        // Where it wipes out the open operation taken just before, that one need not be there.
        return specification.step(last.stateBefore, candidate.operation, nil) != next
    }

    private mutating func mark(_ number: Int, isTaken: Bool) {
        switch (number < answered.count, isTaken) {
        case (true, true): answeredTaken.insert(number)
        case (true, false): answeredTaken.remove(number)
        case (false, true): openTaken.insert(number - answered.count)
        case (false, false): openTaken.remove(number - answered.count)
        }
    }

    /// Takes back what was taken last and has an alternative; nil where nothing is left to vary.
    ///
    /// An observation that fits has none: whatever order there is from there on, the observation
    /// may be moved to the front of it.
    private mutating func takeBack() -> Int? {
        while let last = order.popLast() {
            state = last.stateBefore
            mark(last.number, isTaken: false)
            if last.number < answered.count {
                events.putBack(last.number)
                answeredLeft += 1
            }
            if !last.isObservation { return last.number }
        }
        return nil
    }

    /// Remembers the dead end if it explains more than any before, or as much with fewer operations
    /// of unknown outcome.
    private mutating func noteBest() {
        let size = (left: answeredLeft, taken: order.count)
        guard size < bestSize, let limit = events.firstReturn else { return }
        guard let limitOrder = answered[limit / 2].returnOrder else { return }
        bestSize = size
        var misfits: [RecordedOperation<Specification>] = []
        var event = events.first
        while let call = event, call != limit {
            misfits.append(answered[call / 2])
            event = events.event(after: call)
        }
        best = Counterexample(
            prefix: order.map { operation($0.number) },
            state: state,
            misfits: misfits,
            open: open.indices.filter {
                open[$0].callOrder < limitOrder && !openTaken.contains($0)
            }.map { open[$0] }
        )
    }

    private func operation(_ number: Int) -> RecordedOperation<Specification> {
        number < answered.count ? answered[number] : open[number - answered.count]
    }

    private static func twins(of open: [RecordedOperation<Specification>]) -> [Int?] {
        var last: [Specification.Operation: Int] = [:]
        return open.indices.map { last.updateValue($0, forKey: open[$0].operation) }
    }

    private static func events(of answered: [RecordedOperation<Specification>]) -> [Int] {
        var events: [(order: Int, event: Int)] = []
        for (index, operation) in answered.enumerated() {
            guard let returnOrder = operation.returnOrder else { continue }
            events.append((operation.callOrder, 2 * index))
            events.append((returnOrder, 2 * index + 1))
        }
        return events.sorted { $0.order < $1.order }.map(\.event)
    }
}
