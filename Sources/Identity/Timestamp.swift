// SPDX-License-Identifier: Apache-2.0

package import SwiftProtobuf

/// A point in time on the leader's wall clock; nanoseconds since the Unix epoch.
///
/// Quiet rooms never read a clock: every timestamp they hold came with an event or a record.
package struct Timestamp: Hashable, Comparable, Sendable {
    /// Whole seconds since 1970-01-01T00:00:00Z.
    package var seconds: Int64
    /// 0 to 999 999 999.
    package var nanoseconds: Int32

    /// Makes a timestamp from its two parts.
    package init(seconds: Int64, nanoseconds: Int32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// The Unix epoch.
    package static let epoch = Timestamp(seconds: 0)

    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }

    /// The same instant, `seconds` later; saturates instead of overflowing.
    package func adding(seconds more: Int64) -> Timestamp {
        let (sum, overflow) = seconds.addingReportingOverflow(more)
        return Timestamp(
            seconds: overflow ? (more < 0 ? .min : .max) : sum,
            nanoseconds: nanoseconds
        )
    }

    /// The same instant, `more` seconds and `fraction` (below a second) later.
    package func adding(seconds more: Int64, nanoseconds fraction: Int32) -> Timestamp {
        let sum = Int64(nanoseconds) + Int64(fraction)
        let carry: Int64 = sum >= 1_000_000_000 ? 1 : sum < 0 ? -1 : 0
        var later = adding(seconds: more).adding(seconds: carry)
        later.nanoseconds = Int32(sum - carry * 1_000_000_000)
        return later
    }

    /// Reads the protobuf form.
    package init(_ message: Google_Protobuf_Timestamp) {
        self.init(seconds: message.seconds, nanoseconds: message.nanos)
    }

    /// The protobuf form.
    package var message: Google_Protobuf_Timestamp {
        .with {
            $0.seconds = seconds
            $0.nanos = nanoseconds
        }
    }

    /// RFC 3339 in UTC, as protobuf JSON writes it; outside of the years 1 to 9999 the seconds.
    package var text: String {
        guard (-62_135_596_800...253_402_300_799).contains(seconds),
            (0..<1_000_000_000).contains(nanoseconds)
        else { return "\(seconds)" }
        let (day, second) = Self.divided(seconds, by: 86_400)
        let date = Self.date(ofDay: day)
        var text: [UInt8] = []
        text.reserveCapacity(30)
        Self.append(date.year, digits: 4, to: &text)
        for (separator, value) in [
            ("-", date.month), ("-", date.day), ("T", second / 3600), (":", second / 60 % 60),
            (":", second % 60),
        ] as [(Unicode.Scalar, Int64)] {
            text.append(UInt8(ascii: separator))
            Self.append(value, digits: 2, to: &text)
        }
        appendFraction(to: &text)
        text.append(UInt8(ascii: "Z"))
        return String(decoding: text, as: UTF8.self)
    }

    /// None, three, six or nine digits, whatever shows all of it.
    private func appendFraction(to text: inout [UInt8]) {
        guard nanoseconds != 0 else { return }
        text.append(UInt8(ascii: "."))
        var (value, digits) = (Int64(nanoseconds), 9)
        while value % 1000 == 0 { (value, digits) = (value / 1000, digits - 3) }
        Self.append(value, digits: digits, to: &text)
    }

    private static func append(_ value: Int64, digits: Int, to text: inout [UInt8]) {
        var divisor: Int64 = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            text.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
            divisor /= 10
        }
    }

    /// The quotient rounded down, and what is left.
    private static func divided(_ value: Int64, by divisor: Int64) -> (Int64, Int64) {
        let (quotient, rest) = value.quotientAndRemainder(dividingBy: divisor)
        return rest < 0 ? (quotient - 1, rest + divisor) : (quotient, rest)
    }

    /// The Gregorian date of a day since 1970-01-01, counted in years that begin in March.
    private static func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = divided(day + 719_468, by: 146_097)
        let leaps = dayOfEra / 1460 - dayOfEra / 36_524 + dayOfEra / 146_096
        let yearOfEra = (dayOfEra - leaps) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    }
}
