// SPDX-License-Identifier: Apache-2.0

/// A transfer of the leadership that is under way.
struct Transfer: Equatable, Sendable {
    var target: MemberID
    var elapsedTicks = 0
    /// Whether the target has been told to campaign.
    var isTold = false
}

/// Leadership transfer: thesis section 3.10.
extension Member {
    /// "The prior leader stops accepting new client requests, fully updates the target server's log
    /// to match its own, and sends a TimeoutNow request" (section 3.10, in short).
    mutating func receiveTransfer(to wanted: MemberID?) {
        guard role == .leader, leadership.transfer == nil, let target = wanted ?? furthestVoter,
            target != id, configuration.isVoter(target)
        else { return }
        leadership.transfer = Transfer(target: target)
        sendAppends(to: target)
        continueTransfer(to: target)
    }

    /// The voter, other than this one, that holds most of the log.
    var furthestVoter: MemberID? {
        configuration.voters.filter { $0 != id }
            .max { match(of: $0) < match(of: $1) }
    }

    private func match(of id: MemberID) -> LogIndex { leadership.progress[id]?.match ?? 0 }

    /// Tells the target to campaign once its log is complete.
    mutating func continueTransfer(to target: MemberID) {
        guard let transfer = leadership.transfer, transfer.target == target, !transfer.isTold,
            match(of: target) == log.lastIndex
        else { return }
        leadership.transfer?.isTold = true
        sendTimeoutNow(to: target)
    }

    /// The votes that follow ignore that a leader was heard of, so the lease goes first.
    mutating func sendTimeoutNow(to target: MemberID) {
        giveUpLease()
        send(.timeoutNow, to: target, after: .nothing)
    }

    /// "If leadership transfer does not complete after about an election timeout, the prior leader
    /// aborts the transfer and resumes accepting client requests" (section 3.10).
    ///
    /// A request to campaign may still be under way, and with it votes that would break a lease, so
    /// after one was sent the leader resumes in a new term: there both mean nothing any more.
    mutating func tickTransfer() {
        guard var transfer = leadership.transfer else { return }
        transfer.elapsedTicks += 1
        leadership.transfer = transfer
        guard transfer.elapsedTicks >= options.electionTicks else { return }
        if transfer.isTold, !configuration.isVoter(id) {
            becomeFollower(term, leader: nil, cause: .transferAborted)
        } else if transfer.isTold {
            becomeCandidate(isTransfer: true, .transferAborted)
        } else {
            leadership.transfer = nil
        }
    }

    /// Campaigns without a pre-vote: the leader itself wants it, in this very term.
    mutating func receiveTimeoutNow(from sender: MemberID) {
        guard role == .follower, leader == sender, mayCampaign else { return }
        becomeCandidate(isTransfer: true, .transferRequested)
    }
}
