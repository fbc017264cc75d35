// SPDX-License-Identifier: Apache-2.0

/// What one member says to another.
///
/// The transport may lose, repeat, delay and reorder messages; it must not make them up.
package struct Message: Equatable, Sendable {
    /// The bodies; each has its handler in the file named after the section of the thesis.
    package enum Kind: Equatable, Sendable {
        /// Would you vote for me? Its term is the one the sender would campaign in (section 9.6).
        case preVote(last: LogPosition)
        case preVoteReply(isGranted: Bool)
        /// Vote for me (section 3.4). `isTransfer`: the leader asked for it (section 3.10).
        case vote(last: LogPosition, isTransfer: Bool)
        case voteReply(isGranted: Bool)
        case append(Append)
        case appendReply(AppendReply)
        case heartbeat(Heartbeat)
        case heartbeatReply(HeartbeatReply)
        /// Everything up to a position (section 5). The transport carries the state itself beside
        /// it and hands the message over once the state is whole and verified on the other side.
        case snapshot(Snapshot)
        /// Campaign at once (section 3.10).
        case timeoutNow
        /// The receiver's term is over; the message's is newer.
        case staleTerm
    }

    package var from: MemberID
    package var to: MemberID
    package var term: Term
    package var kind: Kind

    /// Puts a body into an envelope.
    package init(from: MemberID, to: MemberID, term: Term, kind: Kind) {
        self.from = from
        self.to = to
        self.term = term
        self.kind = kind
    }

    /// Whether its numbers leave room to count on from; no group ever gets near the bound.
    var isCountable: Bool {
        let index: LogIndex =
            switch kind {
            case .append(let append): append.previous.index
            case .snapshot(let snapshot): snapshot.position.index
            case .appendReply(let reply):
                if case .rejected(_, let hint) = reply.outcome { hint.index } else { 0 }
            case .preVote, .preVoteReply, .vote, .voteReply, .heartbeat, .heartbeatReply,
                .timeoutNow, .staleTerm:
                0
            }
        return max(term, index) <= .max / 2
    }
}

/// When a leader sent something: the number of its round and its clock.
///
/// The answer carries it back, so a lease counts from the sending, not from the answer.
package struct Stamp: Equatable, Sendable {
    package var round: UInt64
    package var clock: UInt64

    /// Joins a round and a clock reading.
    package init(round: UInt64, clock: UInt64) {
        self.round = round
        self.clock = clock
    }
}

/// What a member's own clock said, and in which of its runs.
///
/// A clock that counts from the boot begins anew with the machine; the run is drawn by chance, so a
/// reading of another run is not mistaken for one of this.
package struct Reading: Equatable, Sendable {
    package var run: UInt64
    package var clock: UInt64

    /// Joins a run and a clock reading.
    package init(run: UInt64, clock: UInt64) {
        self.run = run
        self.clock = clock
    }
}

/// A leader's word, given once a majority has confirmed that it leads: whoever has applied `index`
/// knows all that was acknowledged before the receiver's clock showed `reading`.
package struct FreshnessEcho: Equatable, Sendable {
    package var reading: Reading
    package var index: LogIndex

    /// Joins the receiver's own reading and the leader's commit index.
    package init(reading: Reading, index: LogIndex) {
        self.reading = reading
        self.index = index
    }
}

/// AppendEntries (thesis figure 3.1).
package struct Append: Equatable, Sendable {
    /// What is before the entries in the leader's log.
    package var previous: LogPosition
    package var entries: [Entry]
    /// The leader's commit index.
    package var commit: LogIndex
    package var stamp: Stamp
    package var echo: FreshnessEcho?

    /// Entries for one follower.
    package init(
        previous: LogPosition,
        entries: [Entry],
        commit: LogIndex,
        stamp: Stamp,
        echo: FreshnessEcho? = nil
    ) {
        self.previous = previous
        self.entries = entries
        self.commit = commit
        self.stamp = stamp
        self.echo = echo
    }

    /// Whether indexes follow each other and terms never go back nor beyond the sender's.
    func isWellFormed(term limit: Term) -> Bool {
        var last = previous
        for entry in entries {
            guard entry.index == last.index + 1, entry.term >= last.term else { return false }
            last = entry.position
        }
        return last.term <= limit
    }
}

/// The answer to an append or a snapshot.
package struct AppendReply: Equatable, Sendable {
    /// What the follower has done.
    package enum Outcome: Equatable, Sendable {
        /// It holds durably what the leader holds, up to this index.
        case accepted(match: LogIndex)
        /// It does not hold the leader's entry at `index`; at `hint` it might.
        case rejected(index: LogIndex, hint: LogPosition)
    }

    package var outcome: Outcome
    package var stamp: Stamp
    package var reading: Reading

    /// Joins an outcome and what was answered when.
    package init(outcome: Outcome, stamp: Stamp, reading: Reading) {
        self.outcome = outcome
        self.stamp = stamp
        self.reading = reading
    }
}

/// A sign of life.
///
/// It proves nothing about the log, so `commit` is at most what the follower has acknowledged.
package struct Heartbeat: Equatable, Sendable {
    package var commit: LogIndex
    package var stamp: Stamp
    package var echo: FreshnessEcho?

    /// A sign of life for one follower.
    package init(commit: LogIndex, stamp: Stamp, echo: FreshnessEcho? = nil) {
        self.commit = commit
        self.stamp = stamp
        self.echo = echo
    }
}

/// The answer to a heartbeat.
package struct HeartbeatReply: Equatable, Sendable {
    package var stamp: Stamp
    package var reading: Reading

    /// Joins what is answered and when.
    package init(stamp: Stamp, reading: Reading) {
        self.stamp = stamp
        self.reading = reading
    }
}
