// SPDX-License-Identifier: Apache-2.0

/// The follower's side of log replication: thesis section 3.5 and figure 3.1.
extension Member {
    private var reading: Reading { Reading(run: run, clock: now) }

    mutating func receiveHeartbeat(_ heartbeat: Heartbeat, from sender: MemberID) {
        guard hearLeader(sender) else { return }
        // The leader says no more than this member has acknowledged.
        guard heartbeat.commit <= log.lastIndex else { return stop(.logLost) }
        commit(through: heartbeat.commit)
        receiveEcho(heartbeat.echo)
        let reply = HeartbeatReply(stamp: heartbeat.stamp, reading: reading)
        send(.heartbeatReply(reply), to: sender, after: .hardState)
    }

    mutating func receiveAppend(_ append: Append, from sender: MemberID) {
        guard append.isWellFormed(term: term), hearLeader(sender) else { return }
        receiveEcho(append.echo)
        // What is committed is the same in every leader's log, so it need not be compared.
        guard append.previous.index >= commitIndex else {
            return answer(.accepted(match: commitIndex), to: sender, append.stamp)
        }
        // "If the follower does not find an entry in its log with the same index and term, then it
        // refuses the new entries" (section 3.5).
        guard log.contains(append.previous) else {
            let last = min(append.previous.index, log.lastIndex)
            let hint = log.conflict(upTo: last, term: append.previous.term)
            let outcome = AppendReply.Outcome.rejected(index: append.previous.index, hint: hint)
            return answer(outcome, to: sender, append.stamp)
        }
        adopt(append.entries)
        // "If leaderCommit > commitIndex, set commitIndex = min(leaderCommit, index of last new
        // entry)" (figure 3.1): what is behind these entries here is not proven.
        let proven = append.previous.index + LogIndex(append.entries.count)
        commit(through: min(append.commit, proven))
        answer(.accepted(match: proven), to: sender, append.stamp)
    }

    /// Takes over what is missing; removes only what conflicts.
    private mutating func adopt(_ entries: [Entry]) {
        guard let first = log.firstMissing(of: entries) else { return }
        let new = Array(entries[first...])
        let index = new[0].index
        if index <= log.lastIndex {
            precondition(index > commitIndex, "what is committed is never truncated")
            log.truncate(from: index)
            configurations.truncate(from: index)
            durability.logTruncated(from: index)
        }
        log.append(new)
        configurations.adopt(new)
    }

    /// "The follower must write new entries to disk before it replies" (section 3.8, shortened).
    func answerDependency(_ outcome: AppendReply.Outcome) -> Durability.Dependency {
        switch outcome {
        case .accepted: .log
        case .rejected: .hardState
        }
    }

    mutating func answer(_ outcome: AppendReply.Outcome, to leader: MemberID, _ stamp: Stamp) {
        let reply = AppendReply(outcome: outcome, stamp: stamp, reading: reading)
        send(.appendReply(reply), to: leader, after: answerDependency(outcome))
    }
}
