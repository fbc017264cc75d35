// SPDX-License-Identifier: Apache-2.0

/// How fresh what the mounts show is: the state may be ahead of what their caches have forgotten.
///
/// A state that is fresh as of a moment is worth that only once the mounts have forgotten what the
/// entries up to it have changed.
struct FreshnessLedger: Sendable {
    private struct Offer {
        var index: UInt64
        var freshAsOf: UInt64
    }

    /// The newest moment before which everything acknowledged is visible on the mounts, nanoseconds
    /// of the own clock; 0 where nobody vouches for any.
    private(set) var freshAsOf: UInt64 = 0
    private var forgotten: UInt64 = 0
    /// The first that waits for its index, and the newest: what lies between gains nothing.
    private var first: Offer?
    private var newest: Offer?

    /// The state with this index is fresh as of a moment.
    mutating func offer(freshAsOf moment: UInt64, at index: UInt64) {
        let offer = Offer(index: index, freshAsOf: moment)
        if index <= forgotten {
            freshAsOf = max(freshAsOf, moment)
        } else if first == nil {
            first = offer
        } else {
            newest = offer
        }
    }

    /// The mounts show nothing any more that the entries up to here have changed.
    mutating func forget(through index: UInt64) {
        forgotten = max(forgotten, index)
        while let offer = first, offer.index <= forgotten {
            freshAsOf = max(freshAsOf, offer.freshAsOf)
            first = newest
            newest = nil
        }
    }
}
