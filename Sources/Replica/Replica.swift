// SPDX-License-Identifier: Apache-2.0

import Identity
import Log
package import Raft
package import Store

/// What bounds a replica.
package struct ReplicaLimits: Sendable {
    /// Proposals that wait for their place in the log.
    package var proposalsMax = 65_536
    /// Reads that wait for their index, or until it is applied.
    package var readsMax = 65_536
    /// Entries and bytes of one batch: one write and one sync here, one commit of the state.
    package var batchEntriesMax = 4096
    package var batchBytesMax = 4 << 20
    /// One encoded command; at most what the log takes as one entry.
    package var commandBytesMax = 4 << 20
    /// A proposal or a read without an answer after this long is answered with `timedOut`.
    package var commitTimeoutNanoseconds: UInt64 = 2_000_000_000
    /// How often expired records are looked for, seconds.
    package var maintenanceSeconds: Int64 = 1
    package var changeRetentionSeconds = Limits.changeRetentionSeconds
    /// Applied entries that stay in memory for members that are slightly behind, bytes.
    package var retainedBytesMax = 4 << 20

    /// The defaults.
    package init() {}
}

/// One member of the group: every command is logged, committed by Raft, then applied exactly once.
///
/// `step` takes what happened and returns what to do; it has no clock, thread or disk of its
/// own. It joins a Raft ``Member``, which decides what is committed, and the state. A node on its
/// own is a group of one and takes the same path.
///
/// INVARIANT: a reply to a proposal leaves only after its entry is committed and applied.
/// INVARIANT: at most one batch of proposals is under way; what arrives meanwhile is one later
/// batch. That is the group commit.
/// INVARIANT: the member learns that an entry is applied after readers can see it, never before.
package struct Replica: Sendable {
    package internal(set) var store: RecordStore
    var member: Member
    let limits: ReplicaLimits
    var generator: SplitMix64
    var now: UInt64
    var wall = Timestamp.epoch
    var actions: [Action] = []

    /// Proposals without a place in the log.
    var waiting: [Pending] = []
    /// Proposals with one, in the order of their indexes; also those of an earlier leadership,
    /// whose outcome another leader decides.
    var inFlight: [Pending] = []
    /// The batch that was just handed to the member and has no answer yet.
    var offered: (request: RequestID, proposals: [Pending])?
    /// The end of the last batch; the next one waits until it is applied.
    var batchEnd: LogPosition?
    var nextRequest: UInt64 = 0
    /// Reads that wait for their index, and those that have it and wait until it is applied.
    var reads: [RequestID: PendingRead] = [:]
    var placedReads: [(read: PendingRead, index: LogIndex)] = []

    /// Committed and not applied yet, in order.
    var committed: [Entry] = []
    var visible: Visible?
    var ahead: Ahead?
    /// Bytes of applied entries that the member still holds.
    var retainedBytes = 0
    /// A snapshot's state from its arrival on, and the number of its write once it has one.
    var arrival: Arrival?

    var nextTickAt: UInt64 = 0
    var lastMaintenance: Timestamp?
    var flushedIndex: UInt64
    /// Whether a write of the log waits for room on the disk, or one of the state.
    var isLogFull = false
    var isStateFull = false
    var vouchedAt: UInt64 = 0
    package internal(set) var stopReason: String?
    /// Every step of the Raft member since somebody took them out; nil: not kept.
    package var journal: [MemberStep]?

    /// A request of the owner on its way through the log.
    struct Pending: Sendable {
        var id: ProposalID?
        /// Nil for a change of the group.
        var command: Command?
        var payload: [UInt8] = []
        var deadline: UInt64
        var position = LogPosition(index: 0, term: 0)
        var isAnswered = false
    }

    /// A request to read what is new.
    struct PendingRead: Sendable {
        var id: ProposalID
        var deadline: UInt64
    }

    /// What readers are being warned of, and what becomes visible then.
    enum Visible: Sendable {
        case entries(RecordStore.Prepared)
        /// The state of a snapshot, once writes up to this number are durable.
        case state(through: UInt64)
    }

    /// Entries worked out before they are committed.
    struct Ahead: Sendable {
        var first: LogPosition
        var last: LogPosition
        var prepared: RecordStore.Prepared
    }

    struct Arrival: Sendable {
        var snapshot: Snapshot
        var store: RecordStore
        var write: UInt64?
        /// Set once it is durable: the writes up to this number are.
        var persisted: UInt64?
    }

    /// Takes over what a start has found: see ``MemberStorage``.
    ///
    /// `seed` is the only chance there is: election timeouts and the name of a new history.
    package init(
        _ store: RecordStore,
        member id: MemberID,
        recovery: Recovery,
        options: Options = Options(),
        limits: ReplicaLimits = ReplicaLimits(),
        seed: UInt64,
        now: UInt64
    ) {
        self.store = store
        self.limits = limits
        self.now = now
        generator = SplitMix64(seed: seed)
        flushedIndex = store.metadata.appliedIndex
        member = Member(
            id: id,
            recovery: recovery,
            options: options,
            generator: SplitMix64(seed: generator.next()),
            now: now
        )
        retainedBytes = member.entries(from: 1, bytesMax: .max)
            .prefix { $0.index <= recovery.appliedIndex }
            .reduce(0) { $0 + $1.sizeBytes }
    }

    /// Handles one event.
    package mutating func step(_ event: Event, at moment: Moment) -> [Action] {
        now = max(now, moment.monotonic)
        wall = moment.wall
        handle(event)
        answerReads()
        warnOfArrival()
        applyCommitted()
        appendWaiting()
        noteFreshness()
        defer { actions = [] }
        return actions
    }

    private mutating func handle(_ event: Event) {
        switch event {
        case .propose(let proposals): for proposal in proposals { receive(proposal) }
        case .read(let id): receiveRead(id)
        case .changeMembership(let id, let change): receiveMembershipChange(id, change)
        case .transferLeadership(let target): drive(.transferLeadership(to: target))
        case .receive(let message): receive(message)
        case .receiveSnapshot(let message, let state): receiveSnapshot(message, state)
        case .prepare: prepareAhead()
        case .persisted(let number): receivePersisted(through: number)
        case .persistFailed(let failure): receivePersistFailed(failure)
        case .warned: becomeVisible()
        case .tick: tick()
        case .flushed(let index):
            flushedIndex = max(flushedIndex, index)
            actions.append(.discardLog(through: flushedIndex))
        case .snapshotSent(let id, let succeeded):
            drive(.snapshotSent(to: id, succeeded: succeeded))
        case .unreachable(let id): drive(.unreachable(id))
        case .suspectLeader(let id): drive(.suspectLeader(id))
        }
    }

    private mutating func tick() {
        if isStateFull { becomeVisible() }
        answerOverdue()
        if now >= nextTickAt {
            for _ in 0..<ticksDue { drive(.tick) }
            nextTickAt = now + member.options.tickNanoseconds
            beginHistoryLate()
        }
        maintain()
    }

    /// An owner that was busy is late; a leader must not say less often for it that it is there.
    ///
    /// A stall of an election timeout counts as one: nobody is judged for what waits in the inbox.
    private var ticksDue: UInt64 {
        guard nextTickAt > 0, now - nextTickAt < member.options.electionTimeoutNanoseconds else {
            return 1
        }
        let missed = (now - nextTickAt) / member.options.tickNanoseconds
        return min(1 + missed, UInt64(member.options.heartbeatTicks))
    }

    // MARK: - What the owner may ask

    /// Requests without an answer yet; what the leader proposes itself is nobody's request.
    package var pendingCount: Int {
        waiting.count { $0.id != nil } + inFlight.count { $0.id != nil && !$0.isAnswered }
    }

    /// Whether a write waits for room on the disk.
    package var isOutOfSpace: Bool { isLogFull || isStateFull }

    package var isStopped: Bool { stopReason != nil }
    package var id: MemberID { member.id }
    package var role: Role { member.role }
    package var term: Term { member.term }
    package var leader: MemberID? { member.leader }
    package var configuration: Configuration { member.configuration }
    package var lastIndex: LogIndex { member.lastPosition.index }
    package var commitIndex: LogIndex { member.commitIndex }
    package var appliedIndex: LogIndex { store.metadata.appliedIndex }
    /// Entries held in memory.
    package var heldEntriesCount: UInt64 { member.lastPosition.index + 1 - member.firstIndex }

    /// Whether the node leads, with a lease, and knows its history: it takes changes now.
    package func isWritable(now: UInt64) -> Bool {
        stopReason == nil && hasLease(at: now) && store.metadata.serverVersion != 0
    }

    /// The end of the lease by the own clock; nil where it needs nobody else for it, or has none.
    package var leaseDeadline: UInt64? {
        member.configuration.voters == [member.id] ? nil : member.leaseDeadline
    }

    /// Whether a snapshot's state has been taken and is not shown yet.
    package var isInstalling: Bool { arrival != nil }

    /// Whether a command is applied in part: it takes several steps, and is between two of them.
    package var isApplyingInSteps: Bool { store.metadata.stepCount > 0 }

    /// What the member says of itself, for checkers.
    package var observation: Member { member }
}
