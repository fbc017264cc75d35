// SPDX-License-Identifier: Apache-2.0

internal import Raft

/// Roles, terms and votes: thesis sections 3.3, 3.4, 3.6.1, 3.10, 4.2.2, 4.2.3 and 9.6.
extension ReferenceModel {
    mutating func changeRole(_ change: RoleChange, _ step: inout Step) throws(Rejection) {
        switch change.role {
        case .follower: try follow(change, step)
        case .preCandidate: try becomePreCandidate(change, step)
        case .candidate: try becomeCandidate(change, step)
        case .leader: try becomeLeader(change, &step)
        case .stopped: break
        }
        members[step.place].role = change.role
    }

    /// To step down is always safe; a later term needs somebody who is in it already.
    private mutating func follow(_ change: RoleChange, _ step: Step) throws(Rejection) {
        let place = step.place
        let term = members[place].term
        if change.term != term {
            let message = step.message
            var isFuture = false
            switch message?.kind {
            case .preVote, .preVoteReply(true): isFuture = true
            default: break
            }
            guard change.term > term && message?.term == change.term && !isFuture else {
                throw broken(.term, "it goes from term \(term) to \(change.term)")
            }
            if case .vote(_, isTransfer: false) = message?.kind {
                guard !isQuiet(step) else {
                    throw broken(.stickiness, "it helps a candidate against a leader")
                }
            }
            members[place].hardState = HardState(term: change.term, vote: nil)
        }
        guard let leader = change.leader else { return }
        guard leader == step.message?.from && leader == tree.leader(of: change.term) else {
            throw broken(.leader, "it follows \(leader), who does not lead in term \(change.term)")
        }
    }

    /// Whether it may not help anybody against a leader.
    private func isQuiet(_ step: Step) -> Bool {
        step.roleBefore == .leader || step.now < members[step.place].quietUntil
    }

    private mutating func becomePreCandidate(
        _ change: RoleChange,
        _ step: Step
    ) throws(Rejection) {
        let place = step.place
        guard change.term == members[place].term && members[place].role != .leader else {
            throw broken(.term, "it begins to ask in term \(change.term)")
        }
        try checkCampaign(step)
        var isSuspicion = false
        if case .suspectLeader = step.input { isSuspicion = true }
        let isAlone = members[place].configuration.voters == [members[place].id]
        guard isSuspicion || isAlone || !isQuiet(step) else {
            throw broken(.stickiness, "it heard of a leader less than T ago and begins to ask")
        }
        if isSuspicion { members[place].quietUntil = step.now }
        members[place].grants = [members[place].id]
    }

    /// A voter of its newest configuration may campaign, or of one since its commit index.
    private func checkCampaign(_ step: Step) throws(Rejection) {
        let member = members[step.place]
        if member.configuration.voters.contains(member.id) { return }
        var isVoter = member.base.configuration.voters.contains(member.id)
        // From the newest back to the one that is in effect at the commit index.
        for entry in tree.configurations(
            of: member.last,
            behind: member.base.position.index,
            until: { $0.index <= member.commit }
        ) {
            guard case .configuration(let configuration) = entry.content else { continue }
            if entry.index <= member.commit { isVoter = false }
            isVoter = isVoter || configuration.voters.contains(member.id)
            if isVoter { break }
        }
        guard isVoter else { throw broken(.campaign, "it campaigns and is no voter") }
    }

    private mutating func becomeCandidate(
        _ change: RoleChange,
        _ step: Step
    ) throws(Rejection) {
        let place = step.place
        let member = members[place]
        guard change.term == member.term + 1 else {
            throw broken(.term, "from term \(member.term) to \(change.term)")
        }
        var isTransfer = false
        switch member.role {
        case .preCandidate:
            guard member.configuration.hasMajority(member.grants.contains) else {
                throw broken(.preVote, "it campaigns and only \(member.grants) were willing")
            }
        case .leader:
            isTransfer = member.leadership.isTransferTold && step.input == .tick
        default:
            guard let message = step.message, message.kind == .timeoutNow else { break }
            isTransfer =
                message.term == member.term && message.from == tree.leader(of: member.term)
        }
        guard isTransfer || member.role == .preCandidate else {
            throw broken(.preVote, "it campaigns and nobody was asked")
        }
        try checkCampaign(step)
        members[place].hardState = HardState(term: change.term, vote: nil)
        members[place].grants = []
        members[place].campaign = MemberState.Campaign(
            term: change.term,
            last: member.last,
            isTransfer: isTransfer
        )
    }

    private mutating func becomeLeader(
        _ change: RoleChange,
        _ step: inout Step
    ) throws(Rejection) {
        let place = step.place
        let member = members[place]
        guard member.role == .candidate && change.term == member.term else {
            throw broken(.majority, "it leads and was no candidate")
        }
        // Its own vote counts like all others: once it is durable.
        let isElected = member.configuration.hasMajority { voter in
            voter == member.id
                ? member.votes[member.term] == member.id : member.grants.contains(voter)
        }
        guard isElected else {
            throw broken(.majority, "it leads with votes of \(member.grants) besides its own")
        }
        guard tree.leader(of: member.term) == nil else {
            throw broken(.electionSafety, "term \(member.term) has a leader")
        }
        for commitment in commitments where commitment.term < member.term {
            guard tree.holds(member.last, commitment.last) else {
                throw broken(.leaderCompleteness, "it leads and lacks \(commitment.last)")
            }
        }
        tree.elect(member.id, in: member.term, behind: member.last)
        members[place].leadership = Leadership(first: member.last.index + 1)
        step.ledTerm = member.term
        step.isElected = true
    }

    // MARK: - Votes

    /// Term and vote are written as they are; a vote is for who asks, and whose log is good enough.
    mutating func write(_ hardState: HardState, _ step: inout Step) throws(Rejection) {
        let place = step.place
        let member = members[place]
        guard hardState.term == member.term else {
            throw broken(.durableTerm, "term \(hardState.term) is written in term \(member.term)")
        }
        step.isHardStateWritten = true
        guard hardState.vote != member.hardState.vote else { return }
        guard member.hardState.vote == nil else {
            throw broken(.vote, "it votes a second time: \(hardState)")
        }
        if hardState.vote == member.id {
            let isCandidate = member.role == .candidate && member.campaign?.term == member.term
            guard isCandidate else {
                throw broken(.vote, "it votes for itself and is no candidate")
            }
        } else {
            guard let message = step.message, case .vote(let last, let isTransfer) = message.kind,
                message.from == hardState.vote, message.term == member.term
            else { throw broken(.vote, "it votes for who did not ask") }
            // In the own term as well: what a lease counts on is who heard the leader, and when.
            guard isTransfer || !isQuiet(step) else {
                throw broken(.stickiness, "it votes against a leader")
            }
            guard isUpToDate(last, member.last) else {
                throw broken(.restriction, "it votes for \(last) and has \(member.last)")
            }
        }
        members[place].hardState = hardState
    }

    /// The election restriction (section 3.6.1).
    ///
    /// "If the logs have last entries with different terms, then the log with the later term is
    /// more up-to-date. If the logs end with the same term, then whichever log is longer."
    private func isUpToDate(_ candidate: LogPosition, _ own: LogPosition) -> Bool {
        candidate.term == own.term ? candidate.index >= own.index : candidate.term > own.term
    }

    // MARK: - What is said

    /// A pre-candidate asks with its own log; nothing is promised.
    func checkPreVote(_ message: Message, _ last: LogPosition, _ step: Step) throws(Rejection) {
        let member = members[step.place]
        guard member.role == .preCandidate && message.term == member.term + 1 && last == member.last
        else {
            throw broken(.request, "it asks with \(last) in term \(message.term)")
        }
    }

    /// To be willing is what it would be to vote.
    func checkPreVoteGrant(_ message: Message, _ step: Step) throws(Rejection) {
        let member = members[step.place]
        guard let asked = step.message, case .preVote(let last) = asked.kind,
            asked.from == message.to, asked.term == message.term, asked.term > member.term
        else { throw broken(.preVote, "nobody asked: \(message)") }
        guard isUpToDate(last, member.last) else {
            throw broken(.restriction, "it would vote for \(last) and has \(member.last)")
        }
        guard !isQuiet(step) else {
            throw broken(.stickiness, "it would help \(message.to) against a leader")
        }
    }

    func checkVoteGrant(_ message: Message, _ step: Step) throws(Rejection) {
        guard members[step.place].votes[message.term] == message.to else {
            throw broken(.durableVote, "its vote is not durable: \(message)")
        }
    }

    /// A request may have waited for the disk; who is no candidate any more counts no votes.
    func checkVoteRequest(
        _ message: Message,
        _ last: LogPosition,
        _ isTransfer: Bool,
        _ step: Step
    ) throws(Rejection) {
        let member = members[step.place]
        guard member.votes[message.term] == member.id else {
            throw broken(.durableVote, "it asks for votes and its own is not durable")
        }
        guard let campaign = member.campaign, campaign.term == message.term else { return }
        guard last == campaign.last && isTransfer == campaign.isTransfer else {
            throw broken(.request, "it asks with \(last), and began with \(campaign.last)")
        }
        guard member.role != .candidate || tree.holds(member.disk.last, last) else {
            throw broken(.request, "it asks with \(last), of which \(member.disk.last) is durable")
        }
    }
}
