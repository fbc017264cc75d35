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
        guard let quoted = try? message.jsonString() else { return "\(seconds)" }
        return String(quoted.dropFirst().dropLast())
    }
}
