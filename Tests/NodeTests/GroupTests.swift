// SPDX-License-Identifier: Apache-2.0

import FSMap
import Foundation
import GroupHarness
import Identity
import Log
import Node
import Raft
import Replica
import Testing

/// Three nodes in one process: who leads, what is promised, and how they go on.
@Suite("a group of nodes", .serialized)
struct GroupTests {
    @Test("one node takes changes, the others show them")
    func replicates() throws {
        let group = try MemoryGroup()
        defer { group.end() }
        try group.put("s1")
        for node in group.nodes.values {
            try #require(group.holds { group.shows(node, "s1") })
        }
        let leader = try #require(group.leader())
        #expect(group.nodes.values.count { $0.isWritable } == 1)
        let name = leader.configuration.name
        try #require(
            group.holds { group.nodes.values.allSatisfy { $0.cluster.leader == name } }
        )
    }

    @Test("another leads when the leader is cut off, and nothing acknowledged is lost")
    func failsOver() throws {
        let group = try MemoryGroup()
        defer { group.end() }
        try group.put("s1")
        let old = try #require(group.leader())
        group.network.isolate(old.configuration.member)
        let new = try #require(group.leader(besides: old.configuration.member))
        #expect(group.shows(new, "s1"))
        try #require(group.holds { !old.isWritable })
        let refusal = old.proposeAndWait(try MemoryGroup.write("s2"))
        #expect(throws: ProposalError.self) { try refusal.get() }
        _ = try new.proposeAndWait(MemoryGroup.write("s3")).get()
        group.network.heal()
        try #require(group.holds { group.shows(old, "s3") })
        #expect(!group.shows(old, "s2"))
    }

    @Test("a change asked for at a follower is carried out by the leader, and shown here")
    func forwards() throws {
        let group = try MemoryGroup()
        defer { group.end() }
        try group.put("s1")
        let leader = try #require(group.leader())
        let follower = try #require(group.nodes.values.first { $0 !== leader })
        let answer = Waiting<Result<Applied, ProposalError>>()
        follower.proposeAnywhere(try MemoryGroup.write("s2")) { answer.set($0) }
        _ = try answer.wait().get()
        #expect(group.shows(follower, "s2"))
    }

    @Test("a follower that hears nothing vouches for nothing after the bound")
    func growsStale() throws {
        let group = try MemoryGroup { $0.stalenessMaxNanoseconds = 300_000_000 }
        defer { group.end() }
        try group.put("s1")
        let leader = try #require(group.leader())
        let follower = try #require(group.nodes.values.first { $0 !== leader })
        func mayShow() -> Bool { follower.mayShow(now: follower.monotonicNanoseconds()) }
        try #require(group.holds { mayShow() })
        group.network.isolate(follower.configuration.member)
        try #require(group.holds { !mayShow() })
        group.network.heal()
        try #require(group.holds { mayShow() })
    }

    @Test("a member far behind gets a copy of the state, and keeps it over a restart")
    func installsSnapshots() throws {
        let group = try MemoryGroup {
            $0.flushBytes = 4_096
            $0.replica.retainedBytesMax = 4_096
            $0.log = LogLimits(segmentSizeBytes: 65_536, payloadSizeBytesMax: 32_768)
            $0.replica.commandBytesMax = 16_384
        }
        defer { group.end() }
        try group.put("s0")
        let leader = try #require(group.leader())
        let behind = try #require(group.nodes.keys.first { $0 != leader.configuration.member })
        group.stop(behind)
        for number in 1...800 { try group.put("s\(number)") }
        try group.start(behind)
        let node = try #require(group.nodes[behind])
        try #require(group.holds(seconds: 60) { group.shows(node, "s800") })
        #expect(group.shows(node, "s0"))
        let names = try FileManager.default.contentsOfDirectory(
            atPath: node.configuration.dataDirectory
        )
        #expect(names.contains("state.current"))
        group.stop(behind)
        try group.start(behind)
        let again = try #require(group.nodes[behind])
        try #require(group.holds { group.shows(again, "s800") })
    }

    @Test("a follower that comes back to a group in which nothing happens shows what it has")
    func comesBackIdle() throws {
        let group = try MemoryGroup()
        defer { group.end() }
        try group.put("s1")
        let leader = try #require(group.leader())
        let follower = try #require(group.nodes.keys.first { $0 != leader.configuration.member })
        let last = leader.view().cluster.applied
        let shows = { () -> Bool in
            guard let node = group.nodes[follower] else { return false }
            return node.mayShow(now: node.monotonicNanoseconds())
        }
        try #require(
            group.holds { shows() && group.nodes[follower]?.view().cluster.applied == last }
        )
        group.stop(follower)
        try group.start(follower)
        try #require(group.holds { shows() })
        // Nothing has been written meanwhile that could have helped.
        #expect(leader.view().cluster.applied == last)
    }

    @Test("the leadership is handed over before a node ends")
    func handsOver() throws {
        let group = try MemoryGroup()
        defer { group.end() }
        try group.put("s1")
        let leader = try #require(group.leader())
        leader.handOver()
        #expect(!leader.isWritable)
        let next = try #require(group.leader(besides: leader.configuration.member))
        _ = try next.proposeAndWait(MemoryGroup.write("s2")).get()
    }
}

/// A value one thread waits for.
private final class Waiting<Value: Sendable>: @unchecked Sendable {
    // SAFETY: set once before the signal, read after it.
    private var value: Value?
    private let arrival = DispatchSemaphore(value: 0)

    func set(_ value: Value) {
        self.value = value
        arrival.signal()
    }

    func wait() throws -> Value {
        #expect(arrival.wait(timeout: .now() + 30) == .success)
        return try #require(value)
    }
}
