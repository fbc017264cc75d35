// SPDX-License-Identifier: Apache-2.0

@testable import Raft

/// One member among peers that say anything; its owner keeps to the rules.
struct Fuzz {
    /// How far it got, to tell that it got anywhere.
    struct Seen {
        var leaderships = 0
        var truncations = 0
        var snapshots = 0
        var stops = 0

        mutating func add(_ other: Seen) {
            leaderships += other.leaderships
            truncations += other.truncations
            snapshots += other.snapshots
            stops += other.stops
        }
    }

    static let me = MemberID(1)

    var generator: SeededGenerator
    var member: Member
    var storage: Storage
    var writes: [Write] = []
    var now: UInt64 = 1_000_000_000
    /// The last index that the state is at or will be: given out to be applied, or a snapshot's.
    var handedIndex: LogIndex = 0
    /// The last entry that was given out to be applied.
    var givenIndex: LogIndex = 0
    var nextRequest: UInt64 = 0
    var steps = 0
    var seen = Seen()

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        let voters = (1...UInt64(1 + generator.number(below: 5))).map { MemberID($0) }
        storage = Storage(Snapshot(bootstrapping: Configuration(voters: voters)))
        member = Self.start(storage, &generator, now)
    }

    private static func start(
        _ storage: Storage,
        _ generator: inout SeededGenerator,
        _ now: UInt64
    ) -> Member {
        var options = Options()
        options.electionTicks = 4
        options.inFlightMessagesMax = 2
        options.appendBytesMax = 60
        return Member(
            id: me,
            recovery: storage.recovery,
            options: options,
            generator: SeededGenerator(seed: generator.next()),
            now: now
        )
    }

    /// A crash; of the writes under way a prefix survives.
    private mutating func restart() {
        let survivors = generator.number(below: writes.count + 1)
        for write in writes.prefix(survivors) { storage.perform(write) }
        writes = []
        member = Self.start(storage, &generator, now)
        handedIndex = storage.appliedIndex
        givenIndex = storage.appliedIndex
    }

    mutating func run(steps count: Int) throws(Violation) {
        for _ in 0..<count {
            steps += 1
            now += UInt64(generator.number(below: 30_000_000))
            if member.role == .stopped { seen.stops += 1 }
            if member.role == .stopped || generator.chance(1) { restart() }
            try act()
        }
    }

    private mutating func act() throws(Violation) {
        switch generator.number(below: 100) {
        case 0..<60: try step(.receive(message()))
        case 60..<75: try step(.tick)
        case 75..<88: try sync()
        case 88..<92: try step(.applied(through: givenIndex))
        case 92..<94: try compact()
        default: try step(request())
        }
    }

    private mutating func step(_ input: Input) throws(Violation) {
        let before = (member.term, member.commitIndex, member.appliedIndex)
        for effect in member.step(input, at: now) { try check(effect) }
        let after = (member.term, member.commitIndex, member.appliedIndex)
        guard after.0 >= before.0, after.1 >= before.1, after.2 >= before.2 else {
            throw Violation("\(input): from \(before) back to \(after)")
        }
        guard member.commitIndex <= member.lastPosition.index else {
            throw Violation("\(input): commits beyond the log")
        }
    }

    private mutating func check(_ effect: Effect) throws(Violation) {
        switch effect {
        case .persist(let write):
            if write.truncateFrom != nil { seen.truncations += 1 }
            if let snapshot = write.snapshot {
                seen.snapshots += 1
                handedIndex = snapshot.position.index
            }
            writes.append(write)
        case .apply(let entries):
            guard entries.first?.index == handedIndex + 1 else {
                throw Violation("applies \(entries) behind \(handedIndex)")
            }
            handedIndex += LogIndex(entries.count)
            givenIndex = handedIndex
            guard handedIndex <= storage.lastIndex else {
                throw Violation("applies what is not on its disk")
            }
        case .send(let message): try check(message)
        case .roleChanged(let change):
            if change.role == .leader { seen.leaderships += 1 }
        default: break
        }
    }

    /// What a promise speaks of is on the disk, as one crash later would find it.
    private func check(_ message: Message) throws(Violation) {
        let state = storage.hardState
        switch message.kind {
        case .voteReply(true):
            guard state == HardState(term: message.term, vote: message.to) else {
                throw Violation("gives a vote that its disk does not know: \(message)")
            }
        case .vote(let last, _):
            guard state == HardState(term: message.term, vote: Self.me),
                storage.lastIndex == last.index
            else { throw Violation("asks for votes for what it may forget: \(message)") }
        case .appendReply(let reply):
            guard case .accepted(let match) = reply.outcome else { break }
            guard state.term == message.term, storage.lastIndex >= match else {
                throw Violation("acknowledges what it may lose: \(message)")
            }
        default: break
        }
    }

    // MARK: - The owner, who keeps to the rules

    /// One write at a time, so that the disk never holds more than what is said speaks of.
    private mutating func sync() throws(Violation) {
        guard let write = writes.first else { return }
        writes.removeFirst()
        storage.perform(write)
        try step(.persisted(through: write.number))
    }

    private mutating func compact() throws(Violation) {
        let index = LogIndex(generator.number(below: Int(member.appliedIndex) + 1))
        try step(.snapshotTaken(at: member.appliedIndex))
        // While an installed snapshot is on its way the disk still holds the state before.
        guard !member.durability.isInstalling, index > storage.snapshot.position.index,
            let snapshot = member.snapshot(at: index)
        else { return }
        storage.keep(snapshot)
        try step(.compact(through: index))
    }

    private mutating func request() -> Input {
        nextRequest += 1
        let id = RequestID(nextRequest)
        let target = peer()
        switch generator.number(below: 10) {
        case 0: return .read(id)
        case 1: return .changeMembership(id, .addLearner(target))
        case 2: return .changeMembership(id, .promote(target))
        case 3: return .changeMembership(id, .remove(generator.chance(20) ? Self.me : target))
        case 4: return .transferLeadership(to: generator.chance(50) ? target : nil)
        case 5: return .suspectLeader(target)
        case 6: return .snapshotSent(to: target, succeeded: generator.chance(50))
        case 7: return .unreachable(target)
        default:
            let count = generator.number(below: 3)
            return .propose(id, (0..<count).map { bytes("\(nextRequest).\($0)") })
        }
    }
}
