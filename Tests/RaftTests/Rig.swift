// SPDX-License-Identifier: Apache-2.0

@testable import Raft

/// One member of a group whose other members are played by the test.
struct Rig {
    var member: Member
    var now: UInt64 = 1_000_000_000
    /// What came out of the last step.
    var effects: [Effect] = []
    /// Whether writes are durable at once.
    var isDiskInstant = true

    static let me = MemberID(1)

    /// A member 1 of a group of 1 to `voters`.
    init(
        voters: UInt64 = 3,
        term: Term = 0,
        vote: MemberID? = nil,
        entries: [Entry] = [],
        appliedIndex: LogIndex = 0,
        options: Options = Options()
    ) {
        let configuration = Configuration(voters: (1...voters).map { MemberID($0) })
        let recovery = Recovery(
            hardState: HardState(term: term, vote: vote),
            snapshot: Snapshot(bootstrapping: configuration),
            entries: entries,
            appliedIndex: appliedIndex
        )
        member = Member(
            id: Self.me,
            recovery: recovery,
            options: options,
            generator: FixedGenerator(remainder: 0),
            now: now
        )
    }

    /// Steps; an instant disk answers, and its effects come behind the others.
    @discardableResult
    mutating func step(_ input: Input) -> [Effect] {
        effects = member.step(input, at: now)
        var done = 0
        while isDiskInstant, done < effects.count {
            if case .persist(let write) = effects[done] {
                effects += member.step(.persisted(through: write.number), at: now)
            }
            done += 1
        }
        return effects
    }

    @discardableResult
    mutating func receive(_ kind: Message.Kind, from sender: UInt64, term: Term) -> [Effect] {
        step(
            .receive(Message(from: MemberID(sender), to: Self.me, term: term, kind: kind))
        )
    }

    mutating func tick(_ count: Int = 1) {
        var all: [Effect] = []
        for _ in 0..<count {
            now += member.options.tickNanoseconds
            all += step(.tick)
        }
        effects = all
    }

    /// The messages of the last step.
    var sent: [Message] {
        effects.compactMap { effect in
            if case .send(let message) = effect { message } else { nil }
        }
    }

    var writes: [Write] {
        effects.compactMap { effect in
            if case .persist(let write) = effect { write } else { nil }
        }
    }

    func sent(to id: UInt64) -> [Message.Kind] {
        sent.filter { $0.to == MemberID(id) }.map(\.kind)
    }

    /// The appends of the last step for one member.
    func appends(to id: UInt64) -> [Append] {
        sent(to: id).compactMap { kind in
            if case .append(let append) = kind { append } else { nil }
        }
    }

    /// What the last step answered to an append.
    var outcomes: [AppendReply.Outcome] {
        sent.compactMap { message in
            if case .appendReply(let reply) = message.kind { reply.outcome } else { nil }
        }
    }

    /// Lets the own timer go off, and 2 grant what is asked for.
    mutating func becomeCandidate() {
        tick(10)
        receive(.preVoteReply(isGranted: true), from: 2, term: member.term + 1)
        if member.configuration.voters.count > 3 {
            receive(.preVoteReply(isGranted: true), from: 3, term: member.term + 1)
        }
    }

    mutating func becomeLeader() {
        becomeCandidate()
        receive(.voteReply(isGranted: true), from: 2, term: member.term)
        if member.configuration.voters.count > 3 {
            receive(.voteReply(isGranted: true), from: 3, term: member.term)
        }
    }

    /// An acknowledgement that answers everything sent until now.
    @discardableResult
    mutating func accept(_ match: LogIndex, from sender: UInt64) -> [Effect] {
        receive(.appendReply(reply(.accepted(match: match))), from: sender, term: member.term)
    }

    func reply(_ outcome: AppendReply.Outcome) -> AppendReply {
        let stamp = Stamp(round: member.leadership.round, clock: now)
        return AppendReply(outcome: outcome, stamp: stamp, reading: Reading(run: 9, clock: now))
    }

    func append(
        after previous: LogPosition = LogPosition(index: 0, term: 0),
        _ entries: [Entry] = [],
        commit: LogIndex = 0
    ) -> Message.Kind {
        let stamp = Stamp(round: 1, clock: 1)
        return .append(
            Append(previous: previous, entries: entries, commit: commit, stamp: stamp)
        )
    }
}

/// Entries of these terms from index 1 on.
func log(_ terms: Term..., from first: LogIndex = 1) -> [Entry] {
    terms.enumerated().map { offset, term in
        Entry(term: term, index: first + LogIndex(offset), content: .payload(bytes("\(term)")))
    }
}

func position(_ index: LogIndex, _ term: Term) -> LogPosition {
    LogPosition(index: index, term: term)
}
