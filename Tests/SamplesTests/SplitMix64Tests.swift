// SPDX-License-Identifier: Apache-2.0

import Samples
import Testing

@Suite("seeded chance")
struct SplitMix64Tests {
    /// The first numbers of the reference implementation for this seed.
    @Test("the numbers are those of the reference implementation")
    func reference() {
        var random = SplitMix64(seed: 1_234_567)
        let expected: [UInt64] = [
            6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
            4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
        ]
        #expect(expected.map { _ in random.next() } == expected)
    }

    @Test(
        "a bounded number stays below its bound and reaches every value",
        arguments: [1, 2, 7, 100]
    )
    func bounded(bound: Int) {
        var random = SplitMix64(seed: 3)
        var seen = Array(repeating: 0, count: bound)
        for _ in 0..<2000 { seen[random.below(bound)] += 1 }
        #expect(!seen.contains(0))
        #expect(random.below(0) == 0)
    }
}
