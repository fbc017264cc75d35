// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Identity

/// The two clocks of the machine room; nobody below reads one.
package enum Clock {
    /// Nanoseconds that go on through suspend and never jump (CLOCK_BOOTTIME, clock_gettime(2)).
    package static func monotonicNanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// The wall clock, for stamps that people read and for expiry.
    package static func wall() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(seconds: Int64(time.tv_sec), nanoseconds: Int32(time.tv_nsec))
    }
}
