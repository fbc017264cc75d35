// SPDX-License-Identifier: Apache-2.0

import Raft
import Simulation

/// A whole group in one thread from one seed: lossy network, slow disks, crashes, pauses.
///
/// The seed chooses not only what happens but also what kind of world it is ("swarm"): how many
/// members, which faults, how tiny the limits. Time is in microseconds; each member has a clock of
/// its own that runs a little fast or slow.
struct Simulation {
    enum Event {
        case tick(MemberID, run: Int)
        case message(Message)
        case synced(MemberID, run: Int, number: UInt64)
        case applied(MemberID, run: Int, index: LogIndex)
        case snapshotSent(MemberID, run: Int, to: MemberID, succeeded: Bool)
        case suspicion(MemberID, of: MemberID)
        case restart(MemberID)
        case client
        case fault
        case owner
    }

    struct Node {
        var member: Member
        var storage: Storage
        /// How often it has been started; events of an earlier run are void.
        var run = 0
        var isUp = true
        var pausedUntil = 0
        var writes: [Write] = []
        var diskFreeAt = 0
        var ratePerMille: Int
        var role = Role.follower
        var leaseUntil: UInt64?
    }

    struct Link: Hashable {
        var from: MemberID
        var to: MemberID
    }

    let world: World
    var generator: SeededGenerator
    var queue = EventQueue()
    var nodes: [Node] = []
    var cuts: Set<Link> = []
    var arrivals: [Link: Int] = [:]
    var time = 0
    var isQuiet = false
    var checker = Checker()
    var trace: Trace
    /// Everything that was ever sent, where it may come again.
    var sent: [Message] = []
    var messagesSent = 0
    var eventCount = 0
    var proposals = 0
    var nextRequest: UInt64 = 0

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        world = World(&generator)
        trace = Trace(world.options)
        let voters = (1...world.voters).map { MemberID(UInt64($0)) }
        let bootstrap = Snapshot(bootstrapping: Configuration(voters: voters))
        let empty = Snapshot(bootstrapping: Configuration(voters: []))
        for number in 1...(world.voters + world.spares) {
            let id = MemberID(UInt64(number))
            let storage = Storage(number <= world.voters ? bootstrap : empty)
            let rate = 970 + generator.number(below: 61)
            nodes.append(
                Node(member: newMember(id, storage, rate), storage: storage, ratePerMille: rate)
            )
            schedule(.tick(id, run: 0), in: generator.number(below: 10_000))
        }
        schedule(.client, in: 1000)
        schedule(.fault, in: world.faultEvery)
        schedule(.owner, in: 20_000)
    }

    private mutating func newMember(
        _ id: MemberID,
        _ storage: Storage,
        _ rate: Int
    ) -> Member {
        trace.note(.started(id, at: clock(rate, at: time), storage.recovery))
        return Member(
            id: id,
            recovery: storage.recovery,
            options: world.options,
            generator: SeededGenerator(seed: generator.next()),
            now: clock(rate, at: time)
        )
    }

    /// What a clock of this rate shows, in nanoseconds.
    func clock(_ ratePerMille: Int, at time: Int) -> UInt64 {
        UInt64(1_000_000_000 + time * ratePerMille)
    }

    /// When a clock of this rate showed that.
    func time(_ ratePerMille: Int, showing clock: UInt64) -> Int {
        (Int(clock) - 1_000_000_000) / ratePerMille
    }

    mutating func schedule(_ event: Event, in delay: Int) {
        queue.push(event, at: time + max(delay, 0))
    }

    func place(_ id: MemberID) -> Int { Int(id.rawValue) - 1 }

    // MARK: - Running

    /// Lets the faults rage, then heals everything and sees that the group works.
    mutating func run() throws(Violation) {
        try run(until: world.duration)
        try checkEventBudget()
        try checkLiveness()
        try checker.checkLogs(nodes.filter(\.isUp).map(\.member))
    }

    mutating func run(until end: Int) throws(Violation) {
        while let next = queue.nextTime, next <= end {
            guard let event = queue.pop() else { break }
            time = next
            eventCount += 1
            try handle(event)
            if eventCount.isMultiple(of: 1000) { try checkEventBudget() }
        }
        time = max(time, end)
    }

    private mutating func handle(_ event: Event) throws(Violation) {
        switch event {
        case .tick(let id, let run):
            guard nodes[place(id)].run == run, nodes[place(id)].isUp else { return }
            schedule(event, in: 9500 + generator.number(below: 1000))
            try deliver(event, .tick, to: id)
        case .message(let message):
            guard !cuts.contains(Link(from: message.from, to: message.to)) else { return }
            try deliver(event, .receive(message), to: message.to)
        case .synced(let id, let run, let number):
            guard nodes[place(id)].run == run, nodes[place(id)].isUp else { return }
            while let write = nodes[place(id)].writes.first, write.number <= number {
                nodes[place(id)].storage.perform(write)
                nodes[place(id)].writes.removeFirst()
            }
            try deliver(event, .persisted(through: number), to: id)
        case .applied(let id, let run, let index):
            guard nodes[place(id)].run == run else { return }
            try deliver(event, .applied(through: index), to: id)
        case .snapshotSent(let id, let run, let target, let succeeded):
            guard nodes[place(id)].run == run else { return }
            try deliver(event, .snapshotSent(to: target, succeeded: succeeded), to: id)
        case .suspicion(let id, let suspect):
            guard !nodes[place(suspect)].isUp else { return }
            try deliver(event, .suspectLeader(suspect), to: id)
        case .restart(let id): restart(id)
        case .client: try actAsClient()
        case .fault: injectFault()
        case .owner: try actAsOwner()
        }
    }

    /// Hands an input over; a paused member gets it when it wakes.
    private mutating func deliver(
        _ event: Event,
        _ input: Input,
        to id: MemberID
    ) throws(Violation) {
        let node = nodes[place(id)]
        guard node.isUp else { return }
        if node.pausedUntil > time {
            if case .tick = event { return }
            return queue.push(event, at: node.pausedUntil)
        }
        try step(id, input)
    }

    mutating func step(_ id: MemberID, _ input: Input) throws(Violation) {
        let place = place(id)
        let now = clock(nodes[place].ratePerMille, at: time)
        let effects = nodes[place].member.step(input, at: now)
        trace.note(.stepped(id, at: now, input, effects, Observation(nodes[place].member)))
        try trace.check()
        for effect in effects {
            try perform(effect, of: id)
            guard nodes[place].isUp else { return }
        }
        let commit = nodes[place].member.commitIndex
        try checker.noteCommit(nodes[place].member, through: commit, at: time)
        try checkLeases()
    }

    private mutating func perform(_ effect: Effect, of id: MemberID) throws(Violation) {
        let place = place(id)
        switch effect {
        case .persist(let write): persist(write, place)
        case .send(let message): send(message)
        case .apply(let entries):
            try checker.noteApplied(entries, by: id)
            guard let last = entries.last else { return }
            let applied = Event.applied(id, run: nodes[place].run, index: last.index)
            schedule(applied, in: generator.number(below: world.applyDelay))
        case .roleChanged(let change):
            nodes[place].role = change.role
            if change.role == .leader { try checker.noteLeader(nodes[place].member) }
        case .lease(let deadline): nodes[place].leaseUntil = deadline
        case .readReady(let request, let index): try checker.checkRead(request, index)
        case .refused(let request, _): checker.forget(request)
        case .fresh(let reading):
            let asOf = time(nodes[place].ratePerMille, showing: reading)
            try checker.checkFreshness(nodes[place].member, asOf: asOf)
        case .stopped(let reason): throw Violation("\(id) stopped: \(reason)")
        case .accepted, .uncertain: break
        }
    }

    private mutating func persist(_ write: Write, _ place: Int) {
        nodes[place].writes.append(write)
        let delay = generator.number(below: world.diskDelay)
        let done = max(nodes[place].diskFreeAt, time + delay)
        nodes[place].diskFreeAt = done
        let id = nodes[place].member.id
        queue.push(.synced(id, run: nodes[place].run, number: write.number), at: done)
    }

    private mutating func send(_ message: Message) {
        messagesSent += 1
        let isLost = generator.chance(isQuiet ? 0 : world.lossPercent)
        let isDoubled = generator.chance(isQuiet ? 0 : world.doublePercent)
        for _ in 0..<(isLost ? 0 : isDoubled ? 2 : 1) {
            var delay = 200 + generator.number(below: world.delay)
            if !isQuiet, generator.chance(world.spikePercent) {
                delay += generator.number(below: 150_000)
            }
            var arrival = time + delay
            if world.isOrdered {
                let link = Link(from: message.from, to: message.to)
                arrival = max(arrival, arrivals[link] ?? 0)
                arrivals[link] = arrival
            }
            queue.push(.message(message), at: arrival)
        }
        replayAny(message)
        if case .snapshot = message.kind {
            let run = nodes[place(message.from)].run
            let report = Event.snapshotSent(
                message.from,
                run: run,
                to: message.to,
                succeeded: !isLost
            )
            schedule(report, in: 5000)
        }
        if case .voteReply(true) = message.kind, !isQuiet, generator.chance(world.voterCrashPercent)
        {
            // A voter that dies right behind its word must remember it.
            crash(message.from, restartIn: 500 + generator.number(below: 5000))
        }
    }

    /// The network remembers everything: whatever was sent may arrive once more, at any time.
    private mutating func replayAny(_ message: Message) {
        guard world.replayPercent > 0, !isQuiet else { return }
        sent.append(message)
        guard generator.chance(world.replayPercent) else { return }
        let old = sent[generator.number(below: sent.count)]
        schedule(.message(old), in: generator.number(below: 300_000))
    }

    // MARK: - Crashes

    /// The memory goes, and with it the writes that are under way, but for a prefix.
    mutating func crash(_ id: MemberID, restartIn delay: Int) {
        let place = place(id)
        guard nodes[place].isUp else { return }
        trace.note(.crashed(id))
        let survivors = generator.number(below: nodes[place].writes.count + 1)
        if generator.chance(50) {
            for write in nodes[place].writes.prefix(survivors) {
                nodes[place].storage.perform(write)
            }
        }
        nodes[place].writes = []
        nodes[place].isUp = false
        nodes[place].run += 1
        nodes[place].leaseUntil = nil
        if world.isSuspicionUsed, nodes[place].role == .leader {
            for node in nodes where node.member.id != id && generator.chance(80) {
                schedule(.suspicion(node.member.id, of: id), in: 300)
            }
        }
        schedule(.restart(id), in: delay)
    }

    private mutating func restart(_ id: MemberID) {
        let place = place(id)
        guard !nodes[place].isUp else { return }
        let node = nodes[place]
        nodes[place].member = newMember(id, node.storage, node.ratePerMille)
        nodes[place].isUp = true
        nodes[place].role = .follower
        nodes[place].pausedUntil = 0
        nodes[place].diskFreeAt = time
        schedule(.tick(id, run: node.run), in: 0)
    }
}
