// SPDX-License-Identifier: Apache-2.0

/// What a member finds on its disk when it starts; nothing but the bootstrap in a new one.
package struct Recovery: Equatable, Sendable {
    package var hardState: HardState
    /// The newest durable snapshot.
    package var snapshot: Snapshot
    /// The entries of the log; those up to the snapshot are not looked at.
    package var entries: [Entry]
    /// What the state has applied durably; at least the snapshot's index.
    package var appliedIndex: LogIndex

    /// Joins what was found.
    package init(
        hardState: HardState = HardState(term: 0, vote: nil),
        snapshot: Snapshot,
        entries: [Entry] = [],
        appliedIndex: LogIndex? = nil
    ) {
        self.hardState = hardState
        self.snapshot = snapshot
        self.entries = entries
        self.appliedIndex = appliedIndex ?? snapshot.position.index
    }

    /// The newest group that is known of, committed or not.
    package var group: Configuration {
        for entry in entries.reversed() {
            if case .configuration(let configuration) = entry.content { return configuration }
        }
        return snapshot.configuration
    }
}

/// One member of a Raft group as a value (Ongaro, "Consensus: Bridging Theory and Practice", 2014).
///
/// `step` takes what happened and returns what to do, in order; the same inputs give the same
/// effects, byte for byte. Its owner writes, sends, applies and reads the clock. What each owes the
/// other: docs/RAFT.md.
///
/// INVARIANT: nothing that depends on a write leaves before the write is durable.
/// INVARIANT: appliedIndex <= handedIndex <= min(commitIndex, durable index) <= last index.
/// INVARIANT: what is committed is never truncated; a leader never truncates.
package struct Member: Sendable {
    package let id: MemberID
    package let options: Options
    package internal(set) var role = Role.follower
    package internal(set) var term: Term
    var vote: MemberID?
    /// Whom it follows; itself when it leads.
    package internal(set) var leader: MemberID?

    var log: EntryLog
    var configurations: ConfigurationHistory
    var snapshot: Snapshot
    package internal(set) var commitIndex: LogIndex
    package internal(set) var appliedIndex: LogIndex
    /// The last entry that went out to be applied.
    var handedIndex: LogIndex
    var durability: Durability

    /// Whatever its type, which is not the member's: a generic one would be slower at everything.
    var generator: any RandomNumberGenerator & Sendable
    /// Tells this run's clock readings from those of another.
    let run: UInt64
    let startedAt: UInt64
    var now: UInt64
    var tickedAt: UInt64
    /// Ticks since the election timer was set, and when it goes off.
    var electionElapsed = 0
    var electionTimeout = 0
    /// Until its clock shows this the member helps nobody to disturb a leader.
    var quietUntil: UInt64

    var grants: [MemberID] = []
    var refusals: [MemberID] = []
    var leadership = Leadership()
    var echoes: [FreshnessEcho] = []
    /// What `.fresh` said last; 0 before.
    package internal(set) var freshAsOf: UInt64 = 0

    var effects: [Effect] = []
    var outbox: [(item: Durability.Item, dependency: Durability.Dependency)] = []

    /// A member as its disk left it; it is a follower and waits for the first tick.
    package init(
        id: MemberID,
        recovery: Recovery,
        options: Options = Options(),
        generator: some RandomNumberGenerator & Sendable,
        now: UInt64
    ) {
        precondition(
            options.heartbeatTicks > 0 && options.electionTicks >= 2 * options.heartbeatTicks,
            "a leader gives several signs of life in an election timeout"
        )
        self.id = id
        self.options = options
        snapshot = recovery.snapshot
        log = EntryLog(base: snapshot.position)
        let entries = recovery.entries.drop { $0.index <= recovery.snapshot.position.index }
        log.append(Array(entries))
        configurations = ConfigurationHistory(snapshot)
        configurations.adopt(Array(entries))
        // A crash within a write may leave entries of a term that was not written any more; no
        // vote was given in it, because that vote would have been durable before.
        let isTermKnown = recovery.hardState.term >= log.last.term
        term = isTermKnown ? recovery.hardState.term : log.last.term
        vote = isTermKnown ? recovery.hardState.vote : nil
        precondition(recovery.appliedIndex <= log.lastIndex, "the log ends before the state does")
        precondition(recovery.appliedIndex >= snapshot.position.index, "a snapshot is applied")
        commitIndex = recovery.appliedIndex
        appliedIndex = recovery.appliedIndex
        handedIndex = recovery.appliedIndex
        durability = Durability(durableIndex: log.lastIndex)
        self.generator = generator
        run = self.generator.next()
        startedAt = now
        self.now = now
        tickedAt = now
        // A member that restarts may have answered a leader just before (section 6.4.1: a lease
        // counts on it), so it is as if it had heard from one now.
        quietUntil = now + options.electionTimeoutNanoseconds
        setElectionTimer()
    }

    /// Takes one input and returns what to do.
    package mutating func step(_ input: Input, at clock: UInt64) -> [Effect] {
        guard role != .stopped else { return refuseStopped(input) }
        now = max(now, clock)
        switch input {
        case .tick: tick()
        case .receive(let message): receive(message)
        case .persisted(let number): receivePersisted(through: number)
        case .writeFailed: stop(.writeFailed)
        case .applied(let index): receiveApplied(through: index)
        case .propose(let id, let payloads): receiveProposal(id, payloads)
        case .changeMembership(let id, let change): receiveMembershipChange(id, change)
        case .read(let id): receiveRead(id)
        case .transferLeadership(let target): receiveTransfer(to: target)
        case .suspectLeader(let suspect): receiveSuspicion(of: suspect)
        case .snapshotTaken(let index): receiveSnapshotTaken(at: index)
        case .compact(let index): compact(through: index)
        case .snapshotSent(let id, let succeeded):
            _ = leadership.progress.update(id) { $0.snapshotSent(succeeded: succeeded) }
        case .unreachable(let id):
            _ = leadership.progress.update(id) { $0.becomeUnreachable() }
        }
        return finishStep()
    }

    /// The group as the newest entry of the log has it.
    package var configuration: Configuration { configurations.latest }

    /// The newest position of the log, durable or not.
    package var lastPosition: LogPosition { log.last }

    /// The oldest index that is still in memory.
    package var firstIndex: LogIndex { log.firstIndex }

    /// Entries that are in memory, for an owner that looks.
    package func entries(from index: LogIndex, bytesMax: Int) -> [Entry] {
        log.entries(from: max(index, log.firstIndex), bytesMax: bytesMax)
    }

    // MARK: - Time

    private mutating func tick() {
        // After a stall of the whole process what others said meanwhile waits in its inbox, so
        // judge nobody for silence before one more tick.
        let hasStalled = now - tickedAt >= options.electionTimeoutNanoseconds
        tickedAt = now
        if role == .leader {
            tickLeader(hasStalled: hasStalled)
        } else {
            tickElection(hasStalled: hasStalled)
        }
    }

    // MARK: - Messages

    private mutating func receive(_ message: Message) {
        guard message.to == id, message.from != id, message.isCountable else { return }
        switch message.kind {
        // They speak of a term that nobody is in yet.
        case .preVote(let last): return receivePreVote(message, last)
        case .preVoteReply(true): return receivePreVoteGrant(message)
        // "If a server receives a RequestVote request within the minimum election timeout of
        // hearing from a current leader, it does not update its term or grant its vote" (4.2.3).
        case .vote(_, false) where message.term > term && isSticky: return
        default: break
        }
        if message.term > term {
            let leader = message.kind.isFromLeader ? message.from : nil
            becomeFollower(message.term, leader: leader, cause: .higherTerm)
        } else if message.term < term {
            return refuseStale(message)
        }
        receiveOfThisTerm(message)
    }

    private mutating func receiveOfThisTerm(_ message: Message) {
        switch message.kind {
        case .preVote, .preVoteReply, .staleTerm: break
        case .vote(let last, let isTransfer):
            receiveVote(from: message.from, last, isTransfer: isTransfer)
        case .voteReply(let isGranted): receiveVoteReply(from: message.from, isGranted)
        case .append(let append): receiveAppend(append, from: message.from)
        case .appendReply(let reply): receiveAppendReply(reply, from: message.from)
        case .heartbeat(let heartbeat): receiveHeartbeat(heartbeat, from: message.from)
        case .heartbeatReply(let reply): receiveHeartbeatReply(reply, from: message.from)
        case .snapshot(let snapshot): receiveSnapshot(snapshot, from: message.from)
        case .timeoutNow: receiveTimeoutNow(from: message.from)
        }
    }

    /// "If a server receives a request with a stale term number, it rejects the request"
    /// (section 3.3); answers of an older term are not looked at.
    private mutating func refuseStale(_ message: Message) {
        switch message.kind {
        case .vote: send(.voteReply(isGranted: false), to: message.from, after: .hardState)
        case .append, .heartbeat, .snapshot, .timeoutNow:
            send(.staleTerm, to: message.from, after: .hardState)
        case .preVote, .preVoteReply, .voteReply, .appendReply, .heartbeatReply, .staleTerm: break
        }
    }

    mutating func send(
        _ kind: Message.Kind,
        to target: MemberID,
        term messageTerm: Term? = nil,
        after dependency: Durability.Dependency
    ) {
        let message = Message(from: id, to: target, term: messageTerm ?? term, kind: kind)
        outbox.append((.message(message), dependency))
    }

    // MARK: - The end of a step

    /// One write, then what may be sent, then what may be applied.
    private mutating func finishStep() -> [Effect] {
        guard role != .stopped else { return takeEffects() }
        updateLease()
        let hardState = HardState(term: term, vote: vote)
        if let write = durability.nextWrite(log, hardState) { effects.append(.persist(write)) }
        for (item, dependency) in outbox where durability.mayGo(item, after: dependency) {
            // An own vote never goes at once: it is in the write of the same step.
            if case .message(let message) = item { effects.append(.send(message)) }
        }
        outbox.removeAll(keepingCapacity: true)
        handOut()
        return takeEffects()
    }

    private mutating func takeEffects() -> [Effect] {
        defer { effects = [] }
        return effects
    }

    private mutating func receivePersisted(through number: UInt64) {
        let wasInstalling = durability.isInstalling
        let free = durability.persisted(through: number)
        if wasInstalling, !durability.isInstalling { snapshotInstalled() }
        for item in free {
            switch item {
            case .message(let message): effects.append(.send(message))
            case .ownVote(let term): receiveOwnVote(in: term)
            }
        }
        if role == .leader { advanceCommit() }
    }

    private func refuseStopped(_ input: Input) -> [Effect] {
        switch input {
        case .propose(let id, _), .changeMembership(let id, _), .read(let id):
            [.refused(id, .stopped)]
        default: []
        }
    }

    /// Stops for good: what the member would say next could not be vouched for.
    mutating func stop(_ reason: StopReason) {
        if role == .leader { endLeadership() }
        role = .stopped
        leader = nil
        outbox.removeAll()
        noteRole(.stopped(reason))
        effects.append(.stopped(reason))
    }

    mutating func noteRole(_ cause: RoleCause) {
        let change = RoleChange(role: role, term: term, leader: leader, cause: cause)
        effects.append(.roleChanged(change))
    }
}

extension Message.Kind {
    /// Whether only a leader says this.
    var isFromLeader: Bool {
        switch self {
        case .append, .heartbeat, .snapshot, .timeoutNow: true
        case .preVote, .preVoteReply, .vote, .voteReply, .appendReply, .heartbeatReply, .staleTerm:
            false
        }
    }
}
