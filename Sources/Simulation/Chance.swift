// SPDX-License-Identifier: Apache-2.0

import Log

/// Chance in the words of a simulation; everything follows from the seed.
extension SplitMix64 {
    /// A number below `bound`, which is above zero.
    mutating func number(below bound: UInt64) -> UInt64 { next() % bound }

    /// An index below `count`, which is above zero.
    mutating func index(below count: Int) -> Int { Int(next() % UInt64(count)) }

    /// True so many times in a hundred.
    mutating func chance(_ percent: Int) -> Bool { next() % 100 < UInt64(percent) }

    /// One of some values.
    mutating func pick<Value>(_ values: Value...) -> Value { values[index(below: values.count)] }

    /// One of some values; those named more often come more often.
    mutating func pick<Value>(of values: [Value]) -> Value { values[index(below: values.count)] }
}

/// Spans of simulated time, in nanoseconds.
enum Span {
    static let microsecond: UInt64 = 1000
    static let millisecond: UInt64 = 1_000_000
    static let second: UInt64 = 1_000_000_000
}
