// SPDX-License-Identifier: Apache-2.0

import Foundation
import Identity
import Log
import Replica
import Store
import Testing

@testable import Simulation

/// Whole clusters from fixed seeds; thousands of others are run by dev/test.sh, in a release build.
///
/// `BROKERFS_SEED=n` runs one world, `BROKERFS_SCHEDULES=n` so many instead of the usual few dozen.
@Suite("clusters")
struct ClusterTests {
    private static let environment = ProcessInfo.processInfo.environment

    private static func profile(of seed: UInt64) -> Profile {
        seed.isMultiple(of: 2) ? .plain : .swarm
    }

    @Test("every promise holds in every world, and in none of them nothing happens")
    func worlds() throws {
        if let seed = Self.environment["BROKERFS_SEED"].flatMap(UInt64.init) {
            _ = try Self.run(seed)
            return
        }
        let count = Self.environment["BROKERFS_SCHEDULES"].flatMap(UInt64.init) ?? 24
        var all = Statistics()
        for seed in 0..<count {
            let one = try Self.run(seed)
            #expect(one.leaders > 0 && one.events > 100, "seed \(seed)")
            all.add(one)
        }
        guard count >= 24 else { return }
        for kind in FaultKind.allCases {
            #expect(all.counts["fault: \(kind)"] ?? 0 > 0, "\(kind)")
        }
        for what in Self.wanted { #expect(all.counts[what] ?? 0 > 0, "\(what)") }
        #expect(all.schedules == count)
        #expect(all.revocations > 100)
        #expect(all.operations > 100)
        #expect(all.states.count > 100)
    }

    /// What a world is for: if none of it happens any more, the checkers look at nothing.
    private static let wanted = [
        "access: stat", "access: cat", "access: hold", "access: readHeld", "access: list",
        "access: nothing there", "access refused", "restart", "snapshot sent",
        "snapshot installed", "stopped by a broken disk", "message replayed", "message forged",
        "crash behind a vote", "asked again", "message on a slow link",
    ]

    private static func run(_ seed: UInt64) throws -> Statistics {
        var cluster = try Cluster(seed: seed, profile: profile(of: seed))
        do {
            try cluster.run()
        } catch {
            Issue.record("seed \(seed) (\(profile(of: seed))): \(error)")
        }
        return cluster.statistics
    }

    @Test("what is asked for again is done once, and told again", arguments: [73, 109] as [UInt64])
    func remembered(seed: UInt64) throws {
        let counts = try Self.run(seed).counts
        #expect(counts["outcome remembered"] ?? 0 > 0)
        #expect(counts["outcome told again"] ?? 0 > 0)
    }

    @Test("the same seed and plan give the same run, line by line", arguments: UInt64(100)..<106)
    func deterministic(seed: UInt64) throws {
        let (diary, statistics) = try Self.tell(seed)
        let (again, same) = try Self.tell(seed)
        #expect(diary.count > 100)
        #expect(diary == again)
        #expect(statistics.report(seconds: 0) == same.report(seconds: 0))
        #expect(statistics.states == same.states)
    }

    @Test("another seed gives another run")
    func different() throws {
        #expect(try Self.tell(100).0 != Self.tell(102).0)
    }

    @Test("nobody's looking changes what happens")
    func observed() throws {
        var silent = try Cluster(seed: 101, profile: .swarm)
        try silent.run()
        #expect(try Self.tell(101).1.report(seconds: 0) == silent.statistics.report(seconds: 0))
    }

    private static func tell(_ seed: UInt64) throws -> ([String], Statistics) {
        var cluster = try Cluster(seed: seed, profile: profile(of: seed))
        cluster.diary = []
        try cluster.run()
        return (cluster.diary ?? [], cluster.statistics)
    }

    @Test("full disks refuse changes until somebody makes room", arguments: UInt64(7)..<10)
    func full(seed: UInt64) throws {
        let span = Span.millisecond
        var items = (0..<1000).map { number in
            let wish = Wish.create(session: number % 24)
            return PlanItem(at: UInt64(number) * 2 * span, step: .request(client: 0, wish))
        }
        for node in 0..<3 {
            let step = PlanStep.fault(.diskFull, .node(node), length: 300 * span, dice: 0)
            items.append(PlanItem(at: 600 * span, step: step))
        }
        var cluster = try Cluster(seed: seed, profile: .plain, plan: Plan(items))
        try cluster.run()
        #expect(cluster.statistics.counts["write without room"] ?? 0 > 0)
        #expect(cluster.statistics.counts["change refused for want of room"] ?? 0 > 0)
        let later = cluster.clients.operations.values.filter { operation in
            guard case .done? = operation.answer, let at = operation.returnedAt else {
                return false
            }
            return operation.calledAt > 1000 * span && at < cluster.options.duration
        }
        #expect(!later.isEmpty)
    }

    @Test("a plan is cut down to what it takes")
    func shrinks() throws {
        // A step or two more may stay, without which chance would take another turn; not always.
        #expect(try (4..<8).contains { seed in try isCutDown(seed: seed) })
    }

    /// Whether no more is left than it takes; what may never be left is an issue.
    private func isCutDown(seed: UInt64) throws -> Bool {
        // What is looked for here is no fault: that somebody reads what is in a session.
        let isRead = { (items: [PlanItem]) in
            guard var cluster = try? Cluster(seed: seed, profile: .plain, plan: Plan(items)),
                (try? cluster.run()) != nil
            else { return false }
            return cluster.statistics.counts["access: cat"] ?? 0 > 0
        }
        let plan = Plan(WorldOptions(.plain, seed: seed), seed: seed)
        let shrunk = try #require(Shrinker(runsMax: 300).shrink(plan.items, fails: isRead))
        #expect(shrunk.isMinimal)
        #expect(plan.items.count > 100)
        // Nobody has to die for it: somebody makes it, and somebody looks.
        var made: [Int] = []
        var looked: [Int] = []
        for item in shrunk.items {
            switch item.step {
            case .request(_, .create(let session)): made.append(session)
            case .access(_, .cat, let session): looked.append(session)
            case .fault: Issue.record("\(item) is superfluous")
            default: break
            }
        }
        return shrunk.items.count <= 6 && looked.contains { made.contains($0) }
    }
}
