// SPDX-License-Identifier: Apache-2.0

@testable import Raft
@testable import Simulation

/// The rules of the log, of the group and of what the owner is told.
extension Play {
    private typealias S = Script

    static func logs(_ rule: Rule) -> Play {
        let first = LogPosition(index: 1, term: 1)
        let ack = S.message(2, 1, S.accepted(1))
        let propose = Input.propose(RequestID(1), [[1]])
        let taken: [Effect] = [
            .accepted(RequestID(1), term: 1, 2...2), S.write(3, [S.entry(2, S.payload)]),
        ]
        let next = S.message(1, 2, S.append([S.entry(2, S.payload)], behind: first))
        let again = S.message(1, 2, S.append([S.entry(1)]))
        let proposes: Act = {
            try $0.follow()
            try $0.step(1, propose, taken + [.send(next)])
        }
        switch rule {
        case .appendOnly:
            return Play(
                { try $0.lead() },
                good: { try $0.step(1, propose, taken) },
                bad: { try $0.step(1, .tick, [S.write(3, [S.entry(2, S.payload)])]) }
            )
        case .sentEntries:
            return Play(
                { try $0.lead() },
                good: { try $0.step(1, propose, taken + [.send(next)]) },
                bad: { try $0.step(1, .tick, [.send(next)]) }
            )
        case .consistency:
            return Play(
                proposes,
                good: { try $0.step(2, .receive(next), [S.write(3, [S.entry(2, S.payload)])]) },
                bad: { try $0.step(2, .receive(next), [S.write(3, [S.entry(2)])]) }
            )
        case .truncation:
            return Play(
                { try $0.follow() },
                good: { try $0.step(2, .receive(again)) },
                bad: { try $0.step(2, .receive(again), [S.write(3, [S.entry(1)], from: 1)]) }
            )
        default:
            return Play(
                { try $0.follow() },
                good: { try $0.step(2, .persisted(through: 2), [.send(ack)]) },
                bad: { try $0.step(2, .tick, [.send(ack)]) }
            )
        }
    }

    static func commits(_ rule: Rule) -> Play {
        let first = LogPosition(index: 1, term: 1)
        let ack = S.message(2, 1, S.accepted(1))
        let propose = Input.propose(RequestID(1), [[1]])
        let taken: [Effect] = [
            .accepted(RequestID(1), term: 1, 2...2), S.write(3, [S.entry(2, S.payload)]),
        ]
        switch rule {
        case .count:
            return Play(
                { try $0.acknowledge() },
                good: {
                    try $0.step(1, .receive(ack))
                    try $0.step(1, .persisted(through: 2)) { $0.commitIndex = 1 }
                },
                bad: { try $0.step(1, .receive(ack)) { $0.commitIndex = 1 } }
            )
        case .proven:
            return Play(
                { try $0.commit() },
                good: { try $0.step(1, .tick, [.send(S.message(1, 3, S.heartbeat(0)))]) },
                bad: { try $0.step(1, .tick, [.send(S.message(1, 3, S.heartbeat(1)))]) }
            )
        case .stateMachineSafety:
            let news = S.message(1, 2, S.append([], behind: first, commit: 1))
            return Play(
                {
                    try $0.commit()
                    try $0.step(1, .tick, [.send(news)])
                },
                good: { try $0.step(2, .receive(news)) { $0.commitIndex = 1 } },
                bad: {
                    $0.model.committed = S.root
                    try $0.step(2, .receive(news)) { $0.commitIndex = 1 }
                }
            )
        case .apply:
            return Play(
                {
                    try $0.answer()
                    try $0.step(1, propose, taken)
                },
                good: { try $0.step(1, .tick) },
                bad: { try $0.step(1, .tick, [.apply([S.entry(1)])]) }
            )
        default: return durableApply
        }
    }

    /// Members 2 and 3 are a majority without the leader's own disk.
    private static var durableApply: Play {
        let ack = S.message(2, 1, S.accepted(1))
        let other = S.message(3, 1, S.accepted(1))
        return Play(
            { script in
                try script.acknowledge()
                try script.step(
                    3,
                    .receive(S.message(1, 3, S.append([S.entry(1)]))),
                    [
                        S.role(.follower, leader: 1),
                        S.write(1, [S.entry(1)], vote: S.vote(nil)),
                    ]
                )
                try script.step(3, .persisted(through: 1), [.send(other)])
                try script.step(1, .receive(ack))
            },
            good: {
                try $0.step(1, .receive(other)) { $0.commitIndex = 1 }
                try $0.step(1, .persisted(through: 2), [.apply([S.entry(1)])])
            },
            bad: {
                try $0.step(1, .receive(other), [.apply([S.entry(1)])]) { $0.commitIndex = 1 }
            }
        )
    }

    // MARK: - Snapshots and members

    static func snapshots(_ rule: Rule) -> Play {
        let first = LogPosition(index: 1, term: 1)
        let snapshot = Snapshot(position: first, configuration: S.group)
        let sends = S.message(1, 2, .snapshot(snapshot))
        switch rule {
        case .snapshot:
            return Play(
                { try $0.acknowledge() },
                good: { try $0.step(1, .tick) },
                bad: { try $0.step(1, .tick, [.send(sends)]) }
            )
        case .retain:
            let sent: Act = {
                try $0.commit()
                try $0.step(1, .tick, [.send(sends)])
            }
            return Play(
                sent,
                good: { try $0.step(2, .receive(sends)) { $0.commitIndex = 1 } },
                bad: {
                    try $0.step(2, .receive(sends), [S.write(3, snapshot: snapshot)]) {
                        $0.commitIndex = 1
                    }
                }
            )
        default:
            let begin = Snapshot(bootstrapping: S.group)
            return Play(
                {
                    try $0.grant()
                    try $0.model.accept(.crashed(MemberID(2)))
                },
                good: { try $0.start(2, Recovery(hardState: S.vote(1), snapshot: begin)) },
                bad: { try $0.start(2, Recovery(snapshot: begin)) }
            )
        }
    }

    static func changes(_ rule: Rule) -> Play {
        let add = Input.changeMembership(RequestID(1), .addLearner(MemberID(4)))
        let grown = Configuration(voters: S.group.voters, learners: [MemberID(4)])
        let adds: [Effect] = [S.write(3, [S.entry(2, .configuration(grown))])]
        let promote = Input.changeMembership(RequestID(2), .promote(MemberID(4)))
        let larger = Configuration(voters: grown.members)
        switch rule {
        case .oneChange:
            return Play(
                {
                    try $0.commit()
                    try $0.step(1, add, adds) { $0.configuration = grown }
                },
                good: { try $0.step(1, promote, [.refused(RequestID(2), .busy)]) },
                bad: {
                    let promotes = S.write(4, [S.entry(3, .configuration(larger))])
                    try $0.step(1, promote, [promotes]) { $0.configuration = larger }
                }
            )
        case .ownTermChange:
            return Play(
                { try $0.lead() },
                good: { try $0.step(1, add, [.refused(RequestID(1), .busy)]) },
                bad: { try $0.step(1, add, adds) { $0.configuration = grown } }
            )
        case .change:
            return Play(
                { try $0.commit() },
                good: { try $0.step(1, add, adds) { $0.configuration = grown } },
                bad: {
                    let voter = [S.write(3, [S.entry(2, .configuration(larger))])]
                    try $0.step(1, add, voter) { $0.configuration = larger }
                }
            )
        default:
            return Play(
                { try $0.commit() },
                good: { try $0.step(1, add, adds) { $0.configuration = grown } },
                bad: { try $0.step(1, add, adds) }
            )
        }
    }

    // MARK: - What the owner is told

    static func owners(_ rule: Rule) -> Play {
        let answer = S.message(2, 1, S.answer)
        let reading = FreshnessEcho(reading: S.reading, index: 1)
        switch rule {
        case .transfer:
            return Play(
                { try $0.commit() },
                good: { try $0.step(1, .tick, [.send(S.message(1, 2, .timeoutNow))]) },
                bad: { try $0.step(1, .tick, [.send(S.message(1, 3, .timeoutNow))]) }
            )
        case .read:
            // The round that is answered began before the first read and after no other.
            return Play(
                { try $0.commit() },
                good: {
                    try $0.step(1, .read(RequestID(1)))
                    let round = Stamp(round: 2, clock: 1000)
                    let asks = S.message(
                        1,
                        2,
                        .heartbeat(Heartbeat(commit: 1, stamp: round))
                    )
                    let says = S.message(
                        2,
                        1,
                        .heartbeatReply(HeartbeatReply(stamp: round, reading: S.reading))
                    )
                    try $0.step(1, .tick, [.send(asks)])
                    try $0.step(2, .receive(asks), [.send(says)]) { $0.commitIndex = 1 }
                    try $0.step(1, .receive(says), [.readReady(RequestID(1), 1)])
                },
                bad: {
                    try $0.step(1, .tick, [.send(S.message(1, 2, S.heartbeat(1)))])
                    try $0.step(1, .read(RequestID(1)), [.readReady(RequestID(1), 1)])
                }
            )
        case .lease:
            return Play(
                { try $0.answer() },
                good: { try $0.step(1, .receive(answer), [.lease(until: 1066)]) },
                bad: { try $0.step(1, .receive(answer), [.lease(until: 1067)]) }
            )
        default:
            let echo = S.message(1, 2, S.heartbeat(1, reading))
            return Play(
                {
                    try $0.answer()
                    try $0.step(1, .receive(answer), [.send(echo)])
                    try $0.step(2, .receive(echo))
                },
                good: {
                    try $0.step(2, .applied(through: 1), [.fresh(asOf: 1000)]) {
                        $0.appliedIndex = 1
                    }
                },
                bad: { try $0.step(2, .tick, [.fresh(asOf: 1000)]) }
            )
        }
    }
}
