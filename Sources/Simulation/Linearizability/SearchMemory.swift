// SPDX-License-Identifier: Apache-2.0

/// Where a search has been.
///
/// To have been there once is enough, and so it is to have been there with *fewer* operations of
/// unknown outcome taken, all of them among those taken now: what is left to take now was left then
/// too, and none of the others has to be taken.
struct SearchMemory<State: Hashable & Sendable> {
    private struct Place: Hashable {
        var answered: OperationSet
        var state: State
    }

    /// The sets of open operations with which the search came to a place.
    ///
    /// One as a rule, so that it stands here without an array.
    private struct Visits {
        var first: OperationSet
        var others: [OperationSet] = []

        func cover(_ open: OperationSet) -> Bool {
            first.isSubset(of: open) || others.contains { $0.isSubset(of: open) }
        }
    }

    private var visits: [Place: Visits] = [:]

    /// Remembers the place; false if there is nothing new to be found there.
    mutating func insert(answered: OperationSet, open: OperationSet, state: State) -> Bool {
        let place = Place(answered: answered, state: state)
        guard let index = visits.index(forKey: place) else {
            visits[place] = Visits(first: open)
            return true
        }
        guard !visits.values[index].cover(open) else { return false }
        visits.values[index].others.append(open)
        return true
    }
}
