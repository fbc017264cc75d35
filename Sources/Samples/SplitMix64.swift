// SPDX-License-Identifier: Apache-2.0

/// The one source of chance of this room: a seeded generator of 64-bit numbers.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
/// INVARIANT: the same state gives the same numbers on every machine and with every compiler;
/// that is why ``below(_:)`` is used and not the standard library's `random(in:using:)`.
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Starts the sequence that belongs to `seed`.
    package init(seed: UInt64) {
        state = seed
    }

    /// The next 64 bits.
    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mix(state)
    }

    /// A number from 0 to `bound` - 1; 0 for a bound below 2.
    ///
    /// The bias is below `bound` / 2^64, too small to see in sample data.
    package mutating func below(_ bound: Int) -> Int {
        guard bound > 1 else { return 0 }
        return Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// One of the elements; the array must not be empty.
    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[below(elements.count)]
    }

    /// True in `percent` of 100 cases.
    mutating func chance(percent: Int) -> Bool {
        below(100) < percent
    }

    /// Scrambles a number so that no two numbers give the same result.
    static func mix(_ number: UInt64) -> UInt64 {
        var mixed = number
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Where a sample's chance comes from: each sample has its own, found from its number alone.
///
/// INVARIANT: within one seed and kind no two indexes share a ``unique`` number. It goes into
/// the ids, so ids never collide and nothing has to remember which were given.
struct SampleSource {
    enum Kind: UInt64 {
        case group = 1
        case user, directoryUser, serviceAccount, session, context, membership
    }

    let unique: UInt64
    var random: SplitMix64

    init(seed: UInt64, kind: Kind, index: Int) {
        let stream = SplitMix64.mix(seed &+ kind.rawValue &* 0xD1B5_4A32_D192_ED03)
        unique = SplitMix64.mix(stream &+ UInt64(index))
        random = SplitMix64(seed: unique)
    }

    /// A UUID of version 4 (RFC 9562) that holds the unique number.
    mutating func uuid() -> String {
        let more = random.next()
        let digits = Hexadecimal.digits(unique, count: 16) + Hexadecimal.digits(more, count: 16)
        var text: [UInt8] = []
        text.reserveCapacity(36)
        text += digits[0..<8] + [UInt8(ascii: "-")]
        text += digits[8..<12] + [UInt8(ascii: "-"), UInt8(ascii: "4")]
        text += digits[16..<19] + [UInt8(ascii: "-"), UInt8(ascii: "a")]
        text += digits[19..<22] + [UInt8(ascii: "-")]
        text += digits[12..<16] + digits[22..<30]
        return String(decoding: text, as: UTF8.self)
    }

    /// The unique number as 16 hexadecimal digits.
    var uniqueHex: String {
        String(decoding: Hexadecimal.digits(unique, count: 16), as: UTF8.self)
    }

    /// Random hexadecimal digits, at most 16.
    mutating func hex(digits count: Int) -> String {
        String(decoding: Hexadecimal.digits(random.next(), count: count), as: UTF8.self)
    }
}

/// Lower-case hexadecimal of fixed width.
enum Hexadecimal {
    private static let alphabet = Array("0123456789abcdef".utf8)

    /// The `count` (at most 16) highest digits of a number.
    static func digits(_ number: UInt64, count: Int) -> [UInt8] {
        (0..<count).map { alphabet[Int(number >> UInt64(60 - 4 * $0) & 15)] }
    }
}
