// SPDX-License-Identifier: Apache-2.0

/// A read that waits for the leader to make sure that it still leads.
struct PendingRead: Equatable, Sendable {
    var id: RequestID
    /// Nil until a round has been started for it.
    var place: Place?

    struct Place: Equatable, Sendable {
        /// The commit index when the round began.
        var index: LogIndex
        var round: UInt64
    }
}

/// Reads that are not stale, without writing to the log: thesis section 6.4.
///
/// A batch shares one round: "the leader can use a single round of heartbeats for any number of
/// read-only queries" (section 6.4, in short). Later reads wait for the next round, because a round
/// vouches only for what came before it.
extension Member {
    mutating func receiveRead(_ id: RequestID) {
        guard role == .leader else { return effects.append(.refused(id, .notLeader(leader))) }
        guard leadership.reads.count < options.readsMax else {
            return effects.append(.refused(id, .busy))
        }
        leadership.reads.append(PendingRead(id: id))
        startReadRound()
    }

    /// Begins a round for all reads without one, unless one is under way already.
    ///
    /// "If the leader has not yet marked an entry from its current term committed, it waits until
    /// it has done so" (section 6.4).
    mutating func startReadRound() {
        guard role == .leader, hasCommittedInTerm, leadership.readRound == nil,
            leadership.reads.contains(where: { $0.place == nil })
        else { return }
        let place = PendingRead.Place(index: commitIndex, round: leadership.round + 1)
        for index in leadership.reads.indices where leadership.reads[index].place == nil {
            leadership.reads[index].place = place
        }
        leadership.readRound = place.round
        broadcastHeartbeat()
    }

    /// Answers the reads whose round a majority has answered; a later round serves as well.
    mutating func confirmReads() {
        guard role == .leader, let waiting = leadership.readRound else { return }
        let confirmed = configuration.quorumValue { voter in
            voter == id ? leadership.round : leadership.progress[voter]?.answered.round ?? 0
        }
        guard confirmed >= waiting else { return }
        for read in leadership.reads {
            guard let place = read.place else { continue }
            effects.append(.readReady(read.id, place.index))
        }
        leadership.reads.removeAll { $0.place != nil }
        leadership.readRound = nil
        startReadRound()
    }
}
