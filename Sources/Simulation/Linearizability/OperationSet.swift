// SPDX-License-Identifier: Apache-2.0

/// A set of small numbers, made to be copied and hashed: the operations of an order.
///
/// Up to 64 numbers stand in the value itself; more need an array, which is copied when a set that
/// was remembered changes.
struct OperationSet: Hashable, Sendable {
    private var first: UInt64 = 0
    /// The words after the first.
    ///
    /// INVARIANT: their number never changes, so that sets of one capacity are equal exactly if
    /// they hold the same.
    private var rest: [UInt64]

    init(capacity: Int) {
        rest = Array(repeating: 0, count: max(0, (capacity + 63) / 64 - 1))
    }

    func contains(_ number: Int) -> Bool {
        let word = number < 64 ? first : rest[number / 64 - 1]
        return word & Self.bit(number) != 0
    }

    mutating func insert(_ number: Int) {
        if number < 64 {
            first |= Self.bit(number)
        } else {
            rest[number / 64 - 1] |= Self.bit(number)
        }
    }

    mutating func remove(_ number: Int) {
        if number < 64 {
            first &= ~Self.bit(number)
        } else {
            rest[number / 64 - 1] &= ~Self.bit(number)
        }
    }

    /// Both sets have the same capacity.
    func isSubset(of other: OperationSet) -> Bool {
        guard first & ~other.first == 0 else { return false }
        return rest.indices.allSatisfy { rest[$0] & ~other.rest[$0] == 0 }
    }

    private static func bit(_ number: Int) -> UInt64 { 1 << UInt64(number % 64) }
}
