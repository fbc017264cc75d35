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
    var observers: [any MountObserver] = []
    var replies: [(SharedState.Completion, Result<Applied, ProposalError>)] = []
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
        self.disk = disk
        self.replies = replies
        self.flushes = flushes
    }

    func run() {
        // A member that is the only voter leads from its first tick on.
        handle([])
        let tick = Int(node.configuration.raft.tickNanoseconds / 1_000_000)
        while let arrived = node.inbox.takeAll(timeout: .milliseconds(max(1, tick))) {
            handle(arrived)
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
        var proposals: [Proposal] = []
        for inbound in arrived {
            switch inbound {
            case .propose(let proposal): proposals.append(proposal)
            case .event(let event): step(event)
            case .shutdown: beginShutdown()
            }
        }
        if !proposals.isEmpty { step(.propose(proposals)) }
        if !isShuttingDown { checkSpace(Clock.monotonicNanoseconds()) }
        step(.tick)
        node.shared.publish(replica)
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
            case .persist(let write, _):
                bytesSinceFlush += write.entries.reduce(0) { $0 + $1.sizeBytes }
                disk.send(.persist(write))
            case .prepare:
                // Nobody who waits for an answer waits for the next batch.
                send(&job)
                step(.prepare)
            case .warn(let staleness):
                // A large revocation takes several steps; what came before is told first.
                send(&job)
                warn(staleness)
                step(.warned)
            case .applied(let effects, let changes):
                job.effects = effects
                job.observers = observers
                node.shared.record(changes)
                node.shared.publish(replica)
            case .reply(let id, let result):
                if let completion = node.shared.take(id) {
                    job.replies.append((completion, result))
                }
            case .roleChanged(let change):
                note(change)
            case .send, .sendSnapshot, .replaced:
                preconditionFailure("a group of one has nobody to talk to")
            case .discardLog(let index):
                isFlushing = false
                disk.send(.discard(through: index))
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
        node.shared.publish(replica)
    }

    private func warn(_ staleness: Staleness) {
        guard case .of(let effects) = staleness, !effects.isEmpty else { return }
        for observer in observers { observer.willApply(effects) }
    }

    private func send(_ job: inout ReplyJob) {
        guard !job.effects.isEmpty || !job.replies.isEmpty else { return }
        replies.send(job)
        job = ReplyJob()
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

/// The flush thread: writes the state's own files, so that the log behind them can go.
func flushStore(
    _ store: RocksStore,
    _ requests: Mailbox<UInt64>,
    _ inbox: Mailbox<LocalNode.Inbound>,
    _ log: Logger
) {
    while let indexes = requests.takeAll() {
        guard let index = indexes.last else { continue }
        do {
            try store.flush()
            inbox.send(.event(.flushed(through: index)))
        } catch {
            // Nothing is lost: the log is kept, and the next flush tries again.
            log.error("the state could not be flushed", metadata: ["error": "\(error)"])
            inbox.send(.event(.flushed(through: 0)))
        }
    }
}

/// The reply thread.
///
/// Content goes before the reply, names after it (ARCHITECTURE.md, rule 4).
func answer(_ jobs: Mailbox<ReplyJob>, _ shared: SharedState) {
    while let waiting = jobs.takeAll() {
        for job in waiting {
            let names = job.effects.isEmpty ? [] : job.observers.map { $0.didApply(job.effects) }
            for (completion, result) in job.replies { completion(result) }
            for invalidate in names { invalidate() }
        }
        shared.writeEvents()
    }
}
