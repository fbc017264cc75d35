// SPDX-License-Identifier: Apache-2.0

/// Whether a mount may show what it has: open while the state is at most so old (G2).
///
/// What a kernel has cached is shown without asking, so the owner makes it forget everything when
/// the gate closes, and answers nothing until it opens again.
package struct StalenessGate: Sendable {
    /// How old what is shown may be, nanoseconds of the own clock.
    package let stalenessMaxNanoseconds: UInt64
    package private(set) var isOpen = false

    /// A gate that is closed until somebody vouches for the state.
    package init(stalenessMaxNanoseconds: UInt64) {
        self.stalenessMaxNanoseconds = stalenessMaxNanoseconds
    }

    /// Whether a state that is fresh as of a moment, 0 for none, may be shown.
    package static func isFresh(asOf moment: UInt64, now: UInt64, within max: UInt64) -> Bool {
        moment > 0 && moment + max > now
    }

    /// Takes note of how fresh the state is; true when the gate opens or closes by it.
    package mutating func update(freshAsOf: UInt64, now: UInt64) -> Bool {
        let isFresh = Self.isFresh(asOf: freshAsOf, now: now, within: stalenessMaxNanoseconds)
        defer { isOpen = isFresh }
        return isFresh != isOpen
    }
}
