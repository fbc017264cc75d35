// SPDX-License-Identifier: Apache-2.0

@testable import Raft

/// Who makes trouble, who asks for things, and what must be true when the trouble is over.
extension Simulation {
    mutating func injectFault() {
        guard !isQuiet else { return }
        schedule(.fault, in: generator.number(below: 2 * world.faultEvery))
        let id = anyMember()
        let dice = generator.number(below: 100)
        if dice < world.crashPercent {
            let delay = world.isRestartQuick ? 2000 : 50_000 + generator.number(below: 400_000)
            crash(id, restartIn: delay)
        } else if dice < world.crashPercent + world.cutPercent {
            cut(id)
        } else if dice < world.crashPercent + world.cutPercent + world.pausePercent {
            nodes[place(id)].pausedUntil = time + generator.number(below: 300_000)
        }
    }

    private mutating func cut(_ id: MemberID) {
        let other = anyMember()
        switch generator.number(below: 6) {
        case 0: cuts = []
        case 1: cuts.insert(Link(from: id, to: other))
        case 2:
            cuts.insert(Link(from: id, to: other))
            cuts.insert(Link(from: other, to: id))
        case 3: for node in nodes { cuts.insert(Link(from: id, to: node.member.id)) }
        case 4: for node in nodes { cuts.insert(Link(from: node.member.id, to: id)) }
        default:
            cuts = []
            for node in nodes {
                cuts.insert(Link(from: id, to: node.member.id))
                cuts.insert(Link(from: node.member.id, to: id))
            }
        }
    }

    mutating func anyMember() -> MemberID {
        nodes[generator.number(below: nodes.count)].member.id
    }

    private mutating func request() -> RequestID {
        nextRequest += 1
        return RequestID(nextRequest)
    }

    /// Whom a client takes for the leader: anybody who says so, a stale one too.
    private mutating func anyLeader() -> MemberID? {
        let leaders = nodes.filter {
            $0.isUp && $0.member.role == .leader && $0.pausedUntil <= time
        }
        guard !leaders.isEmpty else { return nil }
        return leaders[generator.number(below: leaders.count)].member.id
    }

    mutating func actAsClient() throws(Violation) {
        guard !isQuiet else { return }
        schedule(.client, in: 1 + generator.number(below: 2 * world.clientEvery))
        guard let id = anyLeader() else { return }
        if generator.chance(30) {
            let request = request()
            checker.noteReadRequest(request)
            try step(id, .read(request))
        } else {
            try propose(to: id)
        }
    }

    mutating func propose(to id: MemberID) throws(Violation) {
        let request = request()
        let count = 1 + generator.number(below: 3)
        proposals += count
        try step(
            id,
            .propose(request, (0..<count).map { bytes("\(request.rawValue).\($0)") })
        )
    }

    mutating func actAsOwner() throws(Violation) {
        schedule(.owner, in: 5000 + generator.number(below: 60_000))
        if world.isCompacted { try compact(anyMember()) }
        guard !isQuiet, let id = anyLeader() else { return }
        if world.isTransferUsed, generator.chance(20) {
            try step(id, .transferLeadership(to: generator.chance(50) ? anyMember() : nil))
        }
        if world.isMembershipChanged, generator.chance(60) {
            let target = anyMember()
            let change: MembershipChange =
                switch generator.number(below: 4) {
                case 0: .remove(target)
                case 1: .addLearner(target)
                default: .promote(target)
                }
            try step(id, .changeMembership(request(), change))
        }
    }

    private mutating func compact(_ id: MemberID) throws(Violation) {
        let place = place(id)
        guard nodes[place].isUp, nodes[place].pausedUntil <= time else { return }
        let applied = nodes[place].member.appliedIndex
        nodes[place].storage.appliedIndex = max(nodes[place].storage.appliedIndex, applied)
        try step(id, .snapshotTaken(at: applied))
        let kept = LogIndex(generator.number(below: 5))
        guard applied > kept, let snapshot = nodes[place].member.snapshot(at: applied - kept) else {
            return
        }
        nodes[place].storage.keep(snapshot)
        try step(id, .compact(through: applied - kept))
    }

    // MARK: - What must be true

    /// A leader within its lease knows everything that anybody has committed.
    func checkLeases() throws(Violation) {
        for node in nodes where node.isUp && node.pausedUntil <= time {
            guard let deadline = node.leaseUntil,
                clock(node.ratePerMille, at: time) < deadline
            else { continue }
            guard node.member.commitIndex >= checker.committedMax else {
                throw Violation("\(node.member.id) has a lease and misses a commit")
            }
        }
    }

    /// Repeated messages and lost ones must not make ever more of them.
    func checkEventBudget() throws(Violation) {
        let rounds = time / 10_000 + 1
        let links = nodes.count * nodes.count
        let budget = 12 * rounds * links + 30 * links * (proposals + 100)
        guard messagesSent <= budget else {
            throw Violation("\(messagesSent) messages where \(budget) are enough")
        }
    }

    /// Once the network is quiet and all are up, a leader is found and a proposal gets everywhere.
    mutating func checkLiveness() throws(Violation) {
        isQuiet = true
        cuts = []
        for node in nodes {
            nodes[place(node.member.id)].pausedUntil = 0
            if !node.isUp { schedule(.restart(node.member.id), in: 0) }
        }
        try run(until: time + 2_000_000)
        // A leader may be about to leave the group, so the first one need not stay.
        for _ in 0..<5 where try !hasSettled() {}
        guard try hasSettled() else { throw Violation("no leader stays in a quiet network") }
    }

    /// Whether a proposal got everywhere under one leader.
    private mutating func hasSettled() throws(Violation) -> Bool {
        guard let leader = currentLeader() else {
            try run(until: time + 2_000_000)
            return false
        }
        try propose(to: leader)
        let member = nodes[place(leader)].member
        guard try hasCaughtUp(member.configuration, member.lastPosition) else { return false }
        try run(until: time + 1_000_000)
        return currentLeader() == leader && nodes[place(leader)].member.term == member.term
    }

    /// Windows of one entry take their time, but something has to move.
    private mutating func hasCaughtUp(
        _ group: Configuration,
        _ last: LogPosition
    ) throws(Violation) -> Bool {
        let places = nodes.indices.filter { group.contains(nodes[$0].member.id) }
        while places.contains(where: { nodes[$0].member.appliedIndex < last.index }) {
            let before = nodes.map { [$0.member.appliedIndex, $0.member.lastPosition.index] }
            try run(until: time + 1_000_000)
            if nodes.contains(where: { $0.member.term > last.term }) { return false }
            let after = nodes.map { [$0.member.appliedIndex, $0.member.lastPosition.index] }
            guard before != after else { throw Violation("\(last) never comes: \(group)") }
        }
        return true
    }

    /// Where everybody stands.
    var summary: String {
        nodes.map { node in
            let member = node.member
            let peers = member.leadership.progress.ids.map { id in
                "\(id) \(member.leadership.progress[id].map { "\($0)" } ?? "")"
            }
            return "\(member.id) \(member.role) t\(member.term) last \(member.lastPosition) "
                + "durable \(member.durability.durableIndex) commit \(member.commitIndex) "
                + "first \(member.firstIndex) \(member.configuration) "
                + "installing \(member.durability.isInstalling) up \(node.isUp) "
                + peers.joined(separator: "; ")
        }.joined(separator: "\n")
    }

    private func currentLeader() -> MemberID? {
        nodes.filter { $0.member.role == .leader }.max { $0.member.term < $1.member.term }?
            .member.id
    }
}
