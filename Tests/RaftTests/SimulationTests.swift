// SPDX-License-Identifier: Apache-2.0

import Foundation
import Raft
import Testing

/// Random worlds from fixed seeds; a failure prints its seed.
///
/// What no world sees takes a directed scenario: `dev/mutants.sh` plants the bugs of mutants/, and
/// docs/RAFT.md says which check sees which.
///
/// `BROKERFS_SEED=n` runs one world, `BROKERFS_WORLDS=n` so many more in each group, and
/// `BROKERFS_TELL_SEEDS=1` says each seed before its world begins, for what traps.
@Suite("simulation")
struct SimulationTests {
    private static let environment = ProcessInfo.processInfo.environment

    @Test("every promise holds in every world", arguments: UInt64(0)..<8)
    func worlds(group: UInt64) {
        if let seed = Self.environment["BROKERFS_SEED"].flatMap(UInt64.init) {
            if group == 0 { Self.run(seed) }
            return
        }
        let count = Self.environment["BROKERFS_WORLDS"].flatMap(UInt64.init) ?? Self.worldCount
        for seed in (group * 1_000_000)..<(group * 1_000_000 + count) { Self.run(seed) }
    }

    private static var worldCount: UInt64 {
        #if DEBUG
        12
        #else
        250
        #endif
    }

    private static func run(_ seed: UInt64) {
        if environment["BROKERFS_TELL_SEEDS"] != nil {
            FileHandle.standardError.write(Data("seed \(seed)\n".utf8))
        }
        var simulation = Simulation(seed: seed)
        do throws(Violation) {
            try simulation.run()
        } catch {
            let place = "seed \(seed), \(simulation.time) µs"
            Issue.record("\(place): \(error)\n\(simulation.summary)\n\(simulation.world)")
        }
    }
}
