// SPDX-License-Identifier: Apache-2.0

@testable import Raft
@testable import Simulation

/// A trace that is written by hand: members 1 to 3 are a group, 4 is empty and waits to be added.
///
/// T is 100; everybody begins at 0, and most of it happens at 1000. The scenes are what the thesis
/// allows, and each goes on where the one before it ended.
struct Script {
    static let group = Configuration(voters: [1, 2, 3].map { MemberID($0) })
    static let root = LogPosition(index: 0, term: 0)
    static let stamp = Stamp(round: 1, clock: 1000)
    static let reading = Reading(run: 7, clock: 1000)

    var model = ReferenceModel(electionTimeoutNanoseconds: 100)
    var seen: [UInt64: Observation] = [:]

    init() throws {
        for id in UInt64(1)...4 { try start(id) }
    }

    mutating func start(_ id: UInt64, _ recovery: Recovery? = nil) throws {
        let configuration = id == 4 ? Configuration(voters: []) : Self.group
        let blank = Recovery(snapshot: Snapshot(bootstrapping: configuration))
        let found = recovery ?? blank
        try model.accept(.started(MemberID(id), at: recovery == nil ? 0 : 1000, found))
        seen[id] = Observation(
            role: .follower,
            term: found.hardState.term,
            commitIndex: found.appliedIndex,
            appliedIndex: found.appliedIndex,
            last: found.entries.last?.position ?? found.snapshot.position,
            configuration: configuration
        )
    }

    mutating func step(
        _ id: UInt64,
        _ input: Input,
        _ effects: [Effect] = [],
        at now: UInt64 = 1000,
        _ change: (inout Observation) -> Void = { _ in }
    ) throws {
        guard var after = seen[id] else { return }
        for effect in effects {
            switch effect {
            case .roleChanged(let role):
                after.role = role.role
                after.term = role.term
            case .persist(let write):
                after.last = write.entries.last?.position ?? after.last
            default: break
            }
        }
        change(&after)
        seen[id] = after
        try model.accept(.stepped(MemberID(id), at: now, input, effects, after))
    }

    // MARK: - Words

    static func message(
        _ from: UInt64,
        _ to: UInt64,
        _ kind: Message.Kind,
        term: Term = 1
    ) -> Message {
        Message(from: MemberID(from), to: MemberID(to), term: term, kind: kind)
    }

    static func role(_ role: Role, _ term: Term = 1, leader: UInt64? = nil) -> Effect {
        let leader = leader.map { MemberID($0) }
        return .roleChanged(
            RoleChange(role: role, term: term, leader: leader, cause: .electionTimeout)
        )
    }

    static func write(
        _ number: UInt64,
        _ entries: [Entry] = [],
        from truncateFrom: LogIndex? = nil,
        snapshot: Snapshot? = nil,
        vote: HardState? = nil
    ) -> Effect {
        .persist(
            Write(
                number: number,
                snapshot: snapshot,
                truncateFrom: truncateFrom,
                entries: entries,
                hardState: vote
            )
        )
    }

    static func vote(_ id: UInt64?, term: Term = 1) -> HardState {
        HardState(term: term, vote: id.map { MemberID($0) })
    }

    static func entry(_ index: LogIndex, _ content: Entry.Content = .empty) -> Entry {
        Entry(term: 1, index: index, content: content)
    }

    static let payload = Entry.Content.payload([1])

    static func append(
        _ entries: [Entry],
        behind previous: LogPosition = root,
        commit: LogIndex = 0
    ) -> Message.Kind {
        .append(Append(previous: previous, entries: entries, commit: commit, stamp: stamp))
    }

    static func accepted(_ match: LogIndex) -> Message.Kind {
        .appendReply(
            AppendReply(outcome: .accepted(match: match), stamp: stamp, reading: reading)
        )
    }

    static func heartbeat(_ commit: LogIndex, _ echo: FreshnessEcho? = nil) -> Message.Kind {
        .heartbeat(Heartbeat(commit: commit, stamp: stamp, echo: echo))
    }

    static let answer = Message.Kind.heartbeatReply(HeartbeatReply(stamp: stamp, reading: reading))

    // MARK: - Scenes

    /// Member 1 asks whether others would vote for it, and 2 would.
    mutating func preVote() throws {
        let ask = Message.Kind.preVote(last: Self.root)
        let asked = [2, 3].map { Effect.send(Self.message(1, $0, ask)) }
        try step(1, .tick, [Self.role(.preCandidate, 0)] + asked)
        let willing = Self.message(2, 1, .preVoteReply(isGranted: true))
        try step(2, .receive(Self.message(1, 2, ask)), [.send(willing)])
    }

    mutating func campaign() throws {
        try preVote()
        try step(
            1,
            .receive(Self.message(2, 1, .preVoteReply(isGranted: true))),
            [Self.role(.candidate), Self.write(1, vote: Self.vote(1))]
        )
        let request = Self.message(1, 2, .vote(last: Self.root, isTransfer: false))
        try step(1, .persisted(through: 1), [.send(request)])
    }

    /// Member 2 votes for 1, durably.
    mutating func grant() throws {
        try campaign()
        let request = Self.message(1, 2, .vote(last: Self.root, isTransfer: false))
        try step(
            2,
            .receive(request),
            [Self.role(.follower), Self.write(1, vote: Self.vote(1))]
        )
        let reply = Self.message(2, 1, .voteReply(isGranted: true))
        try step(2, .persisted(through: 1), [.send(reply)])
    }

    /// Member 1 leads; its first entry is on its way to the disk and to 2 and 3.
    mutating func lead() throws {
        try grant()
        let appends = [2, 3].map {
            Effect.send(Self.message(1, $0, Self.append([Self.entry(1)])))
        }
        try step(
            1,
            .receive(Self.message(2, 1, .voteReply(isGranted: true))),
            [Self.role(.leader, leader: 1), Self.write(2, [Self.entry(1)])] + appends
        )
    }

    /// Member 2 has the first entry; the write is on its way.
    mutating func follow() throws {
        try lead()
        try step(
            2,
            .receive(Self.message(1, 2, Self.append([Self.entry(1)]))),
            [Self.role(.follower, leader: 1), Self.write(2, [Self.entry(1)])]
        )
    }

    mutating func acknowledge() throws {
        try follow()
        try step(2, .persisted(through: 2), [.send(Self.message(2, 1, Self.accepted(1)))])
    }

    /// The first entry is committed.
    mutating func commit() throws {
        try acknowledge()
        try step(1, .persisted(through: 2))
        try step(
            1,
            .receive(Self.message(2, 1, Self.accepted(1))),
            [.apply([Self.entry(1)])]
        ) { $0.commitIndex = 1 }
        try step(1, .applied(through: 1)) { $0.appliedIndex = 1 }
    }

    /// Member 2 has answered the leader's round 1.
    mutating func answer() throws {
        try commit()
        try step(1, .tick, [.send(Self.message(1, 2, Self.heartbeat(1)))])
        try step(
            2,
            .receive(Self.message(1, 2, Self.heartbeat(1))),
            [.send(Self.message(2, 1, Self.answer)), .apply([Self.entry(1)])]
        ) { $0.commitIndex = 1 }
    }
}
