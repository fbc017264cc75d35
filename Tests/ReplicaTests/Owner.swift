// SPDX-License-Identifier: Apache-2.0

import Identity
import Raft
import Replica
import Store

/// Whoever owns a replica: gives it the time, and says what it wants done in words.
struct Owner {
    var replica: Replica
    var wall = Timestamp(seconds: 1_800_000_000)
    var now: UInt64 = 1
    /// What was done, by the answers of this owner's single steps.
    private(set) var answers: [ProposalID: Applied] = [:]
    private var lastWrite: UInt64 = 0

    /// A member of a group; the first of `voters`.
    ///
    /// On its own it is started until it takes changes.
    init(
        _ base: MemoryStore,
        voters: [UInt64] = [1],
        options: Options = Options(),
        limits: ReplicaLimits = ReplicaLimits(),
        revokedTogetherMax: Int = Limits.revokedTogetherMax,
        isStarted: Bool = true
    ) throws {
        var store = try RecordStore(
            base,
            limits: StoreLimits(revokedTogetherMax: revokedTogetherMax)
        )
        try store.bootstrap(GroupConfiguration(index: 0, voters: voters))
        guard let snapshot = Snapshot(describing: store.metadata) else { throw NoGroup() }
        replica = Replica(
            store,
            member: MemberID(voters[0]),
            recovery: Recovery(snapshot: snapshot),
            options: options,
            limits: limits,
            seed: 1,
            now: now
        )
        if isStarted, voters.count == 1 { run(.tick) }
    }

    private struct NoGroup: Error {}

    /// Hands an event over and tells what is to be done.
    @discardableResult
    mutating func step(_ event: Event) -> [String] {
        let actions = replica.step(event, at: Moment(wall: wall, monotonic: now))
        for action in actions {
            if case .reply(let id, .success(let applied)) = action { answers[id] = applied }
        }
        return actions.map(\.name)
    }

    /// Performs everything at once, as a disk without latency would.
    mutating func run(_ event: Event) {
        let moment = Moment(wall: wall, monotonic: now)
        var actions = replica.step(event, at: moment)[...]
        while let action = actions.popFirst() {
            switch action {
            case .persist(let write, _):
                actions += replica.step(.persisted(through: write.number), at: moment)
            case .prepare: actions += replica.step(.prepare, at: moment)
            case .warn: actions += replica.step(.warned, at: moment)
            default: break
            }
        }
    }
}

extension Action {
    /// What a test reads.
    var name: String {
        switch self {
        case .persist(let write, _): "persist \(write.number) \(write.name)"
        case .prepare: "prepare"
        case .send(let message): "send \(message.to) \(message.name)"
        case .sendSnapshot(let message): "send \(message.to) snapshot"
        case .warn(.of): "warn"
        case .warn(.everything): "warn everything"
        case .applied: "applied"
        case .replaced: "replaced"
        case .reply(let id, .success): "reply \(id.rawValue) success"
        case .reply(let id, .failure(let error)): "reply \(id.rawValue) \(error)"
        case .roleChanged(let change): "\(change.role) \(change.term)"
        case .discardLog(let index): "discard \(index)"
        case .doubt: "doubt"
        case .stop: "stop"
        }
    }
}

extension Write {
    fileprivate var name: String {
        var parts: [String] = []
        if let snapshot { parts.append("snapshot \(snapshot.position.index)") }
        if let truncateFrom { parts.append("truncate \(truncateFrom)") }
        if let first = entries.first, let last = entries.last {
            parts.append("\(first.index)...\(last.index)")
        }
        if let hardState { parts.append(hardState.vote == nil ? "term" : "vote") }
        return parts.joined(separator: " ")
    }
}

extension Message {
    fileprivate var name: String {
        String("\(kind)".prefix { $0.isLetter })
    }
}
