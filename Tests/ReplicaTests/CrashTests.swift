// SPDX-License-Identifier: Apache-2.0

import Identity
import Log
import Replica
import Store
import Testing

/// Crashes at any moment: what was acknowledged is there, what was revoked stays away.
@Suite struct CrashTests {
    @Test("nothing acknowledged is lost and nothing revoked comes back", arguments: 0..<250)
    func crashes(seed: Int) throws {
        var world = try CrashWorld(seed: UInt64(seed))
        for _ in 0..<6 {
            try world.run(steps: 40)
            try world.crashAndRecover()
            try world.check()
        }
    }

    @Test("the checker catches a replica that answers before its entry is durable")
    func plantedEarlyAnswer() {
        #expect(seedsCaught(with: .answerBeforeSync) > 0)
    }

    @Test("the checker catches a revocation that leaves no trace in the log")
    func plantedLostRevocation() {
        #expect(seedsCaught(with: .forgetRevocations) > 0)
    }

    /// In how many of 30 worlds the checker finds the planted bug.
    private func seedsCaught(with plant: Plant) -> Int {
        (0..<30).count { seed in
            do {
                var world = try CrashWorld(seed: UInt64(seed), plant: plant)
                for _ in 0..<6 {
                    try world.run(steps: 40)
                    try world.crashAndRecover()
                    try world.check()
                }
                return false
            } catch {
                return true
            }
        }
    }
}
