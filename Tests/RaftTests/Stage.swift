// SPDX-License-Identifier: Apache-2.0

import Raft
import Simulation

/// Several members on a network that does what the play says, and tells what happens.
///
/// Time stands still except in `tick` and `pass`. Disks are instant unless they are made slow;
/// state machines apply at once unless they are held.
struct Stage {
    struct Player {
        var member: Member
        var storage: Storage
        var isUp = true
        var isDiskSlow = false
        var isApplyHeld = false
        var writes: [Write] = []
        var unapplied: [Entry] = []
        var state: [String] = []
    }

    /// What is told besides what an operator would see.
    var isMessageTold = false
    var isHeartbeatTold = false
    var isWriteTold = false
    var isLeaseTold = false

    var options = Options()
    var players: [MemberID: Player] = [:]
    /// In the order of their numbers.
    var order: [MemberID] = []
    var bootstrap = Snapshot(bootstrapping: Configuration(voters: []))
    var wire: [Message] = []
    /// Messages that are on their way for longer.
    var held: [Message] = []
    var cuts: Set<Link> = []
    /// State by index, for the transport of snapshots.
    var states: [LogIndex: [String]] = [:]
    var tick: UInt64 = 100
    var output: [String] = []
    var nextRequest: UInt64 = 0
    var runs: UInt64 = 0
    var requestNames: [UInt64: String] = [:]
    var trace: Trace?

    struct Link: Hashable {
        var from: MemberID
        var to: MemberID
    }

    var now: UInt64 { tick * options.tickNanoseconds }

    mutating func tell(_ id: MemberID, _ line: String) {
        output.append("\(id): \(line)")
    }

    mutating func start(_ id: MemberID, _ storage: Storage) {
        let offset = (id.rawValue - 1) * 3
        runs += 1
        if order.isEmpty { trace = Trace(options) }
        noteCrash(id)
        let time = now
        trace?.note(.started(id, at: time, storage.recovery))
        let member = Member(
            id: id,
            recovery: storage.recovery,
            options: options,
            generator: FixedGenerator(remainder: offset % 10, run: runs),
            now: now
        )
        var player = Player(member: member, storage: storage)
        player.state = states[storage.appliedIndex] ?? []
        if !order.contains(id) { order = (order + [id]).sorted() }
        players[id] = player
    }

    /// The member's memory is gone, if it was there.
    mutating func noteCrash(_ id: MemberID) {
        if players[id]?.isUp == true { trace?.note(.crashed(id)) }
    }

    mutating func step(_ id: MemberID, _ input: Input) {
        guard let isUp = players[id]?.isUp, isUp else { return }
        let time = now
        let effects = players[id]?.member.step(input, at: time) ?? []
        if let member = players[id]?.member {
            trace?.note(.stepped(id, at: time, input, effects, Observation(member)))
        }
        for effect in effects { perform(effect, of: id) }
        settle(id)
    }

    /// Lets instant disks and state machines answer.
    private mutating func settle(_ id: MemberID) {
        guard let player = players[id], player.isUp else { return }
        if !player.isDiskSlow, !player.writes.isEmpty { return sync(id) }
        if !player.isApplyHeld, !player.unapplied.isEmpty { return apply(id) }
    }

    mutating func sync(_ id: MemberID, count: Int = .max) {
        guard var player = players[id], !player.writes.isEmpty else { return }
        let done = player.writes.prefix(count)
        for write in done {
            player.storage.perform(write)
            if let snapshot = write.snapshot {
                player.state = states[snapshot.position.index] ?? []
            }
        }
        player.writes.removeFirst(done.count)
        players[id] = player
        step(id, .persisted(through: done.last?.number ?? 0))
    }

    mutating func apply(_ id: MemberID) {
        guard var player = players[id], let last = player.unapplied.last else { return }
        for entry in player.unapplied {
            if case .payload(let payload) = entry.content {
                player.state.append(String(decoding: payload, as: UTF8.self))
            }
            states[entry.index] = player.state
        }
        player.unapplied = []
        player.storage.appliedIndex = min(last.index, player.storage.lastIndex)
        players[id] = player
        step(id, .applied(through: last.index))
    }

    private mutating func perform(_ effect: Effect, of id: MemberID) {
        switch effect {
        case .persist(let write):
            players[id]?.writes.append(write)
            if isWriteTold { tell(id, Wording.write(write)) }
        case .send(let message): wire.append(message)
        case .apply(let entries):
            players[id]?.unapplied += entries
            tell(id, "applies \(Wording.entries(entries))")
        case .roleChanged(let change): tell(id, Wording.role(change))
        case .accepted(let request, let term, let range):
            tell(id, "takes \(name(request)) as \(Wording.range(range)) in term \(term)")
        case .refused(let request, let refusal):
            tell(id, "refuses \(name(request)): \(Wording.refusal(refusal))")
        case .uncertain(let term, let range):
            tell(id, "cannot tell about \(Wording.range(range)) of term \(term)")
        case .readReady(let request, let index):
            tell(id, "answers \(name(request)) once \(index) is applied")
        case .lease(let deadline):
            guard isLeaseTold else { break }
            tell(id, deadline.map { "has a lease of \(ticks(from: $0))" } ?? "has no lease")
        case .fresh(let reading):
            if isLeaseTold { tell(id, "is fresh as of \(ticksAgo(reading)) ticks ago") }
        case .stopped(let reason): tell(id, "stops: \(reason)")
        }
    }

    private func name(_ request: RequestID) -> String {
        requestNames[request.rawValue] ?? "?"
    }

    private func ticks(from deadline: UInt64) -> String {
        let tenths = (deadline - now) * 10 / options.tickNanoseconds
        return "\(tenths / 10).\(tenths % 10) ticks"
    }

    private func ticksAgo(_ reading: UInt64) -> UInt64 {
        (now - reading) / options.tickNanoseconds
    }

    mutating func request(_ name: String) -> RequestID {
        nextRequest += 1
        requestNames[nextRequest] = name
        return RequestID(nextRequest)
    }

    // MARK: - Network

    private func isCut(_ message: Message) -> Bool {
        cuts.contains(Link(from: message.from, to: message.to))
            || players[message.to]?.isUp != true
    }

    /// Delivers what is on the wire, and what comes of it, in the order of sending.
    mutating func deliver(where isWanted: (Message) -> Bool = { _ in true }) {
        var budget = 5000
        while let place = wire.firstIndex(where: isWanted), budget > 0 {
            deliver(wire.remove(at: place))
            budget -= 1
        }
        precondition(budget > 0, "the members never stop talking")
    }

    /// Delivers one message, or loses it when the link is cut.
    mutating func deliver(_ message: Message) {
        let isLost = isCut(message)
        if isTold(message) { output.append(Wording.message(message) + (isLost ? "  lost" : "")) }
        guard !isLost else {
            if case .snapshot = message.kind {
                step(message.from, .snapshotSent(to: message.to, succeeded: false))
            }
            return
        }
        step(message.to, .receive(message))
        if case .snapshot = message.kind {
            step(message.from, .snapshotSent(to: message.to, succeeded: true))
        }
    }

    private func isTold(_ message: Message) -> Bool {
        switch message.kind {
        case .heartbeat, .heartbeatReply: isHeartbeatTold
        default: isMessageTold
        }
    }

    /// Lets time pass for everybody, with all messages delivered.
    mutating func pass(_ count: Int) {
        for _ in 0..<count {
            tick += 1
            for id in order { step(id, .tick) }
            deliver()
        }
    }
}
