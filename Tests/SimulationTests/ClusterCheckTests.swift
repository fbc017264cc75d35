// SPDX-License-Identifier: Apache-2.0

import Identity
import Log
import Raft
import Replica
import Store
import Testing

@testable import Simulation

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

    @Test("two nodes that take changes at the same time")
    mutating func writers() throws {
        let leader = try #require(cluster.leader)
        for node in cluster.nodes.indices { try cluster.checkWriters(node) }
        let other = (leader + 1) % cluster.nodes.count
        cluster.nodes[other].replica = cluster.nodes[leader].replica
        let told = message { try cluster.checkWriters(leader) }
        #expect(told == "nodes \(leader + 1) and \(other + 1) take changes at the same time")
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

    @Test("a node that never answers what it has taken")
    mutating func unanswered() throws {
        let node = try #require(cluster.leader)
        let id = cluster.clients.call(.revoke(session: 0), client: 0, node: node, at: cluster.time)
        // Of a run that is over nobody expects an answer.
        cluster.clients.noteTaken(id, by: node, run: cluster.nodes[node].run + 1, at: 0)
        #expect(message { try cluster.checkEnd() } == "nothing")
        cluster.clients.noteTaken(id, by: node, run: cluster.nodes[node].run, at: 0)
        let told = message { try cluster.checkEnd() }
        #expect(told == "node \(node + 1) never answers revoke(session: 0)")
    }

    @Test("a node that answers twice, and one that has more waiting than it was asked")
    mutating func answers() throws {
        let node = try #require(cluster.leader)
        cluster.ask(.create(session: 0), client: 0, node: node)
        // The request is on its way; when it is there, it is taken for answered.
        let before = cluster.nodes[node].replica.pendingCount
        while cluster.nodes[node].replica.pendingCount == before {
            try cluster.run(until: cluster.time + 10 * Span.microsecond)
        }
        let last = try #require(cluster.clients.operations.keys.max { $0.rawValue < $1.rawValue })
        try cluster.clients.noteAnswered(last)
        #expect(message { try cluster.clients.noteAnswered(last) }.hasSuffix("is answered twice"))
        let told = message { try cluster.check(node) }
        #expect(told.contains("requests waiting, of 0 that it was asked"), "\(told)")
    }

    @Test("events that multiply")
    mutating func flood() {
        cluster.statistics.events = 399_900
        for _ in 0..<200 { cluster.schedule(.heal([]), in: 1) }
        let told = message { try cluster.run(until: cluster.time + 1) }
        #expect(told == "a flood of events")
    }

    @Test("a node that never lets go of what it has applied")
    func hoarder() throws {
        let items = (0..<200).map { number in
            let step = PlanStep.request(client: 0, .create(session: number % 24))
            return PlanItem(at: UInt64(500 + number) * Span.millisecond, step: step)
        }
        var cluster = try Cluster(seed: 6, profile: .plain, plan: Plan(items))
        let node = cluster.nodes[1]
        var limits = cluster.options.limits
        limits.retainedBytesMax = 1 << 20
        node.replica = Replica(
            node.replica.store,
            member: node.id,
            recovery: node.recovery,
            options: cluster.options.raft,
            limits: limits,
            seed: 1,
            now: node.clock.monotonic(at: 0)
        )
        node.replica.journal = []
        let told = message { try cluster.run() }
        #expect(told.hasPrefix("2 holds "), "\(told)")
    }
}
