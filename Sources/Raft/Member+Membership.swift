// SPDX-License-Identifier: Apache-2.0

/// Changes of the group, one member at a time: thesis chapter 4.
///
/// Why that is safe: any majority before a change shares a member with any majority after it, and a
/// change begins only when the one before is committed and an entry of the leader's own term is, so
/// no two configurations that differ by more than one member can both decide.
extension Member {
    mutating func receiveMembershipChange(_ request: RequestID, _ change: MembershipChange) {
        if let refusal = proposalRefusal(bytes: 0) {
            return effects.append(.refused(request, refusal))
        }
        do throws(MembershipError) {
            let changed = try validated(change)
            let index = log.lastIndex + 1
            effects.append(.accepted(request, term: term, index...index))
            // "The new configuration takes effect on each server as soon as it is added to that
            // server's log" (section 4.1).
            appendAsLeader([.configuration(changed)])
            syncProgress()
            for id in leadership.progress.ids { sendAppends(to: id) }
            advanceCommit()
        } catch {
            effects.append(.refused(request, .membership(error)))
        }
    }

    private func validated(
        _ change: MembershipChange
    ) throws(MembershipError) -> Configuration {
        guard configurations.latestIndex <= commitIndex else { throw .changeInFlight }
        guard hasCommittedInTerm else { throw .leaderNotReady }
        let changed = try configuration.applying(change)
        if case .promote(let id) = change, !isCaughtUp(id) { throw .notCaughtUp(id) }
        let reachable = changed.voters.filter { $0 == id || isActive($0) }
        guard changed.voters == configuration.voters || changed.isQuorum(reachable) else {
            throw .quorumUnreachable
        }
        return changed
    }

    /// "The leader waits for the new server to catch up before it adds it" (section 4.2.1, in
    /// short): it takes a pipeline, and little is missing.
    private func isCaughtUp(_ id: MemberID) -> Bool {
        guard let progress = leadership.progress[id], progress.isReplicating, isActive(id) else {
            return false
        }
        return log.lastIndex - progress.match <= options.promotionLagEntriesMax
    }

    /// Whether it has answered within an election timeout.
    private func isActive(_ id: MemberID) -> Bool {
        guard let clock = leadership.progress[id]?.answered.clock, clock > 0 else { return false }
        return now - clock < options.electionTimeoutNanoseconds
    }

    /// Rows for the other members of the group.
    ///
    /// A member that goes keeps its row until that is committed, so that it may learn of it:
    /// otherwise it would go on campaigning, to no avail.
    mutating func syncProgress() {
        for id in leadership.progress.ids
        where !configuration.contains(id) && configurations.latestIndex <= commitIndex {
            leadership.progress[id] = nil
        }
        for id in configuration.members where id != self.id && leadership.progress[id] == nil {
            leadership.progress[id] = Progress(next: log.lastIndex + 1)
        }
    }

    /// "A leader that is removed steps down once the new configuration is committed" (4.2.2).
    ///
    /// Until then it leads a group that it does not count itself in.
    mutating func leaveIfRemoved() {
        guard configurations.latestIndex <= commitIndex, !configuration.isVoter(id) else { return }
        if let successor = furthestVoter, leadership.progress[successor]?.match == log.lastIndex {
            sendTimeoutNow(to: successor)
        }
        becomeFollower(term, leader: nil, cause: .removed)
    }
}
