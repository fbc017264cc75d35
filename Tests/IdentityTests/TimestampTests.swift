// SPDX-License-Identifier: Apache-2.0

import Identity
import SwiftProtobuf
import Testing

@Suite struct TimestampTests {
    @Test("the text is that of protobuf JSON")
    func text() throws {
        var seconds: Int64 = -62_135_596_800
        // Steps that meet every month, leap years of all kinds and every hour.
        while seconds <= 253_402_300_799 {
            for nanoseconds in [0, 7, 45_000, 120_000_000, 999_999_999] as [Int32] {
                let time = Timestamp(seconds: seconds, nanoseconds: nanoseconds)
                let expected = try time.message.jsonString().dropFirst().dropLast()
                #expect(time.text == String(expected))
            }
            seconds += 86_400 * 399 + 12_347
        }
    }

    @Test("the first and last moments of a year, and what has no text")
    func edges() {
        #expect(Timestamp(seconds: -62_135_596_800).text == "0001-01-01T00:00:00Z")
        #expect(Timestamp(seconds: 253_402_300_799).text == "9999-12-31T23:59:59Z")
        #expect(Timestamp(seconds: 951_782_400).text == "2000-02-29T00:00:00Z")
        #expect(Timestamp(seconds: -1, nanoseconds: 500_000_000).text == "1969-12-31T23:59:59.500Z")
        #expect(Timestamp(seconds: 253_402_300_800).text == "253402300800")
        #expect(Timestamp(seconds: .min).text == "\(Int64.min)")
        #expect(Timestamp(seconds: 5, nanoseconds: -1).text == "5")
    }
}
