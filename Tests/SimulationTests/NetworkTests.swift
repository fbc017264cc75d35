// SPDX-License-Identifier: Apache-2.0

import Log
import Testing

@testable import Simulation

/// What the network does that is not in the plan of every world.
@Suite("network of a cluster")
struct NetworkTests {
    /// A world in which nothing happens but these faults; a leader is found before.
    private func world(_ faults: [PlanStep], at time: UInt64) throws -> Cluster {
        let items = faults.map { PlanItem(at: time, step: $0) }
        var cluster = try Cluster(seed: 6, profile: .plain, plan: Plan(items))
        try cluster.run(until: time + Span.millisecond)
        return cluster
    }

    @Test("a link is slow one way or both, for a while", arguments: [1, 2])
    func slow(directions: Int) throws {
        let (start, length) = (800 * Span.millisecond, 150 * Span.millisecond)
        // The highest lag there is: three election timeouts.
        let dice: UInt64 = 11 << 16 | (directions == 2 ? 1 << 8 : 0)
        let other = Int(dice % 3)
        let node = (other + 1) % 3
        let fault = PlanStep.fault(.slowLink, .node(node), length: length, dice: dice)
        var cluster = try world([fault], at: start)
        #expect(cluster.lags.count == directions)
        #expect(cluster.lags[.init(from: node, to: other)] == [300 * Span.millisecond])
        #expect(cluster.statistics.counts["fault: slowLink"] == 1)
        try cluster.run(until: start + length + Span.millisecond)
        #expect(cluster.lags.isEmpty)
        #expect(cluster.statistics.counts["message on a slow link"] ?? 0 > 0)
        try cluster.heal()
        try cluster.checkEnd()
    }

    @Test("of two reasons to be slow the worse counts, and each ends by itself")
    func twice() throws {
        let start = 800 * Span.millisecond
        // To node 1, one way: 200 ms for a short while, 50 ms for longer.
        var faults: [PlanStep] = []
        for (quarters, milliseconds) in [(2, 100), (8, 50)] as [(UInt64, UInt64)] {
            let high = (quarters - 1) << 16
            let dice = high + 3 - high % 3
            let length = milliseconds * Span.millisecond
            faults.append(.fault(.slowLink, .node(1), length: length, dice: dice))
        }
        var cluster = try world(faults, at: start)
        let link = Cluster.Link(from: 1, to: 0)
        let both = cluster.lag(on: link)
        #expect(both == 200 * Span.millisecond)
        try cluster.run(until: start + 60 * Span.millisecond)
        let one = cluster.lag(on: link)
        #expect(one == 50 * Span.millisecond)
        try cluster.run(until: start + 110 * Span.millisecond)
        let none = cluster.lag(on: link)
        #expect(none == 0)
    }

    @Test("the adversary says all that somebody could have said")
    func adversary() throws {
        var counts: [String: Int] = [:]
        let kinds = [
            "append", "heartbeat", "pre-vote", "vote request", "refusal", "vote again",
            "stale term", "rejection", "less of it", "to somebody else",
        ].map { "forged: \($0)" }
        let wanted = kinds + ["message replayed", "snapshot replayed"]
        // Swarm worlds with an adversary, most have none; as many as it takes for the rare things.
        for seed in UInt64(1)..<400 where !wanted.allSatisfy({ counts[$0] ?? 0 > 0 }) {
            let options = WorldOptions(.swarm, seed: seed)
            guard options.forgeryPercent > 0, options.replayPercent > 0 else { continue }
            var cluster = try Cluster(seed: seed, profile: .swarm)
            try cluster.run()
            counts.merge(cluster.statistics.counts, uniquingKeysWith: +)
        }
        for what in wanted { #expect(counts[what] ?? 0 > 0, "\(what)") }
    }
}
