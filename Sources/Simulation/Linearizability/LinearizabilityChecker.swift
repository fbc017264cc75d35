// SPDX-License-Identifier: Apache-2.0

/// The numbers of the search.
package enum SearchLimits {
    /// How many steps of the specification a history may cost.
    ///
    /// A key of hundreds of operations takes thousands; what reaches this is an explosion, and
    /// would eat the memory next.
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

/// One search.
///
/// Answered operations have the numbers below `answered.count`, the open ones, whose outcome is
/// unknown, those that follow.
private struct Search<Specification: SequentialSpecification> {
    /// An operation that was taken, and how to take it back.
    private struct Taken {
        var number: Int
        var stateBefore: Specification.State
    }

    /// Where nothing fitted: numbers only, since a search comes to many and tells of one.
    private struct DeadEnd {
        var answeredLeft: Int
        var taken: [Int]
        var state: Specification.State
    }

    private let specification: Specification
    private let answered: [RecordedOperation<Specification>]
    private let open: [RecordedOperation<Specification>]
    /// Which of the answered operations change nothing.
    private let isObservation: [Bool]
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
    private var best: DeadEnd?

    init(_ specification: Specification, _ operations: [RecordedOperation<Specification>]) {
        self.specification = specification
        answered = operations.filter { $0.returnOrder != nil }
        open = operations.filter { $0.returnOrder == nil }
        isObservation = answered.map { specification.isObservation($0.operation) }
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
            return .notLinearizable(counterexample(best), stepCount: stepCount)
        }
        return .linearizable(order: order.map { operation($0.number) }, stepCount: stepCount)
    }

    /// The next operation that may be taken here, after one that was tried.
    ///
    /// Observations first: one that fits loses nothing by being taken at once. Open operations when
    /// nothing else fits: they have all the time there is.
    private func candidate(after last: Int?) -> Int? {
        let isOpen = last.map { $0 >= answered.count } ?? false
        if !isOpen {
            let wasObservation = last.map { isObservation[$0] } ?? true
            if wasObservation, let found = call(after: last, isObservation: true) { return found }
            let change = call(after: wasObservation ? nil : last, isObservation: false)
            if let change { return change }
        }
        return openCandidate(after: isOpen ? last : nil)
    }

    /// The next answered operation of this kind that was called before the first return.
    private func call(after last: Int?, isObservation wanted: Bool) -> Int? {
        var event = last.map { events.event(after: 2 * $0) } ?? events.first
        while let call = event, EventList.isCall(call) {
            if isObservation[call / 2] == wanted { return call / 2 }
            event = events.event(after: call)
        }
        return nil
    }

    private func openCandidate(after last: Int?) -> Int? {
        guard !open.isEmpty, let limit = events.firstReturn else { return nil }
        guard let limitOrder = answered[limit / 2].returnOrder else { return nil }
        let next = last.map { $0 - answered.count + 1 } ?? 0
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
        order.append(Taken(number: number, stateBefore: state))
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
            let hasAlternative = last.number >= answered.count || !isObservation[last.number]
            if hasAlternative { return last.number }
        }
        return nil
    }

    /// Remembers the dead end if it explains more than any before, or as much with fewer operations
    /// of unknown outcome.
    private mutating func noteBest() {
        if let best {
            let size = (answeredLeft, order.count)
            guard size < (best.answeredLeft, best.taken.count) else { return }
        }
        best = DeadEnd(answeredLeft: answeredLeft, taken: order.map(\.number), state: state)
    }

    /// Tells of a dead end after the search, when everything has been taken back.
    private mutating func counterexample(_ end: DeadEnd) -> Counterexample<Specification> {
        for number in end.taken {
            mark(number, isTaken: true)
            if number < answered.count { events.takeOut(number) }
        }
        var misfits: [RecordedOperation<Specification>] = []
        var event = events.first
        while let call = event, EventList.isCall(call) {
            misfits.append(answered[call / 2])
            event = events.event(after: call)
        }
        let limit = event.flatMap { answered[$0 / 2].returnOrder } ?? 0
        let others = open.indices.filter {
            open[$0].callOrder < limit && !openTaken.contains($0)
        }
        return Counterexample(
            prefix: end.taken.map(operation),
            state: end.state,
            misfits: misfits,
            open: others.map { open[$0] }
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
