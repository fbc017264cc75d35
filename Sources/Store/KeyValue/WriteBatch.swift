// SPDX-License-Identifier: Apache-2.0

/// An ordered list of changes that a store applies together or not at all.
///
/// INVARIANT: operations apply in the order they were added, so the later one on a key wins.
/// INVARIANT: `byteCount` is the sum of the lengths of all keys and values of `operations`.
package struct WriteBatch: Sendable, Equatable {
    /// One change of one key.
    package enum Operation: Sendable, Equatable {
        /// Sets the value of a key, whether or not it was there.
        case put(key: [UInt8], value: [UInt8])
        /// Removes a key; a key that is not there is no error.
        case delete(key: [UInt8])
    }

    /// The changes, oldest first.
    package private(set) var operations: [Operation] = []

    /// The bytes of all keys and values, not counting the engine's overhead.
    package private(set) var byteCount = 0

    /// An empty batch with room for so many operations.
    package init(capacity: Int = 0) {
        operations.reserveCapacity(capacity)
    }

    /// The number of operations, repeated keys counted each time.
    package var count: Int { operations.count }

    /// True when writing the batch would change nothing.
    package var isEmpty: Bool { operations.isEmpty }

    /// Sets the value of a key; both may be empty.
    package mutating func put(_ key: [UInt8], _ value: [UInt8]) {
        operations.append(.put(key: key, value: value))
        byteCount += key.count + value.count
    }

    /// Removes a key.
    package mutating func delete(_ key: [UInt8]) {
        operations.append(.delete(key: key))
        byteCount += key.count
    }
}
