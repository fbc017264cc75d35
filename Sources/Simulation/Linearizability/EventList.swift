// SPDX-License-Identifier: Apache-2.0

/// Calls and returns of the answered operations that stand in no order yet, as they happened.
///
/// A doubly linked list in two arrays (Wing and Gong, 1993): an operation is taken out and put back
/// in constant time, last out first in, which is all that a depth-first search asks for.
struct EventList: Sendable {
    /// An event: 2i for the call of operation i, 2i + 1 for its return.
    typealias Event = Int

    private let head: Event
    private var next: [Event]
    private var previous: [Event]

    /// - Parameter events: all calls and returns in their order.
    init(_ events: [Event]) {
        // The head follows the last event and comes before the first: a ring needs no special ends.
        head = events.count
        next = Array(repeating: head, count: events.count + 1)
        previous = next
        var last = head
        for event in events {
            next[last] = event
            previous[event] = last
            last = event
        }
        previous[head] = last
    }

    /// The first event that is left; nil at the end.
    var first: Event? { event(next[head]) }

    /// The first return that is left: whatever was called after it has to wait.
    var firstReturn: Event? {
        var event = first
        while let found = event, Self.isCall(found) { event = self.event(after: found) }
        return event
    }

    func event(after event: Event) -> Event? { self.event(next[event]) }

    mutating func takeOut(_ operation: Int) {
        for event in [2 * operation, 2 * operation + 1] {
            next[previous[event]] = next[event]
            previous[next[event]] = previous[event]
        }
    }

    /// Puts the operation back that was taken out last.
    mutating func putBack(_ operation: Int) {
        // What was taken out still knows its neighbours; it goes back in the opposite order.
        for event in [2 * operation + 1, 2 * operation] {
            next[previous[event]] = event
            previous[next[event]] = event
        }
    }

    static func isCall(_ event: Event) -> Bool { event.isMultiple(of: 2) }

    private func event(_ found: Event) -> Event? { found == head ? nil : found }
}
