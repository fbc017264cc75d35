// SPDX-License-Identifier: Apache-2.0

/// What only a leader keeps; forgotten when it steps down (thesis figure 3.1: "volatile state on
/// leaders, reinitialized after election").
struct Leadership: Sendable {
    var progress = ProgressTable()
    /// The index of its first entry, the empty one.
    var startIndex: LogIndex = 0
    /// When it began, by its clock.
    var startedAt: UInt64 = 0
    var heartbeatElapsed = 0
    /// Bytes of entries that are not committed.
    var uncommittedBytes = 0

    /// The number of the newest round of heartbeats.
    var round: UInt64 = 0
    var reads: [PendingRead] = []
    /// The round that reads wait for; nil when none is under way.
    var readRound: UInt64?

    var transfer: Transfer?
    /// The lease is given up for the rest of the term: somebody may have been told to campaign.
    var isLeaseGivenUp = false
    /// What the owner was told last.
    var leaseTold: UInt64?
}

/// The leader's lease (thesis section 6.4.1).
///
/// While it holds, no other member can have become leader, so the leader's commit index is the
/// newest there is. All six conditions:
///
/// 1. Voters refuse votes and pre-votes until T after contact with the leader, in later terms and
///    in the one they are in: `isSticky`; the own vote included: `tickElection`.
/// 2. A member that restarts behaves as if it had had contact just then: `Member.init`.
/// 3. Before the leader tells another to campaign it gives the lease up for the rest of the term:
///    `sendTimeoutNow`.
/// 4. The leader has committed an entry of its own term: `hasCommittedInTerm`.
/// 5. The lease counts from the sending of what a majority has answered: `Stamp`.
/// 6. It lasts two thirds of T, by a clock that counts while the machine sleeps; a reader looks at
///    its clock again after it has read the value (the owner's part).
extension Member {
    /// "Leader Completeness guarantees that a leader has all committed entries, but at the start of
    /// its term it may not know which those are" (section 6.4, shortened).
    var hasCommittedInTerm: Bool { commitIndex >= leadership.startIndex }

    /// The newest clock reading that a majority of the voters has answered to.
    var quorumClock: UInt64 {
        configuration.quorumValue { voter in
            voter == id ? now : leadership.progress[voter]?.answered.clock ?? 0
        }
    }

    /// Until when the lease holds; nil when a condition is not met or it has run out.
    package var leaseDeadline: UInt64? {
        guard role == .leader, hasCommittedInTerm, !leadership.isLeaseGivenUp else { return nil }
        let deadline = quorumClock + options.leaseNanoseconds
        return deadline > now ? deadline : nil
    }

    /// Tells the owner when the lease has grown; that it runs out the owner sees on its clock.
    mutating func updateLease() {
        guard role == .leader, let deadline = leaseDeadline, deadline != leadership.leaseTold else {
            return
        }
        leadership.leaseTold = deadline
        effects.append(.lease(until: deadline))
    }

    mutating func giveUpLease() {
        leadership.isLeaseGivenUp = true
        if leadership.leaseTold != nil { effects.append(.lease(until: nil)) }
        leadership.leaseTold = nil
    }

    /// "A leader steps down if an election timeout elapses without a successful round of heartbeats
    /// to a majority of its cluster" (section 6.2).
    mutating func checkQuorum() {
        let heardAt = max(quorumClock, leadership.startedAt)
        guard now - heardAt >= options.electionTimeoutNanoseconds else { return }
        becomeFollower(term, leader: nil, cause: .quorumLost)
    }

    // MARK: - Freshness of followers

    /// What a leader tells a member about its age.
    ///
    /// It led when the reading came, or a majority would not have answered what it sent later; so
    /// its commit index holds all that was acknowledged before the reading was taken.
    func echo(for progress: Progress) -> FreshnessEcho? {
        guard hasCommittedInTerm,
            let reading = progress.readings.newest(quorumClock: quorumClock)
        else { return nil }
        return FreshnessEcho(reading: reading, index: commitIndex)
    }

    /// Before this moment of the own clock nobody else can have acknowledged anything that is not
    /// committed here; nil on a member that does not lead or does not know what is committed.
    ///
    /// A majority has answered what was sent then, and whoever led later needed one of its votes
    /// afterwards. It rests on no clock but the own.
    package var confirmedAsOf: UInt64? {
        guard role == .leader, hasCommittedInTerm else { return nil }
        return quorumClock
    }

    /// How many echoes wait for their index; a newer one takes the place of the last.
    private static var echoesMax: Int { 16 }

    mutating func receiveEcho(_ echo: FreshnessEcho?) {
        guard let echo, echo.reading.run == run, echo.reading.clock <= now else { return }
        if echoes.count >= Self.echoesMax { echoes.removeLast() }
        echoes.append(echo)
        noteFreshness()
    }

    /// "Fresh as of a reading" once the index that came with it is applied.
    mutating func noteFreshness() {
        guard let ready = echoes.filter({ $0.index <= appliedIndex }).map(\.reading.clock).max()
        else { return }
        echoes.removeAll { $0.index <= appliedIndex || $0.reading.clock <= ready }
        guard ready > freshAsOf else { return }
        freshAsOf = ready
        effects.append(.fresh(asOf: ready))
    }
}
