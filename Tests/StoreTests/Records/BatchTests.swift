// SPDX-License-Identifier: Apache-2.0

import Identity
import Testing

@testable import Store

/// Replicas put the same entries into different batches, and stop between the steps of a large
/// revocation at different places: the state has to be the same whenever an entry is complete.
@Suite("batches of commands")
struct BatchTests {
    private struct Table: Equatable {
        var rows: [[UInt8]] = []

        init(_ base: any KeyValueReader) throws {
            var rows: [[UInt8]] = []
            try base.scan(from: [], below: [0xFF, 0xFF]) { key, value in
                rows.append((0..<key.count).map { key[$0] } + (0..<value.count).map { value[$0] })
                return true
            }
            self.rows = rows
        }
    }

    /// What the state is at every index where one command after the other is applied.
    private func oneByOne(_ placed: [RecordStore.Placed], _ limits: StoreLimits) throws -> [Table] {
        var tables: [Table] = []
        try RecordRig.with(.memory) { rig in
            var store = try RecordStore(rig.store.base, limits: limits)
            for entry in placed {
                while try !store.apply(entry).isComplete {}
                tables.append(try Table(store.base))
            }
        }
        return tables
    }

    @Test("do what the commands do one by one", arguments: 0..<20)
    func batches(block: Int) throws {
        for seed in UInt64(block * 20)..<UInt64(block * 20 + 20) {
            var random = RandomCommands(seed: seed)
            var placed: [RecordStore.Placed] = []
            for index in 1...40 as ClosedRange<UInt64> {
                placed.append(.init(try random.next(), at: .init(term: 1, index: index)))
            }
            let limits = StoreLimits(revokedTogetherMax: random.pick([1, 2, 10_000]))
            let tables = try oneByOne(placed, limits)
            try RecordRig.with(.memory) { rig in
                var store = try RecordStore(rig.store.base, limits: limits)
                var done = 0
                while done < placed.count {
                    let batch = placed[done...].prefix(1 + random.below(9))
                    let prepared = try store.prepare(Array(batch))
                    try store.commit(prepared)
                    done += prepared.outcomes.count { $0.isComplete }
                    // A restart in between forgets what is only in memory.
                    if random.below(4) == 0 { store = try RecordStore(store.base, limits: limits) }
                    guard prepared.outcomes.last?.isComplete == true else { continue }
                    #expect(
                        try Table(store.base) == tables[done - 1],
                        "seed \(seed), index \(done)"
                    )
                }
            }
        }
    }
}
