// SPDX-License-Identifier: Apache-2.0

/// Leader election: thesis sections 3.4 (votes), 3.6.1 (restriction), 9.6 (pre-vote), 4.2.3
/// (members that must not disturb).
extension Member {
    /// "Election timeouts are chosen randomly from a fixed interval" (section 3.4): T to 2 T.
    mutating func setElectionTimer() {
        electionElapsed = 0
        let span = UInt64(options.electionTicks)
        electionTimeout = options.electionTicks + Int(generator.next() % span)
    }

    /// Whether others must not be helped against the leader: it leads, or it has heard of the
    /// leader less than T ago, or it has started less than T ago.
    var isSticky: Bool { role == .leader || now < quietUntil }

    /// Who may ask for votes: a voter that can vouch for its log and state.
    var mayCampaign: Bool {
        configurations.isNeeded(id, committed: commitIndex) && !options.isMute
            && !durability.isInstalling
    }

    mutating func tickElection(hasStalled: Bool) {
        electionElapsed += 1
        guard mayCampaign, !hasStalled else { return }
        // A voter that always was alone has nobody to disturb and nobody to wait for.
        if role == .follower, configurations.isSoleVoterThroughout(id) {
            return becomePreCandidate(.electionTimeout)
        }
        // Its own vote must not break a lease either, however fast its ticks came.
        guard now >= quietUntil else { return }
        if electionElapsed >= electionTimeout {
            becomePreCandidate(.electionTimeout)
        } else if role == .preCandidate, electionElapsed % options.heartbeatTicks == 0 {
            // Who refused because it had heard of the leader may have changed its mind.
            requestPreVotes()
        }
    }

    /// Starts the pre-vote at once, because the leader that is followed here is dead.
    ///
    /// Others that still hear the leader refuse as ever. The owner must know it, not guess it: a
    /// process that was reaped, a connection that the leader's kernel closed. A slow answer is no
    /// evidence; if a majority wrongly suspects a live leader, its lease is worth nothing (writes
    /// are safe in any case).
    mutating func receiveSuspicion(of suspect: MemberID) {
        guard role == .follower, leader == suspect, mayCampaign else { return }
        quietUntil = now
        becomePreCandidate(.leaderSuspected)
    }

    // MARK: - Pre-vote

    /// "A candidate would only increment its term if it first learned from a majority of the
    /// cluster that they would be willing to grant the candidate their votes" (section 9.6).
    private mutating func becomePreCandidate(_ cause: RoleCause) {
        role = .preCandidate
        leader = nil
        grants = [id]
        refusals = []
        setElectionTimer()
        noteRole(cause)
        requestPreVotes()
        countPreVotes()
    }

    private mutating func requestPreVotes() {
        for voter in configuration.voters where !grants.contains(voter) {
            // Nothing is promised, so nothing has to be durable.
            send(.preVote(last: log.last), to: voter, term: term + 1, after: .nothing)
        }
    }

    mutating func receivePreVote(_ message: Message, _ last: LogPosition) {
        let isWilling = message.term > term && !isSticky && last >= log.last && !options.isMute
        if isWilling, prefersItself(to: message.from, last) {
            send(.preVote(last: log.last), to: message.from, term: term + 1, after: .nothing)
        } else if isWilling {
            // At the candidate's term; the own one stays.
            send(
                .preVoteReply(isGranted: true),
                to: message.from,
                term: message.term,
                after: .nothing
            )
        } else {
            send(.preVoteReply(isGranted: false), to: message.from, after: .hardState)
        }
    }

    /// Whether this member has just begun to ask as well, and comes first.
    ///
    /// When all hear at once that the leader died, they would divide the votes. Only for a moment:
    /// who comes first may be unable to win.
    private func prefersItself(to other: MemberID, _ last: LogPosition) -> Bool {
        role == .preCandidate && electionElapsed < options.heartbeatTicks
            && (log.last > last || (log.last == last && id > other))
    }

    mutating func receivePreVoteGrant(_ message: Message) {
        guard role == .preCandidate, message.term == term + 1 else { return }
        if !grants.contains(message.from) { grants.append(message.from) }
        countPreVotes()
    }

    private mutating func countPreVotes() {
        guard configuration.isQuorum(grants) else { return }
        becomeCandidate(isTransfer: false, .preVoteWon)
    }

    // MARK: - Vote

    /// Campaigns in a new term, with a vote for itself.
    ///
    /// "To begin an election, a follower increments its current term and transitions to candidate
    /// state. It then votes for itself and issues RequestVote RPCs" (section 3.4).
    mutating func becomeCandidate(isTransfer: Bool, _ cause: RoleCause) {
        if role == .leader { endLeadership() }
        term += 1
        vote = id
        durability.hardStateChanged()
        role = .candidate
        leader = nil
        grants = []
        refusals = []
        setElectionTimer()
        noteRole(cause)
        outbox.append((.ownVote(term), .hardState))
        for voter in configuration.voters where voter != id {
            let vote = Message.Kind.vote(last: log.last, isTransfer: isTransfer)
            // The request speaks of the log: after a crash with a shorter one, votes for the longer
            // must not be about.
            send(vote, to: voter, after: .log)
        }
    }

    /// The own vote has waited for the disk like an answer to somebody else.
    mutating func receiveOwnVote(in voteTerm: Term) {
        guard role == .candidate, voteTerm == term else { return }
        receiveVoteReply(from: id, true)
    }

    /// "Each server will vote for at most one candidate in a given term" (section 3.4), and "the
    /// voter denies its vote if its own log is more up-to-date" (section 3.6.1).
    ///
    /// Whoever came into this term without a vote may have heard the leader of the one before just
    /// then, so it is as sticky here as against later terms; only a transfer has a right to hurry.
    mutating func receiveVote(from candidate: MemberID, _ last: LogPosition, isTransfer: Bool) {
        let isUndecided = vote == nil && leader == nil && (isTransfer || !isSticky)
        let isFree = vote == candidate || isUndecided
        let isGranted = isFree && last >= log.last && role != .leader && !options.isMute
        if isGranted {
            if vote == nil {
                vote = candidate
                durability.hardStateChanged()
            }
            setElectionTimer()
        }
        send(.voteReply(isGranted: isGranted), to: candidate, after: .hardState)
    }

    mutating func receiveVoteReply(from voter: MemberID, _ isGranted: Bool) {
        guard role == .candidate, !grants.contains(voter), !refusals.contains(voter) else { return }
        if isGranted { grants.append(voter) } else { refusals.append(voter) }
        if configuration.isQuorum(grants) {
            becomeLeader()
        } else if configuration.isHopeless(refusals: refusals) {
            becomeFollower(term, leader: nil, cause: .electionLost)
        }
    }

    // MARK: - Following

    /// Follows; a later term forgets the vote of the one before.
    mutating func becomeFollower(_ newTerm: Term, leader newLeader: MemberID?, cause: RoleCause) {
        let isNews = role != .follower || term != newTerm || leader != newLeader
        if role == .leader { endLeadership() }
        if role != .follower { setElectionTimer() }
        if newTerm > term {
            term = newTerm
            vote = nil
            durability.hardStateChanged()
        }
        role = .follower
        leader = newLeader
        if isNews { noteRole(cause) }
    }

    /// Notes contact with the leader of this term; false when the message is to be ignored.
    mutating func hearLeader(_ sender: MemberID) -> Bool {
        if role == .leader {
            // Election safety (section 3.2) is broken: somebody voted twice.
            stop(.twoLeaders)
            return false
        }
        if role != .follower || leader != sender {
            becomeFollower(term, leader: sender, cause: .leaderHeard)
        }
        quietUntil = max(quietUntil, now + options.electionTimeoutNanoseconds)
        setElectionTimer()
        return true
    }
}
