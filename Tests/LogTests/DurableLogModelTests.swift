// SPDX-License-Identifier: Apache-2.0

import Log
import Testing

@Suite("the durable log against a plain array")
struct DurableLogModelTests {
    @Test("random changes and crashes keep every promise", arguments: UInt64(0)..<8)
    func randomChanges(_ group: UInt64) throws {
        var crashCount = 0
        for seed in (group * 30)..<(group * 30 + 30) {
            do {
                var model = try DurableLogModel(seed: seed) { $0 }
                try model.run(steps: 40)
                crashCount += model.crashCount
            } catch {
                Issue.record("seed \(seed): \(error)")
            }
        }
        #expect(crashCount > 200)
    }

    @Test("the checker sees a planted bug", arguments: BuggyDisk.Bug.allCases)
    func plantedBugs(_ bug: BuggyDisk.Bug) {
        var caught = 0
        for seed in UInt64(0)..<200 where caught == 0 {
            do {
                var model = try DurableLogModel(seed: seed) { BuggyDisk(base: $0, bug: bug) }
                try model.run(steps: 40)
            } catch {
                caught += 1
            }
        }
        #expect(caught > 0, "\(bug) went unseen")
    }
}
