// SPDX-License-Identifier: Apache-2.0

import Identity
import Raft
import Replica
import Store

/// Member 1 of a group of three, with its disk and mounts; member 2 says yes to everything, and
/// member 3 is whoever the test wants it to be.
struct Trio {
    var owner: Owner
    /// Whether member 2 answers.
    var isPeerUp = true
    /// Whether it writes down what it is sent; it gives signs of life anyhow.
    var isPeerDiskUp = true
    /// Whether the disk does its work; what it owes is done once it does again.
    var isDiskUp = true
    /// Whether readers are told when they are to be.
    var isWarning = true
    /// What was answered, in order.
    private(set) var replies: [String] = []
    private(set) var sent: [Message] = []
    private(set) var writes: [Write] = []

    init(_ base: MemoryStore, limits: ReplicaLimits = ReplicaLimits()) throws {
        owner = try Owner(base, voters: [1, 2, 3], limits: limits)
    }

    var replica: Replica { owner.replica }

    /// Hands an event over and performs all that follows from it.
    mutating func feed(_ event: Event) {
        var events = [event][...]
        while let next = events.popFirst() {
            let moment = Moment(wall: owner.wall, monotonic: owner.now)
            for action in owner.replica.step(next, at: moment) {
                switch action {
                case .persist(let write, _):
                    writes.append(write)
                    if isDiskUp { events.append(.persisted(through: write.number)) }
                case .warn: if isWarning { events.append(.warned) }
                case .send(let message):
                    sent.append(message)
                    if let answer = answer(message) { events.append(.receive(answer)) }
                case .reply: replies.append(action.name)
                default: break
                }
            }
        }
    }

    /// The disk makes all that it owes.
    mutating func catchUp() {
        isDiskUp = true
        if let last = writes.last { feed(.persisted(through: last.number)) }
    }

    /// Lets time pass, a tick at a time.
    mutating func pass(ticks: Int) {
        for _ in 0..<ticks {
            owner.now += 50_000_000
            feed(.tick)
        }
    }

    /// Lets the member win an election.
    mutating func lead() {
        pass(ticks: 25)
    }

    /// What member 3 says in a term.
    mutating func hear(_ kind: Message.Kind, term: Term) {
        feed(.receive(Message(from: MemberID(3), to: MemberID(1), term: term, kind: kind)))
    }

    mutating func propose(_ numbers: ClosedRange<UInt64>) throws {
        let proposals = try numbers.map { number in
            let json = Array(#"{"user_id":"alice"}"#.utf8)
            let write = try Document.parse(json, type: .session, id: "s\(number)")
            return Proposal(id: ProposalID(number), kind: .put([write]))
        }
        feed(.propose(proposals))
    }

    private func answer(_ message: Message) -> Message? {
        guard isPeerUp, message.to == MemberID(2) else { return nil }
        let reading = Reading(run: 2, clock: owner.now)
        let kind: Message.Kind
        switch message.kind {
        case .preVote: kind = .preVoteReply(isGranted: true)
        case .vote: kind = .voteReply(isGranted: true)
        case .append(let append):
            guard isPeerDiskUp else { return nil }
            let match = append.previous.index + LogIndex(append.entries.count)
            kind = .appendReply(
                AppendReply(
                    outcome: .accepted(match: match),
                    stamp: append.stamp,
                    reading: reading
                )
            )
        case .heartbeat(let heartbeat):
            kind = .heartbeatReply(HeartbeatReply(stamp: heartbeat.stamp, reading: reading))
        default: return nil
        }
        return Message(from: message.to, to: message.from, term: message.term, kind: kind)
    }
}
