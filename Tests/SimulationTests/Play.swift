// SPDX-License-Identifier: Apache-2.0

@testable import Raft
@testable import Simulation

/// What leads up to a rule, then once what it allows and once what it forbids.
struct Play {
    typealias Act = (inout Script) throws -> Void

    var scene: Act
    var good: Act
    var bad: Act

    private typealias S = Script

    init(_ scene: @escaping Act = { _ in }, good: @escaping Act, bad: @escaping Act) {
        self.scene = scene
        self.good = good
        self.bad = bad
    }

    static func of(_ rule: Rule) -> Play {
        switch rule {
        case .trace, .observation, .stop, .invention, .term, .durableTerm, .leader: roles(rule)
        case .vote, .durableVote, .restriction, .majority: votes(rule)
        case .request, .preVote, .stickiness, .campaign, .electionSafety, .leaderCompleteness:
            campaigns(rule)
        case .appendOnly, .sentEntries, .consistency, .truncation, .acknowledgement: logs(rule)
        case .count, .proven, .stateMachineSafety, .apply, .durableApply: commits(rule)
        case .snapshot, .retain, .recovery: snapshots(rule)
        case .oneChange, .ownTermChange, .change, .configuration: changes(rule)
        case .transfer, .read, .lease, .freshness: owners(rule)
        }
    }

    private static func roles(_ rule: Rule) -> Play {
        let heartbeat = S.message(1, 2, S.heartbeat(0))
        let refusal = Effect.send(S.message(2, 1, .voteReply(isGranted: false)))
        let request = S.message(1, 2, .vote(last: S.root, isTransfer: false))
        let newTerm: [Effect] = [S.role(.follower), S.write(1, vote: S.vote(nil))]
        switch rule {
        case .trace:
            return Play(
                good: { try $0.step(1, .tick) },
                bad: { try $0.model.accept(.crashed(MemberID(9))) }
            )
        case .observation:
            return Play(
                good: { try $0.step(1, .tick) },
                bad: { try $0.step(1, .tick) { $0.term = 1 } }
            )
        case .stop:
            let fails = S.role(.stopped, 0)
            return Play(
                good: { try $0.step(1, .writeFailed, [fails, .stopped(.writeFailed)]) },
                bad: { try $0.step(1, .tick, [fails, .stopped(.logLost)]) }
            )
        case .invention:
            return Play(
                { try $0.lead() },
                good: {
                    try $0.step(1, .tick, [.send(heartbeat)])
                    try $0.step(2, .receive(heartbeat), [S.role(.follower, leader: 1)])
                },
                bad: { try $0.step(2, .receive(heartbeat), [S.role(.follower, leader: 1)]) }
            )
        case .term:
            return Play(
                { try $0.campaign() },
                good: { try $0.step(2, .receive(request), newTerm) },
                bad: { try $0.step(2, .tick, newTerm) }
            )
        case .durableTerm:
            return Play(
                { try $0.campaign() },
                good: {
                    try $0.step(2, .receive(request), newTerm)
                    try $0.step(2, .persisted(through: 1), [refusal])
                },
                bad: { try $0.step(2, .receive(request), newTerm + [refusal]) }
            )
        default:
            return Play(
                { try $0.follow() },
                good: { try $0.step(1, .tick, [.send(heartbeat)]) },
                bad: { try $0.step(2, .tick, [.send(S.message(2, 3, S.heartbeat(0)))]) }
            )
        }
    }

    private static func votes(_ rule: Rule) -> Play {
        let grant = S.message(2, 1, .voteReply(isGranted: true))
        let request = S.message(1, 2, .vote(last: S.root, isTransfer: false))
        let asks = Message.Kind.preVote(last: S.root)
        let leads: [Effect] = [S.role(.leader, leader: 1), S.write(2, [S.entry(1)])]
        let votes: [Effect] = [S.role(.follower), S.write(1, vote: S.vote(1))]
        switch rule {
        case .vote:
            return Play(
                { try $0.campaign() },
                good: { try $0.step(2, .receive(request), votes) },
                bad: {
                    let other = S.write(1, vote: S.vote(3))
                    try $0.step(2, .receive(request), [S.role(.follower), other])
                }
            )
        case .durableVote:
            return Play(
                {
                    try $0.campaign()
                    let term = S.write(1, vote: S.vote(nil))
                    try $0.step(2, .receive(request), [S.role(.follower), term])
                    try $0.step(2, .persisted(through: 1))
                    try $0.step(2, .receive(request), [S.write(2, vote: S.vote(1))])
                },
                good: { try $0.step(2, .persisted(through: 2), [.send(grant)]) },
                bad: { try $0.step(2, .tick, [.send(grant)]) }
            )
        case .restriction:
            // Member 3 has an empty log.
            let willing = Effect.send(S.message(2, 3, .preVoteReply(isGranted: true)))
            let refuses = Effect.send(S.message(2, 3, .preVoteReply(isGranted: false), term: 1))
            let asked = S.message(3, 2, asks, term: 1)
            return Play(
                {
                    try $0.acknowledge()
                    try $0.step(3, .tick, [S.role(.preCandidate, 0), .send(asked)])
                },
                good: { try $0.step(2, .receive(asked), [refuses], at: 2000) },
                bad: { script in
                    // To have asked in a term that is new to member 2.
                    let later = S.message(3, 2, asks, term: 2)
                    script.model.sent.insert(Digest.of(later))
                    guard case .send(var reply) = willing else { return }
                    reply.term = 2
                    try script.step(2, .receive(later), [.send(reply)], at: 2000)
                }
            )
        default:
            return Play(
                { try $0.grant() },
                good: { try $0.step(1, .receive(grant), leads) },
                bad: { try $0.step(1, .tick, leads) }
            )
        }
    }

    private static func campaigns(_ rule: Rule) -> Play {
        let grant = S.message(2, 1, .voteReply(isGranted: true))
        let asks = Message.Kind.preVote(last: S.root)
        let leads: [Effect] = [S.role(.leader, leader: 1), S.write(2, [S.entry(1)])]
        let candidate: [Effect] = [S.role(.candidate), S.write(1, vote: S.vote(1))]
        switch rule {
        case .request:
            let role = S.role(.preCandidate, 0)
            let longer = Message.Kind.preVote(last: LogPosition(index: 5, term: 0))
            return Play(
                good: { try $0.step(1, .tick, [role, .send(S.message(1, 2, asks))]) },
                bad: { try $0.step(1, .tick, [role, .send(S.message(1, 2, longer))]) }
            )
        case .preVote:
            let willing = S.message(2, 1, .preVoteReply(isGranted: true))
            return Play(
                { try $0.preVote() },
                good: { try $0.step(1, .receive(willing), candidate) },
                bad: { try $0.step(1, .tick, candidate) }
            )
        case .stickiness:
            return Play(
                good: { try $0.step(1, .tick, [S.role(.preCandidate, 0)], at: 100) },
                bad: { try $0.step(1, .tick, [S.role(.preCandidate, 0)], at: 99) }
            )
        case .campaign:
            return Play(
                good: { try $0.step(3, .tick, [S.role(.preCandidate, 0)]) },
                bad: { try $0.step(4, .tick, [S.role(.preCandidate, 0)]) }
            )
        case .electionSafety:
            // What other rules make impossible takes a model that is bent.
            return Play(
                { try $0.grant() },
                good: { try $0.step(1, .receive(grant), leads) },
                bad: {
                    $0.model.tree.elect(MemberID(3), in: 1, behind: S.root)
                    try $0.step(1, .receive(grant), leads)
                }
            )
        default:
            return Play(
                { try $0.grant() },
                good: { try $0.step(1, .receive(grant), leads) },
                bad: {
                    let lost = LogPosition(index: 1, term: 0)
                    $0.model.commitments.append((term: 0, last: lost))
                    try $0.step(1, .receive(grant), leads)
                }
            )
        }
    }
}
