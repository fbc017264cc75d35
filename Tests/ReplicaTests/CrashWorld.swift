// SPDX-License-Identifier: Apache-2.0

import Identity
import Log
import Raft
import Replica
import Store

/// A bug to plant, so that the checker shows what it is worth.
enum Plant {
    case none
    /// Says that a write is durable when it is handed to the disk.
    case answerBeforeSync
    /// Applies revocations without their being in the log.
    case forgetRevocations
}

/// What the checker found.
struct Violation: Error, CustomStringConvertible {
    var description: String
}

/// One replica on a disk that loses what was not synced and a store that loses what was not
/// flushed, driven from one seed, with a memory of everything that was acknowledged.
struct CrashWorld {
    private var random: SplitMix64
    private let plant: Plant
    /// Every other world revokes in the smallest steps.
    private let revokedTogetherMax: Int
    private var disk = SimulatedDisk()
    private var base = MemoryStore()
    private var storage: MemberStorage<SimulatedDisk>
    private var replica: Replica
    /// What was said to be durable and is not, where that bug is planted.
    private var late: [Write] = []
    private var now: UInt64 = 0
    private var nextID: UInt64 = 0
    private let at = Timestamp(seconds: 1_800_000_000)

    private var outbox: [Action] = []
    private var asked: [ProposalID: Wish] = [:]
    private var alive: Set<String> = []
    private var revoked: Set<String> = []
    /// Asked for and never answered: either outcome is right.
    private var unknown: Set<String> = []
    private var context: [String: Set<String>] = [:]

    private enum Wish {
        case create(String)
        case revoke(String)
        /// Every session of the user that was asked for before this number.
        case revokeUser(String, before: UInt64)
        case context(key: String, value: String)
    }

    private static let limits = LogLimits(
        segmentSizeBytes: 16 << 10,
        payloadSizeBytesMax: 8 << 10,
        spareSegmentsMax: 2
    )

    init(seed: UInt64, plant: Plant = .none) throws {
        random = SplitMix64(seed: seed)
        self.plant = plant
        revokedTogetherMax = seed % 2 == 0 ? 10_000 : 1
        (storage, replica) = try Self.start(disk, base, revokedTogetherMax, seed: seed, now: 0)
        try settle()
    }

    /// Opens what a crash, or nothing yet, has left.
    private static func start(
        _ disk: SimulatedDisk,
        _ base: MemoryStore,
        _ revokedTogetherMax: Int,
        seed: UInt64,
        now: UInt64
    ) throws -> (MemberStorage<SimulatedDisk>, Replica) {
        var store = try RecordStore(
            base,
            limits: StoreLimits(revokedTogetherMax: revokedTogetherMax)
        )
        try store.bootstrap(GroupConfiguration(index: 0, voters: [1]))
        let storage = try MemberStorage(
            opening: "/log",
            on: disk,
            member: MemberID(1),
            incarnation: 1,
            state: store.metadata,
            limits: limits
        )
        let replica = Replica(
            store,
            member: MemberID(1),
            recovery: try storage.recovery(over: store.metadata),
            seed: seed,
            now: now
        )
        return (storage, replica)
    }

    /// Lets the member lead and catch up with its log, as a node does before it serves.
    private mutating func settle() throws {
        step(.tick)
        while !outbox.isEmpty { try performNext() }
        guard replica.isWritable(now: now) else {
            throw Violation(description: "a member on its own does not lead")
        }
    }

    private mutating func step(_ event: Event) {
        outbox += replica.step(event, at: Moment(wall: at, monotonic: now))
    }

    /// Proposes, lets the disk work, flushes, lets time pass: in random order.
    mutating func run(steps: Int) throws {
        for _ in 0..<steps {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5: try propose()
            case 5..<8: try performNext()
            case 8:
                now += 1000
                step(.tick)
            default: try flush()
            }
        }
    }

    private mutating func propose() throws {
        nextID += 1
        let id = ProposalID(nextID)
        let user = "u\(Int.random(in: 0..<4, using: &random))"
        let kind: Command.Kind
        switch Int.random(in: 0..<8, using: &random) {
        case 0..<4:
            let session = "\(user)-s\(nextID)"
            asked[id] = .create(session)
            kind = try create(session, user)
        case 4..<6:
            guard let session = alive.sorted().randomElement(using: &random) else { return }
            asked[id] = .revoke(session)
            kind = .revoke(.session(session), reason: "test")
        case 6:
            guard alive.contains(where: { $0.hasPrefix("\(user)-") }) else { return }
            asked[id] = .revokeUser(user, before: nextID)
            kind = .revoke(.user(user), reason: "test")
        default:
            let value = "v\(nextID)"
            asked[id] = .context(key: user, value: value)
            kind = .put([try Document.parse(Array(value.utf8), type: .context, id: "risk/\(user)")])
        }
        now += 1
        step(.propose([Proposal(id: id, kind: kind)]))
    }

    private func create(_ session: String, _ user: String) throws -> Command.Kind {
        let json = Array(#"{"user_id":"\#(user)"}"#.utf8)
        return .put([try Document.parse(json, type: .session, id: session)])
    }

    private mutating func performNext() throws {
        guard !outbox.isEmpty else { return }
        switch outbox.removeFirst() {
        case .persist(let write, _): try persist(write)
        case .prepare: if Bool.random(using: &random) { step(.prepare) }
        case .warn: step(.warned)
        case .applied, .roleChanged: break
        case .reply(let id, .success): acknowledge(id)
        case .reply(let id, .failure): fail(id)
        case .discardLog(let index): try storage.discardPrefix(through: index)
        case .doubt: throw Violation(description: "who says so?")
        case .stop(let reason): throw Violation(description: "stopped: \(reason)")
        case .send, .sendSnapshot, .replaced: throw Violation(description: "to whom?")
        }
    }

    private mutating func persist(_ write: Write) throws {
        for write in late { try storage.perform(write) }
        late = []
        switch plant {
        case .answerBeforeSync where Bool.random(using: &random): late = [write]
        case .forgetRevocations:
            var write = write
            write.entries = try write.entries.map(Self.withoutRevocation)
            try storage.perform(write)
        default: try storage.perform(write)
        }
        step(.persisted(through: write.number))
    }

    private static func withoutRevocation(_ entry: Entry) throws -> Entry {
        guard case .payload(let payload) = entry.content else { return entry }
        var command = try Command(decoding: payload)
        guard case .revoke = command.kind else { return entry }
        command.kind = .put([])
        return Entry(term: entry.term, index: entry.index, content: .payload(command.encoded()))
    }

    private mutating func acknowledge(_ id: ProposalID) {
        switch asked.removeValue(forKey: id) {
        case .create(let session): alive.insert(session)
        case .revoke(let session): bury(session)
        case .revokeUser(let user, let number):
            sessions(of: user, before: number).forEach { bury($0) }
        case .context(let key, let value): context[key] = [value]
        case nil: break
        }
    }

    private func sessions(of user: String, before number: UInt64) -> [String] {
        alive.sorted().filter {
            $0.hasPrefix("\(user)-s") && UInt64($0.dropFirst(user.count + 2)) ?? .max < number
        }
    }

    private mutating func bury(_ session: String) {
        alive.remove(session)
        revoked.insert(session)
    }

    /// Refused: it did not happen.
    ///
    /// Anything else: it may have.
    private mutating func fail(_ id: ProposalID) {
        asked[id] = nil
    }

    private mutating func flush() throws {
        let index = replica.appliedIndex
        try base.flush()
        step(.flushed(through: index))
    }

    /// Loses what a crash loses, and starts again from what is left.
    mutating func crashAndRecover() throws {
        for id in asked.keys.sorted(by: { $0.rawValue < $1.rawValue }) {
            guard let wish = asked[id] else { continue }
            forget(wish)
        }
        asked = [:]
        outbox = []
        late = []
        disk = disk.crash(using: &random)
        base = base.crashed()
        let seed = random.next()
        (storage, replica) = try Self.start(disk, base, revokedTogetherMax, seed: seed, now: now)
        try settle()
    }

    private mutating func forget(_ wish: Wish) {
        switch wish {
        case .create(let session): unknown.insert(session)
        case .revoke(let session):
            if alive.remove(session) != nil { unknown.insert(session) }
        case .revokeUser(let user, let number):
            for session in sessions(of: user, before: number) {
                alive.remove(session)
                unknown.insert(session)
            }
        case .context(let key, let value): context[key, default: [""]].insert(value)
        }
    }

    /// Compares what is there with what was acknowledged.
    mutating func check() throws {
        let reader = replica.store.reader
        let found = Set(try reader.entries(in: .records(.session), after: 0, limit: .max).map(\.id))
        for session in alive.sorted() where !found.contains(session) {
            throw Violation(description: "\(session) was acknowledged and is lost")
        }
        for session in found.sorted() where revoked.contains(session) {
            throw Violation(description: "\(session) was revoked and is back")
        }
        for session in found.sorted() where !alive.contains(session) && !unknown.contains(session) {
            throw Violation(description: "\(session) was never asked for")
        }
        for session in revoked.sorted() {
            guard try reader.isRevoked(.session, session) else {
                throw Violation(description: "\(session) is not remembered as revoked")
            }
        }
        try checkContext(reader)
        settle(found)
    }

    private func checkContext(_ reader: RecordReader) throws {
        for key in context.keys.sorted() {
            let record = try reader.record(.context, "risk/\(key)")
            let value = try record.map {
                String(decoding: try Document.render($0.record), as: UTF8.self)
            }
            guard context[key]?.contains(value ?? "") == true else {
                throw Violation(description: "risk/\(key) is \(value ?? "absent")")
            }
        }
    }

    /// What was unknown is known now.
    private mutating func settle(_ found: Set<String>) {
        for session in unknown.sorted() where found.contains(session) { alive.insert(session) }
        unknown = []
        for key in context.keys.sorted() {
            let record = try? replica.store.reader.record(.context, "risk/\(key)")
            guard let record, let bytes = try? Document.render(record.record) else { continue }
            context[key] = [String(decoding: bytes, as: UTF8.self)]
        }
    }
}
