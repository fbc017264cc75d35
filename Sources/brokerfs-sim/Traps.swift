// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Says which seeds were running when a precondition ends the process.
enum Traps {
    private static let jobsMax = 64

    // SAFETY: each slot is written by one job, and read when the process is about to end.
    nonisolated(unsafe) private static let seeds: UnsafeMutablePointer<UInt64> = {
        let slots = UnsafeMutablePointer<UInt64>.allocate(capacity: jobsMax)
        slots.initialize(repeating: .max, count: jobsMax)
        return slots
    }()

    static func install() {
        _ = seeds
        for number in [SIGILL, SIGTRAP, SIGABRT] {
            signal(number) { number in
                Traps.tell()
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }

    static func note(_ seed: UInt64, job: Int) {
        if job < jobsMax { seeds[job] = seed }
    }

    /// Writes without allocating, as a signal handler must.
    private static func tell() {
        for job in 0..<jobsMax where seeds[job] != .max {
            var text: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
            withUnsafeMutableBytes(of: &text) { bytes in
                var rest = seeds[job]
                var place = bytes.count - 1
                bytes[place] = 10
                repeat {
                    place -= 1
                    bytes[place] = UInt8(48 + rest % 10)
                    rest /= 10
                } while rest > 0
                _ = write(STDERR_FILENO, "trapped in seed ", 16)
                if let start = bytes.baseAddress {
                    _ = write(STDERR_FILENO, start + place, bytes.count - place)
                }
            }
        }
    }
}
