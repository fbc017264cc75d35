// SPDX-License-Identifier: Apache-2.0

/// Committing and applying: thesis sections 3.5, 3.6.2 and 10.2.1.
extension Member {
    /// "Only log entries from the leader's current term are committed by counting replicas; once an
    /// entry from the current term has been committed in this way, then all prior entries are
    /// committed indirectly" (section 3.6.2).
    ///
    /// The leader counts itself for what is durable on its own disk, and a majority of the others
    /// may be enough without it (section 10.2.1).
    mutating func advanceCommit() {
        let index = configuration.quorumValue { voter in
            voter == id ? durability.durableIndex : leadership.progress[voter]?.match ?? 0
        }
        guard index > commitIndex, log.term(at: index) == term else { return }
        commit(through: index)
        for id in leadership.progress.ids { sendAppends(to: id) }
        syncProgress()
        startReadRound()
        leaveIfRemoved()
    }

    /// Moves the commit index, never back.
    mutating func commit(through index: LogIndex) {
        guard index > commitIndex else { return }
        precondition(index <= log.lastIndex, "what is committed is in the log")
        if role == .leader {
            leadership.uncommittedBytes -= log.sizeBytes((commitIndex + 1)...index)
        }
        commitIndex = index
    }

    /// Gives out what is committed and durable here.
    ///
    /// Not before it is durable, even when a majority has it: a state that is ahead of its own log
    /// could not be told from a log that was lost.
    mutating func handOut() {
        let last = min(commitIndex, durability.durableIndex)
        guard last > handedIndex else { return }
        effects.append(.apply(log.entries((handedIndex + 1)...last)))
        handedIndex = last
    }

    mutating func receiveApplied(through index: LogIndex) {
        precondition(index <= handedIndex, "only what was handed out can be applied")
        appliedIndex = max(appliedIndex, index)
        noteFreshness()
    }
}
