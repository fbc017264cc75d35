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
        "crash behind a vote", "asked again",
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

    @Test("what is asked for again is done once, and told again", arguments: [51, 75] as [UInt64])
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

/// What a cluster looks at by itself sees what is wrong.
@Suite("checks of a cluster")
struct ClusterCheckTests {
    private var cluster: Cluster

    /// A world in which nothing goes wrong, after its end.
    init() throws {
        let options = WorldOptions(.plain, seed: 6)
        let peaceful = Plan(options, seed: 6).items.filter { item in
            if case .fault = item.step { false } else { true }
        }
        cluster = try Cluster(seed: 6, profile: .plain, plan: Plan(peaceful))
        try cluster.run()
    }

    private func message(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "nothing"
        } catch {
            return "\(error)"
        }
    }

    @Test("as it is, nothing is wrong")
    mutating func clean() throws {
        try cluster.checkEnd()
        #expect(cluster.revocations.sessions.count > 3)
        #expect(cluster.digests.count > 3)
    }

    @Test("states that differ at the same place in the log")
    mutating func digests() throws {
        for node in 0..<3 { try cluster.compareDigest(node) }
        var batch = WriteBatch(capacity: 1)
        batch.put([0x7A, 1], [1])
        try cluster.nodes[1].replica.store.base.write(batch)
        #expect(message { try cluster.compareDigest(1) }.contains("node 2 has another state at"))
    }

    @Test("a group in which nothing moves any more")
    mutating func liveness() throws {
        for from in cluster.nodes.indices {
            for to in cluster.nodes.indices { cluster.cuts[.init(from: from, to: to)] = 1 }
        }
        let told = message { try cluster.checkEnd() }
        #expect(told.hasPrefix("nothing moves in a quiet network"), "\(told)")
    }

    @Test("a session that was revoked, and that a state still has")
    mutating func forgotten() throws {
        let session = cluster.options.sessions
        for node in 0..<3 { try cluster.checkFreshness(node) }
        cluster.revocations.acknowledged(session, on: 0, at: cluster.time)
        // Whoever vouches for a later moment says so at once; without that, the end does.
        let told = message { try cluster.run(until: cluster.time + Span.second) }
        #expect(told.contains("vouches for a moment after s\(session) was revoked"), "\(told)")
        let late = message { try cluster.checkRevoked(0) }
        #expect(late == "s\(session) was revoked, and node 1 does not know it")
    }

    @Test("a client that is told what never was")
    mutating func history() throws {
        let id = cluster.clients.call(
            .readIndex(session: 0),
            client: 0,
            node: 0,
            at: cluster.time
        )
        _ = cluster.clients.receive(.read(.live(9_999_999)), to: id, at: cluster.time + 1)
        #expect(message { try cluster.checkHistories() }.hasPrefix("s0: "))
    }

    @Test("a change that happened twice, and was told of twice")
    mutating func twice() throws {
        let id = cluster.clients.call(.revoke(session: 0), client: 0, node: 0, at: cluster.time)
        _ = try cluster.clients.noteOutcome(.success(Applied(recordVersion: 9, count: 1)), of: id)
        let wasWaiting = cluster.clients.timeOut(id)
        #expect(wasWaiting)
        let call = cluster.clients.callAgain(id, node: 1)
        let again = try #require(call)
        let other = Applied(recordVersion: 9, count: 0)
        let told = message { _ = try cluster.clients.noteOutcome(.success(other), of: again) }
        #expect(told.hasPrefix("revoke(session: 0) is answered by"), "\(told)")
    }

    @Test("a node that stops though nobody has broken its disk")
    mutating func stopped() throws {
        let leader = try #require(cluster.leader)
        cluster.nodes[leader].disk.fail(.init(.syncData, errno: 5))
        cluster.ask(.create(session: 0), client: 0, node: leader)
        let told = message { try cluster.run(until: cluster.time + Span.second) }
        #expect(told.hasPrefix("node \(leader + 1) stopped"), "\(told)")
    }

    @Test("a node that does not start again")
    mutating func unstartable() throws {
        try cluster.crash(1, isPowerCut: false, restartIn: 1000)
        try cluster.nodes[1].disk.remove("/log/member")
        let told = message { try cluster.run(until: cluster.time + Span.second) }
        #expect(told.hasPrefix("node 2 does not start again"), "\(told)")
    }
}
