// SPDX-License-Identifier: Apache-2.0

import Dispatch
import FSMap
import Identity
import Log
import Logging
import Raft
import Replica
import Store
import Synchronization

/// What the reply thread does for one batch, in this order: content, replies, names.
struct ReplyJob: Sendable {
    var effects: [Identity.Effect] = []
    /// Another state has taken the place of the one that was shown.
    var isReplacement = false
    var observers: [any MountObserver] = []
    var replies: [(SharedState.Completion, Result<Applied, ProposalError>)] = []
    /// The state has everything up to here; 0 where it says nothing new.
    var applied: UInt64 = 0
    /// What `cluster/` showed, and what it shows.
    var cluster: (before: ClusterState, after: ClusterState)?

    var isEmpty: Bool {
        effects.isEmpty && replies.isEmpty && applied == 0 && !isReplacement && cluster == nil
    }
}

/// The replica thread: the only owner of the ``Replica``.
///
/// INVARIANT: nothing here waits for a disk, a mount or a caller.
final class ReplicaDesk: @unchecked Sendable {
    // SAFETY: `replica` and the counters are used by the replica thread alone after `init`.
    private var replica: Replica
    private var bytesSinceFlush = 0
    private var isFlushing = false
    private var isShuttingDown = false
    private var nextSpaceCheck: UInt64 = 0
    private var gate: StalenessGate
    /// What goes to other members when everything that waited is handled.
    private var outgoing: [Message] = []
    private var members: [GroupMember] = []
    /// What readers are still to be warned of: it has its turn once the inbox was looked at.
    private var delayedWarning: Staleness?
    private var turnBegan: UInt64 = 0

    /// How long entries are applied in one go.
    ///
    /// In between others are heard: in a large revocation followers would fall silent otherwise,
    /// and their leader lose its office.
    private static let turnNanoseconds: UInt64 = 10_000_000

    private let node: LocalNode
    private let disk: Mailbox<DiskJob>
    private let replies: Mailbox<ReplyJob>
    private let flushes: Mailbox<UInt64>

    init(
        replica: consuming Replica,
        node: LocalNode,
        disk: Mailbox<DiskJob>,
        replies: Mailbox<ReplyJob>,
        flushes: Mailbox<UInt64>
    ) {
        self.replica = replica
        self.node = node
        let staleness = node.configuration.stalenessMaxNanoseconds
        gate = StalenessGate(stalenessMaxNanoseconds: staleness)
        self.disk = disk
        self.replies = replies
        self.flushes = flushes
    }

    func run() {
        // A member that is the only voter leads from its first tick on.
        handle([])
        let tick = max(1, Int(node.configuration.raft.tickNanoseconds / 1_000_000))
        while let arrived = node.inbox.takeAll(
            timeout: .milliseconds(delayedWarning == nil ? tick : 0)
        ) {
            handle(arrived)
            node.shown.sweep()
            if isShuttingDown, replica.pendingCount == 0, !isFlushing { break }
        }
        node.inbox.close()
        answerLate()
        disk.close()
        flushes.close()
        replies.close()
    }

    /// Answers what came in between the last look at the inbox and its end.
    private func answerLate() {
        let late = node.shared.takeAll()
        guard !late.isEmpty else { return }
        replies.send(ReplyJob(replies: late.map { ($0, .failure(.stopped)) }))
    }

    private func handle(_ arrived: [LocalNode.Inbound]) {
        turnBegan = Clock.monotonicNanoseconds()
        var proposals: [Proposal] = []
        for inbound in arrived {
            switch inbound {
            case .propose(let proposal): proposals.append(proposal)
            case .event(let event): step(event)
            case .arrived(let arrival): receive(arrival)
            case .shutdown: beginShutdown()
            }
        }
        if !proposals.isEmpty { step(.propose(proposals)) }
        if delayedWarning != nil {
            sendOutgoing()
            goOnApplying()
        }
        if !isShuttingDown { checkSpace(Clock.monotonicNanoseconds()) }
        step(.tick)
        sendOutgoing()
        publish()
        checkFreshness()
    }

    /// The next step of what takes several, after everybody was heard.
    ///
    /// Before the tick: what can be answered now is not called overdue.
    private func goOnApplying() {
        guard let staleness = delayedWarning else { return }
        delayedWarning = nil
        turnBegan = Clock.monotonicNanoseconds()
        warn(staleness)
        step(.warned)
    }

    private func sendOutgoing() {
        guard !outgoing.isEmpty else { return }
        node.links?.send(outgoing)
        outgoing.removeAll(keepingCapacity: true)
    }

    /// A state that came from another member; one that is not taken is thrown away.
    private func receive(_ arrival: LocalNode.Arrival) {
        guard !replica.isInstalling else { return arrival.completion(false) }
        step(.receiveSnapshot(arrival.message, arrival.state))
        arrival.completion(replica.isInstalling)
    }

    /// Mounts close before anything older than the bound is shown, and open again later.
    private func checkFreshness() {
        guard node.shared.isInGroup else { return }
        let now = Clock.monotonicNanoseconds()
        let fresh = replica.freshAsOf(now: now)
        node.shared.offerFreshness(fresh, at: replica.appliedIndex)
        guard gate.update(freshAsOf: node.shared.freshAsOf, now: now) else { return }
        node.log.log(
            level: gate.isOpen ? .info : .warning,
            gate.isOpen ? "the state is fresh again" : "nobody vouches for the state: mounts refuse"
        )
        for observer in observers { observer.gateChanged(isOpen: gate.isOpen) }
    }

    private func step(_ event: Event) {
        let moment = Moment(wall: Clock.wall(), monotonic: Clock.monotonicNanoseconds())
        perform(replica.step(event, at: moment))
    }

    /// The last flush makes the next start quick; it is not needed for anything acknowledged.
    private func beginShutdown() {
        isShuttingDown = true
        flush()
    }

    private func perform(_ actions: [Action]) {
        var job = ReplyJob()
        for action in actions {
            switch action {
            case .persist(let write, let state):
                bytesSinceFlush += write.entries.reduce(0) { $0 + $1.sizeBytes }
                disk.send(.persist(write, state: state.map(Self.path)))
            case .prepare:
                // Nobody who waits for an answer waits for the next batch.
                send(&job)
                step(.prepare)
            case .warn(let staleness):
                // A large revocation takes several steps; what came before is told first.
                send(&job)
                guard Clock.monotonicNanoseconds() < turnBegan + Self.turnNanoseconds else {
                    delayedWarning = staleness
                    continue
                }
                warn(staleness)
                step(.warned)
            case .applied(let effects, let changes):
                job.effects = effects
                job.observers = observers
                job.applied = replica.appliedIndex
                node.shared.forgotten.noteApplied(job.applied)
                node.shared.record(changes)
                publish()
                if replica.role == .leader, !replica.isApplyingInSteps,
                    effects.contains(where: \.isRevocation)
                {
                    node.askForReceipts(of: job.applied)
                }
            case .reply(let id, let result):
                if let completion = node.shared.take(id) {
                    job.replies.append((completion, result))
                }
            case .roleChanged(let change):
                note(change)
            case .send(let message):
                outgoing.append(message)
            case .sendSnapshot(let message):
                node.links?.sendSnapshot(message)
            case .replaced:
                send(&job)
                replace()
            case .discardLog(let index):
                isFlushing = false
                disk.send(.discard(through: index))
            case .doubt: disk.send(.doubt)
            case .stop(let reason):
                node.shared.stop(reason)
                node.log.critical("the node stops taking writes", metadata: ["reason": "\(reason)"])
            }
        }
        send(&job)
        if bytesSinceFlush >= node.configuration.flushBytes { flush() }
    }

    private func note(_ change: RoleChange) {
        let leader = change.leader.map { "\($0)" } ?? "none"
        node.log.info(
            "the role changed",
            metadata: [
                "role": "\(change.role)", "term": "\(change.term)", "leader": "\(leader)",
                "cause": "\(change.cause)",
            ]
        )
        publish()
    }

    private func warn(_ staleness: Staleness) {
        switch staleness {
        case .of(let effects):
            guard !effects.isEmpty else { return }
            for observer in observers { observer.willApply(effects) }
        case .everything:
            for observer in observers { observer.willReplace() }
        }
    }

    private static func path(of state: RecordStore) -> String { rocks(state).path }

    private static func rocks(_ state: RecordStore) -> RocksStore {
        guard let store = state.base as? RocksStore else {
            preconditionFailure("a node keeps its state in RocksDB")
        }
        return store
    }

    /// Readers see the state of a snapshot from now on.
    private func replace() {
        node.shown.replace(with: Self.rocks(replica.store))
        node.shared.loadEvents(
            from: replica.store.reader,
            bytesMax: node.configuration.eventBytesMax,
            log: node.log
        )
        var job = ReplyJob()
        job.isReplacement = true
        job.observers = observers
        job.applied = replica.appliedIndex
        node.shared.forgotten.noteApplied(job.applied)
        replies.send(job)
        node.log.info("the state of a snapshot is shown", metadata: ["index": "\(job.applied)"])
        publish()
    }

    private func send(_ job: inout ReplyJob) {
        guard !job.isEmpty else { return }
        replies.send(job)
        job = ReplyJob()
    }

    /// Says where the replica stands to whoever reads `cluster/` or wants to write.
    private func publish() {
        let standing = standing
        if standing.members != members {
            members = standing.members
            node.links?.groupChanged(members)
        }
        let obstacle = replica.stopReason ?? (replica.isOutOfSpace ? "the disk is full" : nil)
        guard let before = node.shared.publish(standing, obstacle: obstacle) else { return }
        var job = ReplyJob()
        job.observers = observers
        job.cluster = (before, node.shared.cluster)
        replies.send(job)
    }

    private var standing: Standing {
        let now = Clock.monotonicNanoseconds()
        var standing = Standing()
        standing.member = replica.id
        standing.role = replica.role
        standing.leader = replica.leader
        standing.term = replica.term
        standing.applied = replica.appliedIndex
        standing.committed = replica.commitIndex
        standing.isWritable = replica.isWritable(now: now)
        standing.writableUntil = replica.leaseDeadline
        standing.voters = replica.configuration.voters
        standing.learners = replica.configuration.learners
        standing.members = replica.store.metadata.members
        standing.nextMemberID = replica.store.metadata.nextMemberID
        return standing
    }

    private var observers: [any MountObserver] { node.shared.observers.withLock { $0 } }

    /// Asks for a flush of everything applied so far; one at a time.
    private func flush() {
        guard !isFlushing else { return }
        isFlushing = flushes.send(replica.store.metadata.appliedIndex)
        bytesSinceFlush = 0
    }

    /// Asks the file system at intervals: it would cost more than a change does.
    private func checkSpace(_ now: UInt64) {
        guard now >= nextSpaceCheck else { return }
        nextSpaceCheck = now + node.configuration.spaceCheckNanoseconds
        let directory = node.configuration.dataDirectory
        guard let free = try? PosixDisk().freeBytes(in: directory) else { return }
        node.shared.setLowOnSpace(free < node.configuration.diskReserveBytes)
    }
}

extension Identity.Effect {
    /// Whether somebody loses a session or an account.
    fileprivate var isRevocation: Bool {
        if case .recordRemoved(_, _, _, revoked: true) = self { true } else { false }
    }
}
