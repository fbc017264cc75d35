// SPDX-License-Identifier: Apache-2.0

import Log
import Raft
import Replica
import Store

/// What goes wrong, and what operators do at the wrong moment.
extension Cluster {
    mutating func perform(_ step: PlanStep) throws {
        note("\(step)")
        switch step {
        case .fault(let kind, let target, let length, let dice):
            guard let node = settle(target) else { return }
            try inject(kind, node, length, dice)
        case .request(let client, let wish): ask(wish, client: client)
        case .access(let target, let kind, let session):
            guard let node = settle(target) else { return }
            begin(kind, session, node)
        case .flush(let node): try flush(node)
        }
    }

    /// Which node is meant.
    private mutating func settle(_ target: Target) -> Int? {
        switch target {
        case .node(let node): return node < nodes.count ? node : nil
        case .leader: return leader
        case .follower:
            let others = nodes.indices.filter {
                nodes[$0].isUp && nodes[$0].replica.role == .follower
            }
            return others.isEmpty ? nil : others[generator.index(below: others.count)]
        }
    }

    /// The node that leads in the newest term.
    var leader: Int? {
        nodes.indices.filter { nodes[$0].isUp && nodes[$0].replica.role == .leader }
            .max { nodes[$0].replica.term < nodes[$1].replica.term }
    }

    private mutating func inject(
        _ kind: FaultKind,
        _ node: Int,
        _ length: UInt64,
        _ dice: UInt64
    ) throws {
        statistics.note("fault: \(kind)")
        let other = Int(dice % UInt64(nodes.count))
        switch kind {
        case .crash, .powerCut:
            let delay = options.isRestartQuick ? 2 * Span.millisecond : length
            try crash(node, isPowerCut: kind == .powerCut, restartIn: delay)
        case .pause:
            guard nodes[node].isUp else { return }
            nodes[node].pausedUntil = max(nodes[node].pausedUntil, time + length)
            queue.push(.wake(node, run: nodes[node].run), at: nodes[node].pausedUntil)
        case .cutNode: cut(both(node, nodes.indices.filter { $0 != node }), length)
        case .cutLink: cut(both(node, [other]), length)
        case .deafen: cut(nodes.indices.map { Link(from: $0, to: node) }, length)
        case .mute: cut(nodes.indices.map { Link(from: node, to: $0) }, length)
        case .split:
            let left = nodes.indices.filter { dice >> UInt64($0) & 1 == 0 }
            let right = nodes.indices.filter { dice >> UInt64($0) & 1 == 1 }
            cut(left.flatMap { both($0, right) }, length)
        case .slowLink: slow(node, other, length, dice)
        case .diskSlow: nodes[node].diskSlowUntil = time + length
        case .diskFull: fill(node, length)
        case .diskSyncError: breakDisk(node, dice)
        case .wallJump:
            nodes[node].clock.wallOffset += Int64(dice % 7200) - 3600
        case .transfer:
            let target = dice & 1 == 0 ? nodes[other].id : nil
            try request(.transferLeadership(to: target), of: node)
        case .membership: try changeMembership(node, other, dice)
        case .lie: lie(of: node, length, dice)
        }
    }

    /// Others find their connections to a node refused, as if its process had died.
    ///
    /// What it sends itself may still arrive, or not.
    private mutating func lie(of node: Int, _ length: UInt64, _ dice: UInt64) {
        guard options.firewallsLie, nodes[node].isUp else { return }
        let others = nodes.indices.filter { $0 != node }
        if dice & 1 == 0 { cut(others.map { Link(from: $0, to: node) }, length) }
        if dice & 2 == 0 { cut(others.map { Link(from: node, to: $0) }, length) }
        for other in others {
            let delay = generator.number(below: 300 * Span.microsecond)
            schedule(.suspicion(other, of: nodes[node].id), in: delay)
        }
    }

    private mutating func request(_ event: Event, of node: Int) throws {
        guard isAwake(node) else { return }
        try step(node, event)
    }

    private func isAwake(_ node: Int) -> Bool {
        nodes[node].isUp && nodes[node].pausedUntil <= time
    }

    private mutating func changeMembership(_ node: Int, _ other: Int, _ dice: UInt64) throws {
        guard let leader else { return }
        let member = nodes[other].id
        let change: Raft.MembershipChange =
            switch dice >> 8 & 3 {
            case 0: .remove(member)
            case 1: .addLearner(member)
            default: .promote(member)
            }
        guard isAwake(leader) else { return }
        nodes[leader].changesAsked += 1
        try request(.changeMembership(ProposalID(.max), change), of: leader)
    }

    // MARK: - The network

    private func both(_ node: Int, _ others: [Int]) -> [Link] {
        others.flatMap { [Link(from: node, to: $0), Link(from: $0, to: node)] }
    }

    private mutating func cut(_ links: [Link], _ length: UInt64) {
        for link in links { cuts[link, default: 0] += 1 }
        schedule(.heal(links), in: length)
    }

    mutating func heal(_ links: [Link]) {
        for link in links {
            guard let count = cuts[link] else { continue }
            cuts[link] = count > 1 ? count - 1 : nil
        }
    }

    /// One direction, or both: from a part of an election timeout to three of them.
    private mutating func slow(_ node: Int, _ other: Int, _ length: UInt64, _ dice: UInt64) {
        guard node != other else { return }
        let timeout = options.raft.electionTimeoutNanoseconds
        let lag = max(5 * options.delayMax, (1 + (dice >> 16) % 12) * timeout / 4)
        let links = both(node, [other]).prefix(dice >> 8 & 1 == 0 ? 1 : 2)
        for link in links {
            lags[link, default: []].append(lag)
            note("from node \(link.from + 1) to \(link.to + 1) it takes \(lag / 1000) µs more")
        }
        schedule(.hasten(Array(links), lag: lag), in: length)
    }

    mutating func hasten(_ links: [Link], _ lag: UInt64) {
        for link in links {
            guard var slow = lags[link], let place = slow.firstIndex(of: lag) else { continue }
            slow.remove(at: place)
            lags[link] = slow.isEmpty ? nil : slow
        }
    }

    /// What a message takes longer on a link than usual.
    mutating func lag(on link: Link) -> UInt64 {
        guard let lag = lags[link]?.max() else { return 0 }
        statistics.note("message on a slow link")
        return lag
    }

    // MARK: - Disks

    private mutating func fill(_ node: Int, _ length: UInt64) {
        guard nodes[node].isUp else { return }
        nodes[node].disk.setCapacity(0)
        nodes[node].diskFullUntil = time + length
    }

    /// Somebody has made room in time for the next write.
    func makeRoom(_ node: Int) {
        if nodes[node].diskFullUntil <= time { nodes[node].disk.setCapacity(1 << 30) }
    }

    private mutating func breakDisk(_ node: Int, _ dice: UInt64) {
        guard nodes[node].isUp else { return }
        nodes[node].isDiskBroken = true
        let verb: DiskOperation = dice & 1 == 0 ? .syncData : .write
        let written = Int(dice >> 8 % 512)
        nodes[node].disk.fail(.brokenDevice(verb, bytesWritten: written))
    }

    // MARK: - Crashes

    /// The memory goes; a power cut takes what was not synced as well.
    mutating func crash(_ node: Int, isPowerCut: Bool, restartIn delay: UInt64) throws {
        guard nodes[node].isUp else { return }
        try takeJournal(node)
        try trace(.crashed(nodes[node].id))
        note("node \(node + 1) crashes\(isPowerCut ? " with its power" : "")")
        let wasLeader = nodes[node].replica.role == .leader
        if isPowerCut, let next = nodes[node].writes.first, generator.chance(60) {
            // The write that is under way gets as far as it gets.
            let count = next.write.snapshot == nil ? 6 : 20
            nodes[node].disk.cutPower(afterOperations: generator.index(below: count))
            durability.noteCut(of: nodes[node].id)
            _ = try? make(next, node)
        }
        nodes[node].writes = []
        nodes[node].isUp = false
        nodes[node].run += 1
        nodes[node].closeReplaced(on: volume)
        nodes[node].base = nodes[node].base.crashed()
        if isPowerCut {
            nodes[node].disk = nodes[node].disk.crash(using: &generator)
            // A clock that counts from the boot begins anew.
            nodes[node].clock.base = generator.number(below: 10 * Span.second)
        } else {
            nodes[node].disk.disarm()
        }
        raft.forget(nodes[node].id)
        if wasLeader, !isQuiet, generator.chance(options.suspicionPercent) {
            for other in nodes.indices where other != node {
                schedule(.suspicion(other, of: nodes[node].id), in: 300 * Span.microsecond)
            }
        }
        schedule(.restart(node), in: delay)
    }

    mutating func restart(_ node: Int) throws {
        guard !nodes[node].isUp else { return }
        statistics.note("restart")
        note("node \(node + 1) starts again")
        nodes[node].disk.setCapacity(1 << 30)
        do {
            try nodes[node].restart(options, seed: generator.next(), time: time)
        } catch {
            throw Violation("node \(node + 1) does not start again: \(error)")
        }
        try traceStart(node)
        try durability.noteStart(nodes[node].id, nodes[node].recovery)
        revocations.restarted(node)
        history.restarted(node)
        schedule(.tick(node, run: nodes[node].run), in: 0)
    }
}
