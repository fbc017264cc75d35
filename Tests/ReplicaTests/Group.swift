// SPDX-License-Identifier: Apache-2.0

import Identity
import Log
import Raft
import Replica
import Store

/// Several replicas with their disks, joined by letters that a test delivers by hand.
///
/// `step`, `write`, `warned` and `deliver` do one thing and say what came of it; `settle` and
/// `pass` do whatever can be done.
struct Group {
    private(set) var nodes: [GroupNode] = []
    private(set) var now: UInt64 = 1
    var wall = Timestamp(seconds: 1_800_000_000)
    /// What is under way, oldest first.
    private(set) var post: [Letter] = []
    /// What each request was answered, in order.
    private(set) var answers: [UInt64: [String]] = [:]
    /// Where what was done stands in the log.
    private(set) var receipts: [UInt64: Receipt] = [:]
    /// Members whose disks do nothing by themselves.
    var slow: Set<UInt64> = []
    private var isolated: Set<UInt64> = []
    private let volume = MemoryVolume()
    private var copyCount = 0

    struct Letter {
        var message: Message
        /// Where the state of a snapshot lies.
        var path: String?
    }

    /// A tick of the members' timers.
    static let tick: UInt64 = 50_000_000

    /// Members 1 to `count`, of which `voters` begin the group.
    init(voters: [UInt64], count: Int? = nil, limits: ReplicaLimits = ReplicaLimits()) throws {
        for number in 1...UInt64(count ?? voters.count) {
            let base = try MemoryStore(volume: volume, path: "n\(number)")
            nodes.append(try GroupNode(number, voters, base, limits, now: now))
        }
    }

    /// The replica of a member.
    subscript(_ id: UInt64) -> Replica { node(id).replica }

    func node(_ id: UInt64) -> GroupNode { nodes[Int(id) - 1] }

    // MARK: - One thing at a time

    /// Hands an event over and tells what is to be done.
    @discardableResult
    mutating func step(_ id: UInt64, _ event: Event) throws -> [String] {
        let actions = node(id).replica.step(event, at: Moment(wall: wall, monotonic: now))
        for action in actions { try take(action, of: id) }
        return actions.map(\.name)
    }

    private mutating func take(_ action: Action, of id: UInt64) throws {
        switch action {
        case .persist(let write, let state): node(id).writes.append((write, state))
        case .warn: node(id).isWarning = true
        case .send(let message): send(Letter(message: message))
        case .sendSnapshot(let message):
            copyCount += 1
            let path = "copy \(copyCount)"
            let store = node(id).replica.store
            try store.base.checkpoint(to: path)
            let copy = Replica.snapshotMessage(message, of: store.metadata)
            send(Letter(message: copy, path: path))
        case .reply(let request, let result):
            answers[request.rawValue, default: []].append(result.name)
            if case .success(let applied) = result { receipts[request.rawValue] = applied.receipt }
        case .discardLog(let index): try node(id).storage.discardPrefix(through: index)
        case .doubt: try node(id).storage.doubt()
        case .stop: node(id).isUp = false
        case .prepare, .applied, .replaced, .roleChanged: break
        }
    }

    /// Asks a member for one session for each number, together; it is named after its number.
    @discardableResult
    mutating func propose(_ numbers: UInt64..., to id: UInt64) throws -> [String] {
        try propose(numbers, to: id)
    }

    @discardableResult
    mutating func propose(_ numbers: [UInt64], to id: UInt64) throws -> [String] {
        let proposals = try numbers.map { number in
            let json = Array(#"{"user_id":"alice"}"#.utf8)
            let write = try Document.parse(json, type: .session, id: "s\(number)")
            return Proposal(id: ProposalID(number), kind: .put([write]))
        }
        return try step(id, .propose(proposals))
    }

    /// The disk of a member makes its oldest write, or fails at it.
    @discardableResult
    mutating func write(_ id: UInt64) throws -> [String] {
        let node = node(id)
        let next = node.writes[0]
        do throws(LogError) {
            try node.storage.perform(next.write) { node.install(next.state) }
        } catch {
            if case .noSpace = error { return try step(id, .persistFailed(.noSpace)) }
            return try step(id, .persistFailed(.stopped("\(error)")))
        }
        node.writes.removeFirst()
        return try step(id, .persisted(through: next.write.number))
    }

    /// The readers of a member have been warned.
    @discardableResult
    mutating func warned(_ id: UInt64) throws -> [String] {
        node(id).isWarning = false
        return try step(id, .warned)
    }

    /// Delivers the letters from one member to another that are under way now.
    @discardableResult
    mutating func deliver(_ from: UInt64, _ to: UInt64) throws -> [String] {
        let isMeant = { (letter: Letter) in
            letter.message.from.rawValue == from && letter.message.to.rawValue == to
        }
        let letters = post.filter(isMeant)
        post.removeAll(where: isMeant)
        return try letters.flatMap { try deliver($0) }
    }

    private mutating func deliver(_ letter: Letter) throws -> [String] {
        let target = letter.message.to.rawValue
        guard node(target).isUp else { return [] }
        guard let path = letter.path else { return try step(target, .receive(letter.message)) }
        let base = try MemoryStore(volume: volume, path: path)
        let state = try RecordStore(base)
        let told = try step(target, .receiveSnapshot(letter.message, state))
        try step(
            letter.message.from.rawValue,
            .snapshotSent(to: letter.message.to, succeeded: true)
        )
        return told
    }

    private mutating func send(_ letter: Letter) {
        let ends = [letter.message.from.rawValue, letter.message.to.rawValue]
        guard isolated.isDisjoint(with: ends) else { return }
        post.append(letter)
    }

    // MARK: - Whatever can be done

    /// Nobody hears of this member any more, nor it of them; what is under way is lost.
    mutating func isolate(_ id: UInt64) {
        isolated.insert(id)
        post.removeAll { $0.message.from.rawValue == id || $0.message.to.rawValue == id }
    }

    mutating func rejoin(_ id: UInt64) { isolated.remove(id) }

    /// Writes, warns and delivers until there is nothing left to do.
    mutating func settle() throws {
        var isBusy = true
        while isBusy {
            isBusy = false
            for node in nodes where node.isUp {
                while !node.writes.isEmpty, !slow.contains(node.id), node.isUp {
                    isBusy = true
                    try write(node.id)
                }
                if node.isWarning {
                    isBusy = true
                    try warned(node.id)
                }
            }
            if !post.isEmpty {
                isBusy = true
                let letter = post.removeFirst()
                _ = try deliver(letter)
            }
        }
    }

    /// Lets time pass, tick by tick; everybody does what there is to do.
    mutating func pass(ticks: Int) throws {
        for _ in 0..<ticks {
            now += Self.tick
            for node in nodes where node.isUp {
                try step(node.id, .tick)
                try settle()
            }
        }
    }

    /// Moves the clocks alone.
    mutating func wait(ticks: UInt64) { now += ticks * Self.tick }

    /// Time passes for this member alone, until it leads and takes changes.
    mutating func elect(_ id: UInt64) throws {
        for _ in 0..<60 where !self[id].isWritable(now: now) {
            now += Self.tick
            try step(id, .tick)
            try settle()
        }
    }

    /// Loses the memory of a member, and starts it again from what its disk holds.
    mutating func restart(_ id: UInt64, cutBy generator: inout SplitMix64) throws {
        let node = node(id)
        node.disk = node.disk.crash(using: &generator)
        try node.restart(now: now)
    }

    // MARK: - What is there

    /// Whether the state of a member has this session.
    func holds(_ id: UInt64, _ session: String) throws -> Bool {
        try self[id].store.reader.header(.session, session) != nil
    }

    /// Everything in the state of a member.
    func state(_ id: UInt64) throws -> [[UInt8]] {
        var rows: [[UInt8]] = []
        try self[id].store.base.scan(from: [], below: [0xFF, 0xFF]) { key, value in
            rows.append((0..<key.count).map { key[$0] } + (0..<value.count).map { value[$0] })
            return true
        }
        return rows
    }

    /// The commands in the log of a member's disk.
    func commands(_ id: UInt64) throws -> [Command] {
        let log = node(id).storage.log
        return try log.entries(from: log.firstIndex, bytesMax: .max)
            .filter { $0.tag == 0 }
            .map { try Command(decoding: $0.payload) }
    }

    /// How often a history begins in the log of a member's disk.
    func beginnings(_ id: UInt64) throws -> Int {
        try commands(id).count { if case .beginHistory = $0.kind { true } else { false } }
    }
}

/// One of them; a class, because it has one disk.
final class GroupNode {
    let id: UInt64
    var replica: Replica
    var storage: MemberStorage<SimulatedDisk>
    var disk = SimulatedDisk()
    /// Asked for and not made.
    var writes: [(write: Write, state: RecordStore?)] = []
    var isWarning = false
    var isUp = true
    private var base: MemoryStore
    private let limits: ReplicaLimits

    init(
        _ id: UInt64,
        _ voters: [UInt64],
        _ base: MemoryStore,
        _ limits: ReplicaLimits,
        now: UInt64
    ) throws {
        self.id = id
        self.base = base
        self.limits = limits
        var store = try RecordStore(base)
        try store.bootstrap(GroupConfiguration(index: 0, voters: voters))
        (storage, replica) = try Self.start(id, disk, store, limits, now: now)
    }

    private static func start(
        _ id: UInt64,
        _ disk: SimulatedDisk,
        _ store: RecordStore,
        _ limits: ReplicaLimits,
        now: UInt64
    ) throws -> (MemberStorage<SimulatedDisk>, Replica) {
        let storage = try MemberStorage(
            opening: "/log",
            on: disk,
            member: MemberID(id),
            incarnation: id,
            state: store.metadata,
            limits: LogLimits(
                segmentSizeBytes: 8192,
                payloadSizeBytesMax: 2000,
                spareSegmentsMax: 0
            )
        )
        let replica = Replica(
            store,
            member: MemberID(id),
            recovery: try storage.recovery(over: store.metadata),
            limits: limits,
            seed: id,
            now: now
        )
        return (storage, replica)
    }

    func restart(now: UInt64) throws {
        base = base.crashed()
        (storage, replica) = try Self.start(id, disk, try RecordStore(base), limits, now: now)
        writes = []
        isWarning = false
        isUp = true
    }

    /// The state of a snapshot takes the place of the old one at one stroke.
    func install(_ state: RecordStore?) {
        if let new = state?.base as? MemoryStore { base = new }
    }

    /// Brings the state's own files up to date.
    func flush() throws { try base.flush() }
}

extension Result<Applied, ProposalError> {
    fileprivate var name: String {
        switch self {
        case .success: "success"
        case .failure(let error): "\(error)"
        }
    }
}
