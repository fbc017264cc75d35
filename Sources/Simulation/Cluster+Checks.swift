// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Log
import Raft
import Replica
import Store

/// What must be true at every moment, and what once everything is healed.
extension Cluster {
    /// After every step of a node.
    mutating func check(_ node: Int) throws {
        try takeJournal(node)
        let asked = clients.changesTaken(by: node, run: nodes[node].run)
        try bounds.check(
            pendingCount: nodes[node].replica.pendingCount,
            asked: asked + nodes[node].changesAsked,
            by: nodes[node].id
        )
        try checkWriters(node)
    }

    /// Two nodes never take changes at one moment, each by its own clock, one that sleeps included.
    ///
    /// Where firewalls make others take a living leader for dead, a lease is worth nothing.
    func checkWriters(_ node: Int) throws {
        let takesChanges = { nodes[$0].replica.role == .leader && isWritable($0) }
        guard !options.firewallsLie, takesChanges(node),
            let other = nodes.indices.first(where: {
                $0 != node && nodes[$0].isUp && takesChanges($0)
            })
        else { return }
        throw Violation("nodes \(node + 1) and \(other + 1) take changes at the same time")
    }

    mutating func noteRole(_ change: RoleChange, _ node: Int) throws {
        noteState()
        note("node \(node + 1) becomes \(change.role) in term \(change.term): \(change.cause)")
        if change.role == .candidate {
            nodes[node].isTransferCampaign = change.cause == .transferRequested
        }
        tempt(change)
        guard change.role == .leader else { return }
        statistics.leaders += 1
        try raft.noteLeader(nodes[node].replica.observation)
    }

    /// A hash of how the group stands, with terms and indexes counted from the lowest.
    private mutating func noteState() {
        let terms = nodes.map(\.replica.term).min() ?? 0
        let indexes = nodes.map(\.replica.commitIndex).min() ?? 0
        var hash: UInt64 = 14_695_981_039_346_656_037
        func mix(_ value: UInt64) { hash = (hash ^ value) &* 1_099_511_628_211 }
        for node in nodes {
            mix(node.isUp ? 1 : 0)
            mix(UInt64(truncatingIfNeeded: Self.number(node.replica.role)))
            mix(node.replica.term - terms)
            mix(min(16, node.replica.commitIndex - indexes))
            mix(min(16, node.replica.lastIndex - node.replica.commitIndex))
            mix(UInt64(node.replica.configuration.voters.count))
            mix(node.mount.gate.isOpen ? 1 : 0)
        }
        for link in cuts.keys.sorted(by: { ($0.from, $0.to) < ($1.from, $1.to) }) {
            mix(UInt64(link.from * 8 + link.to))
        }
        for link in lags.keys.sorted(by: { ($0.from, $0.to) < ($1.from, $1.to) }) {
            mix(UInt64(64 + link.from * 8 + link.to))
        }
        statistics.states.insert(hash)
    }

    private static func number(_ role: Role) -> Int {
        switch role {
        case .follower: 0
        case .preCandidate: 1
        case .candidate: 2
        case .leader: 3
        case .stopped: 4
        }
    }

    /// The state of a node has moved.
    mutating func noteApplied(_ node: Int) throws {
        try takeJournal(node)
        let index = nodes[node].replica.appliedIndex
        try raft.noteApplied(index, by: nodes[node].id)
        try history.note(nodes[node].replica.store.metadata)
        note("node \(node + 1) has applied \(index)")
        // A command between two of its steps is not applied, and nothing is let go of for it.
        if !nodes[node].replica.isApplyingInSteps {
            try bounds.check(nodes[node].replica.observation)
        }
        guard index.isMultiple(of: 8) else { return }
        try compareDigest(node)
    }

    /// What a node vouches for is in the state that readers see at this very moment.
    mutating func checkFreshness(_ node: Int) throws {
        let (clock, replica) = (nodes[node].clock, nodes[node].replica)
        let fresh = replica.freshAsOf(now: clock.monotonic(at: time))
        guard fresh > 0 else { return }
        let moment = min(time, clock.time(showing: fresh) - 1000)
        while let session = revocations.nextAcknowledged(before: moment, unseenBy: node) {
            guard try replica.store.reader.isRevoked(.session, Self.name(of: session)) else {
                throw Violation(
                    "node \(node + 1) vouches for a moment after s\(session) was revoked, "
                        + "and does not know it"
                )
            }
            revocations.noteSeen(by: node)
        }
    }

    /// Equal digests at equal applied index; a command between two of its steps has none.
    mutating func compareDigest(_ node: Int) throws {
        let replica = nodes[node].replica
        let index = replica.appliedIndex
        guard !replica.isApplyingInSteps else { return }
        let digest = try Self.digest(replica.store.base)
        if let other = digests[index], other != digest {
            throw Violation("node \(node + 1) has another state at \(index)")
        }
        digests[index] = digest
    }

    private static func digest(_ store: any KeyValueReader) throws(StoreError) -> UInt64 {
        var hash: UInt64 = 14_695_981_039_346_656_037
        try store.scan(from: [], below: [0xFF, 0xFF]) { key, value in
            for index in 0..<key.count { hash = (hash ^ UInt64(key[index])) &* 1_099_511_628_211 }
            for index in 0..<value.count {
                hash = (hash ^ UInt64(value[index])) &* 1_099_511_628_211
            }
            return true
        }
        return hash
    }

    // MARK: - The end

    /// The network is whole, disks have room, everybody is up, and nobody asks for anything more.
    mutating func heal() throws {
        isQuiet = true
        cuts = [:]
        lags = [:]
        for node in nodes.indices {
            nodes[node].pausedUntil = min(nodes[node].pausedUntil, time)
            nodes[node].diskSlowUntil = 0
            nodes[node].diskFullUntil = 0
            nodes[node].disk.setCapacity(1 << 30)
            if !nodes[node].isUp { schedule(.restart(node), in: 0) }
        }
        try run(until: time + 500 * Span.millisecond)
    }

    /// Liveness, then everything that was promised.
    mutating func checkEnd() throws {
        try checkLiveness()
        try raft.checkLogs(nodes.map(\.replica.observation))
        for node in group where nodes[node].isUp {
            try compareDigest(node)
            try checkRevoked(node)
        }
        try checkHistories()
        try checkAnswered()
    }

    /// Nobody waits for a node that is there and has said nothing.
    private func checkAnswered() throws {
        for call in clients.waiting where isRunning(call.node, call.run) {
            guard call.since + 3 * options.limits.commitTimeoutNanoseconds < time else { continue }
            throw Violation("node \(call.node + 1) never answers \(call.wish)")
        }
    }

    /// The nodes that are in the group now.
    private var group: [Int] {
        guard let leader else { return [] }
        let configuration = nodes[leader].replica.configuration
        return nodes.indices.filter { configuration.contains(nodes[$0].id) }
    }

    /// A leader is found, a change gets everywhere, and every mount of the group shows it.
    ///
    /// Windows of one entry on slow links take their time, but something has to move.
    private mutating func checkLiveness() throws {
        var idleSeconds = 0
        while idleSeconds < 12 {
            if let leader, isWritable(leader),
                try value(of: options.sessions, on: leader) == .absent
            {
                ask(.create(session: options.sessions), client: 0, node: leader)
            }
            let before = nodes.map(\.replica.appliedIndex)
            for _ in 0..<10 {
                try run(until: time + Span.second / 10)
                if hasSettled() { return }
            }
            idleSeconds = nodes.map(\.replica.appliedIndex) == before ? idleSeconds + 1 : 0
        }
        throw Violation("nothing moves in a quiet network: \(summary)")
    }

    private func isWritable(_ node: Int) -> Bool {
        nodes[node].replica.isWritable(now: nodes[node].clock.monotonic(at: time))
    }

    /// Whether a change that was made in the quiet is everywhere.
    private func hasSettled() -> Bool {
        guard let leader, isWritable(leader),
            (try? value(of: options.sessions, on: leader)) != .absent
        else { return false }
        let end = nodes[leader].replica.lastIndex
        return nodes[leader].replica.appliedIndex == end
            && group.allSatisfy { node in
                nodes[node].replica.appliedIndex == end
                    && (nodes[node].mount.gate.isOpen)
            }
    }

    /// What was revoked is gone from the state and remembered; what the state vouches for is true.
    func checkRevoked(_ node: Int) throws {
        for session in revocations.sessions {
            guard try value(of: session, on: node) == .revoked else {
                throw Violation("s\(session) was revoked, and node \(node + 1) does not know it")
            }
            for name in ["s\(session)"] {
                let parent = nodes[node].mount.kernel.entries[
                    .init(parent: FileSystem.rootInode, name: "sessions")
                ]
                guard let parent, let sessions = parent else { continue }
                let key = KernelCache.Name(parent: sessions, name: name)
                if let entry = nodes[node].mount.kernel.entries[key], entry != nil {
                    throw Violation("s\(session) was revoked, and a kernel still names it")
                }
            }
        }
    }

    /// Where everybody stands.
    var summary: String {
        nodes.map { node in
            let replica = node.replica
            return "\(replica.id) \(node.isUp ? "" : "down ")\(replica.role) t\(replica.term)"
                + " last \(replica.lastIndex) commit \(replica.commitIndex)"
                + " applied \(replica.appliedIndex) \(replica.configuration.voters)"
                + " \(replica.configuration.learners) open \(node.mount.gate.isOpen)"
                + " writes \(node.writes.count)"
        }.joined(separator: "; ")
    }
}
