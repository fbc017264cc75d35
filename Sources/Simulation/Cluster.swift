// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Log
import Raft
import Replica
import Store

/// A promise that was broken.
package struct Violation: Error, CustomStringConvertible, Sendable {
    package var description: String

    /// Says which, and how it shows.
    package init(_ description: String) { self.description = description }
}

/// A whole cluster in one thread from one seed: nodes with their disks, clocks and mounts, the
/// network between them, clients, and whoever makes trouble.
///
/// The same seed and plan give the same run, to the byte. Time is in nanoseconds of the world;
/// every node has clocks of its own.
package struct Cluster {
    enum WorldEvent {
        case plan(Int)
        case tick(Int, run: Int)
        case message(Message)
        case snapshot(Message, path: String)
        case snapshotSent(Int, run: Int, to: MemberID, succeeded: Bool)
        case suspicion(Int, of: MemberID)
        case diskDone(Int, run: Int)
        case warned(Int, run: Int)
        case job(Int, run: Int, ReplyJob)
        case names(Int, run: Int, [Invalidation])
        case kernelReply(Access, KernelCache.Reply, CacheMark)
        case access(Access)
        case request(Int, CallID)
        case answer(CallID, Answer)
        case timeout(CallID)
        case wake(Int, run: Int)
        case restart(Int)
        case heal([Link])
        case hasten([Link], lag: UInt64)
        case forge
    }

    struct Link: Hashable {
        var from: Int
        var to: Int
    }

    /// What the reply thread does for one batch: content, replies, names.
    struct ReplyJob {
        var effects: [Identity.Effect] = []
        var isReplaced = false
        var replies: [(CallID, Result<Applied, ProposalError>)] = []

        var isEmpty: Bool { effects.isEmpty && !isReplaced && replies.isEmpty }
    }

    package let options: WorldOptions
    package let seed: UInt64
    let plan: Plan
    var generator: SplitMix64
    var queue = EventQueue<WorldEvent>()
    var time: UInt64 = 0
    var nodes: [SimulatedNode] = []
    let volume = MemoryVolume()
    var snapshotCount = 0

    var cuts: [Link: Int] = [:]
    var arrivals: [Link: UInt64] = [:]
    /// What messages take longer on links that are slow; once for each reason.
    var lags: [Link: [UInt64]] = [:]
    /// Everything that was ever said, where it may come again.
    var spoken = Spoken()
    var isQuiet = false

    var clients: Clients
    var raft = RaftChecker()
    var reference: ReferenceModel
    var revocations: RevocationChecker
    var history = HistoryChecker()
    var durability = DurabilityChecker()
    let bounds: BoundsChecker
    /// State digests by applied index.
    var digests: [LogIndex: UInt64] = [:]
    package internal(set) var statistics = Statistics()
    /// What happened, line by line; nil: not written down.
    package var diary: [String]?

    /// A world of this seed, with its own plan or another.
    package init(seed: UInt64, profile: Profile, plan: Plan? = nil) throws {
        self.seed = seed
        options = WorldOptions(profile, seed: seed)
        self.plan = plan ?? Plan(options, seed: seed)
        generator = SplitMix64(seed: seed ^ 0x776F_726C_64)
        clients = Clients(options)
        reference = ReferenceModel(
            electionTimeoutNanoseconds: options.raft.electionTimeoutNanoseconds
        )
        revocations = RevocationChecker(options)
        bounds = BoundsChecker(options)
        let voters = (1...options.voters).map { MemberID(UInt64($0)) }
        for number in 1...(options.voters + options.spares) {
            let rate =
                1000 - options.driftPerMille
                + generator.number(below: 2 * options.driftPerMille + 1)
            let base = try MemoryStore(volume: volume, path: "n\(number)")
            nodes.append(
                try SimulatedNode(
                    MemberID(UInt64(number)),
                    voters: voters,
                    base: base,
                    options: options,
                    clock: SimulatedClock(ratePerMille: rate),
                    seed: generator.next(),
                    time: 0
                )
            )
            try traceStart(number - 1)
            schedule(.tick(number - 1, run: 0), in: generator.number(below: Span.millisecond))
        }
        for (index, item) in self.plan.items.enumerated() { queue.push(.plan(index), at: item.at) }
    }

    // MARK: - Running

    /// Lets everything happen, then heals what is broken and sees that the group works.
    package mutating func run() throws {
        statistics.schedules = 1
        try run(until: options.duration)
        try heal()
        try checkEnd()
    }

    /// More events than this are a flood: something multiplies them.
    private var eventsMax: Int { 400_000 }

    mutating func run(until end: UInt64) throws {
        while let next = queue.nextTime, next <= end {
            guard let event = queue.pop() else { break }
            time = next
            statistics.events += 1
            guard statistics.events < eventsMax else { throw Violation("a flood of events") }
            try handle(event)
        }
        time = max(time, end)
        statistics.nanoseconds = time
    }

    /// Writes a line for people; costs nothing where nobody reads it.
    mutating func note(_ line: @autoclosure () -> String) {
        if diary != nil { diary?.append("\(time / 1000) µs  \(line())") }
    }

    mutating func schedule(_ event: WorldEvent, in delay: UInt64) {
        queue.push(event, at: time + delay)
    }

    private mutating func handle(_ event: WorldEvent) throws {
        switch event {
        case .plan(let index): try perform(plan.items[index].step)
        case .tick(let node, let run): try tick(node, run, event)
        case .message(let message): try receive(message, event)
        case .snapshot(let message, let path): try receiveSnapshot(message, path, event)
        case .snapshotSent(let node, let run, let target, let succeeded):
            guard isRunning(node, run) else { return }
            try deliver(event, .snapshotSent(to: target, succeeded: succeeded), to: node)
        case .suspicion(let node, let suspect):
            guard !nodes[place(suspect)].isUp || options.firewallsLie else { return }
            try deliver(event, .suspectLeader(suspect), to: node)
        case .diskDone(let node, let run): try finishWrite(node, run, event)
        case .warned(let node, let run):
            guard isRunning(node, run) else { return }
            try deliver(event, .warned, to: node)
        case .job(let node, let run, let job): try perform(job, node, run, event)
        case .names(let node, let run, let names):
            guard isRunning(node, run), !isPaused(node, event) else { return }
            nodes[node].mount.kernel.invalidate(names)
        case .kernelReply(let access, let reply, let mark):
            try receive(reply, since: mark, of: access, event)
        case .access(let access): try advance(access, event)
        case .request(let node, let id): try receiveRequest(id, node, event)
        case .answer(let id, let answer):
            if clients.receive(answer, to: id, at: time) { askAgain(id) }
        case .timeout(let id):
            if clients.timeOut(id) { askAgain(id) }
        case .wake(let node, let run): try wake(node, run)
        case .restart(let node): try restart(node)
        case .heal(let links): heal(links)
        case .hasten(let links, let lag): hasten(links, lag)
        case .forge: forge()
        }
    }

    func place(_ id: MemberID) -> Int { Int(id.rawValue) - 1 }

    func isRunning(_ node: Int, _ run: Int) -> Bool {
        nodes[node].isUp && nodes[node].run == run
    }

    /// Whether the node sleeps; then the event comes again when it wakes.
    mutating func isPaused(_ node: Int, _ event: WorldEvent) -> Bool {
        guard nodes[node].pausedUntil > time else { return false }
        queue.push(event, at: nodes[node].pausedUntil)
        return true
    }

    // MARK: - Nodes

    private mutating func tick(_ node: Int, _ run: Int, _ event: WorldEvent) throws {
        guard isRunning(node, run) else { return }
        let early = options.raft.tickNanoseconds - Span.millisecond / 2
        schedule(event, in: early + generator.number(below: Span.millisecond))
        guard nodes[node].pausedUntil <= time else { return }
        try step(node, .tick)
    }

    /// A node that wakes looks at its clock before it shows anything; its replica hears of it
    /// first or last.
    private mutating func wake(_ node: Int, _ run: Int) throws {
        guard isRunning(node, run), nodes[node].pausedUntil <= time else { return }
        guard generator.chance(50) else { return try step(node, .tick) }
        try checkFreshness(node)
        updateGate(node)
    }

    /// Hands an event over; a paused node gets it when it wakes.
    mutating func deliver(
        _ event: WorldEvent,
        _ input: Event,
        to node: Int
    ) throws {
        guard nodes[node].isUp, !isPaused(node, event) else { return }
        try step(node, input)
    }

    /// One step of a replica, and everything it asks for.
    mutating func step(_ node: Int, _ event: Event) throws {
        let run = nodes[node].run
        try stepInside(node, event)
        guard isRunning(node, run) else { return }
        try check(node)
        updateGate(node)
    }

    /// A step within a step: of what is performed at once.
    mutating func stepInside(_ node: Int, _ event: Event) throws {
        let moment = nodes[node].clock.moment(at: time)
        let actions = nodes[node].replica.step(event, at: moment)
        // Readers on other threads look now, before anything is done.
        try checkFreshness(node)
        try perform(actions, node)
    }

    /// A mount shows nothing that nobody vouches for.
    mutating func updateGate(_ node: Int) {
        let now = nodes[node].clock.monotonic(at: time)
        let fresh = nodes[node].replica.freshAsOf(now: now)
        guard nodes[node].mount.gate.update(freshAsOf: fresh, now: now) else { return }
        let isOpen = nodes[node].mount.gate.isOpen
        note("the mount of node \(node + 1) \(isOpen ? "opens" : "closes")")
        if !isOpen { nodes[node].mount.forgetEverything(now: now) }
    }
}
