// SPDX-License-Identifier: Apache-2.0

import Testing

/// Every message that has the right form, in any order, from peers that contradict each other.
///
/// What a group agrees on is out of reach here. What is left: the member never traps, never takes
/// back what it knows, and says nothing that its disk does not hold.
@Suite("fuzz")
struct FuzzTests {
    @Test("whatever is said to a member, it keeps its own promises", arguments: UInt64(0)..<8)
    func anything(group: UInt64) {
        var seen = Fuzz.Seen()
        for seed in (group * 1_000_000)..<(group * 1_000_000 + Self.memberCount) {
            var fuzz = Fuzz(seed: seed)
            do throws(Violation) {
                try fuzz.run(steps: 400)
            } catch {
                Issue.record("seed \(seed), step \(fuzz.steps): \(error)")
            }
            seen.add(fuzz.seen)
        }
        // It would be worth little if it never came that far.
        #expect(seen.leaderships > 0)
        #expect(seen.truncations > 0)
        #expect(seen.snapshots > 0)
        #expect(seen.stops > 0)
    }

    private static var memberCount: UInt64 {
        #if DEBUG
        40
        #else
        400
        #endif
    }
}
