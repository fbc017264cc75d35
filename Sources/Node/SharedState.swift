// SPDX-License-Identifier: Apache-2.0

import Dispatch
import FSMap
import Identity
import Logging
import Replica
import Store
import Synchronization

/// What several threads of the machine room know together.
final class SharedState: Sendable {
    typealias Completion = @Sendable (Result<Applied, ProposalError>) -> Void

    let observers = Mutex<[any MountObserver]>([])
    let forgotten = ForgottenWaiters()
    let receipts = ReceiptBook()
    /// What other members said of themselves.
    let peers = Mutex<[UInt64: PeerStanding]>([:])
    private let name: String
    let isInGroup: Bool
    let stalenessMaxNanoseconds: UInt64
    let ledger = Mutex(FreshnessLedger())
    let vouched = Atomic<UInt64>(0)
    private let completions = Mutex(Completions())
    private let progress = Mutex(Progress())
    private let readiness = Answer<String?>()
    private let eventLog = Mutex(EventLog())
    /// Changes without a line in the log yet; whoever wants to see the log writes them first.
    private let unwritten = Mutex<[Change]>([])

    private struct Completions {
        var next: UInt64 = 1
        var waiting: [ProposalID: Completion] = [:]
    }

    private struct Progress {
        var standing = Standing()
        /// Whether it has been said that changes are taken, or never will be.
        var isReady = false
        var stopReason: String?
        var isClosed = false
        var isLowOnSpace = false
    }

    init(name: String, isInGroup: Bool, stalenessMaxNanoseconds: UInt64) {
        self.name = name
        self.isInGroup = isInGroup
        self.stalenessMaxNanoseconds = stalenessMaxNanoseconds
    }

    /// Remembers who waits for a proposal.
    func register(_ completion: @escaping Completion) -> ProposalID {
        completions.withLock { completions in
            let id = ProposalID(completions.next)
            completions.next += 1
            completions.waiting[id] = completion
            return id
        }
    }

    /// Gives the waiter out, once.
    func take(_ id: ProposalID) -> Completion? {
        completions.withLock { $0.waiting.removeValue(forKey: id) }
    }

    /// Gives out all who still wait, in the order in which they came.
    func takeAll() -> [Completion] {
        completions.withLock { completions in
            defer { completions.waiting = [:] }
            return completions.waiting.sorted { $0.key.rawValue < $1.key.rawValue }.map(\.value)
        }
    }

    /// What can be said to a proposal before it reaches the replica.
    func refusal(of kind: Command.Kind) -> ProposalError? {
        progress.withLock { progress in
            if progress.isClosed { return .stopped }
            if let reason = progress.stopReason { return .notWritable(reason: reason) }
            let isNarrowing = Command(at: .epoch, kind: kind).isNarrowing
            return progress.isLowOnSpace && !isNarrowing ? .noSpace : nil
        }
    }

    /// Says where the state of a start is: no mount shows anything older.
    func begin(at index: UInt64) {
        forgotten.noteApplied(index)
        noteForgotten(index)
    }

    /// Takes over where the replica stands; what `cluster/` showed before, where it shows something
    /// else now.
    func publish(_ standing: Standing, obstacle: String?) -> ClusterState? {
        // A start may find acknowledged entries that the state lacks, which take several steps.
        let isCaughtUp = standing.applied == standing.committed
        let isDecided = (standing.isWritable && isCaughtUp) || obstacle != nil
        let (isReadiness, before) = progress.withLock { progress in
            let before = standing.looksLike(progress.standing) ? nil : progress.standing
            progress.standing = standing
            defer { progress.isReady = progress.isReady || isDecided }
            return (!progress.isReady && isDecided, before)
        }
        if isReadiness { readiness.set(obstacle) }
        return before?.cluster(of: name, state: "ok", peers: peers.withLock { $0 })
    }

    /// Whether the node has begun to end.
    var isClosed: Bool { progress.withLock { $0.isClosed } }

    /// Waits until all that was acknowledged is visible and changes are taken, and answers nil; or
    /// why they never will be.
    func waitUntilReady() -> String? { readiness.wait() }

    func stop(_ reason: String) {
        progress.withLock { $0.stopReason = reason }
    }

    func close() {
        progress.withLock { $0.isClosed = true }
    }

    func setLowOnSpace(_ isLow: Bool) {
        progress.withLock { $0.isLowOnSpace = isLow }
    }

    /// Why the node takes no writes; nil while it does.
    var notWritableReason: String? {
        progress.withLock { progress in
            progress.stopReason ?? (progress.isLowOnSpace ? "the disk is full" : nil)
        }
    }

    /// What the node knows of itself and of its group.
    var standing: Standing { progress.withLock { $0.standing } }

    var cluster: ClusterState {
        let progress = progress.withLock { $0 }
        let state = progress.stopReason == nil ? "ok" : "failed"
        var cluster = progress.standing.cluster(
            of: name,
            state: state,
            peers: peers.withLock { $0 }
        )
        cluster.writable = isWritable
        cluster.lagMilliseconds = ageNanoseconds(now: Clock.monotonicNanoseconds()) / 1_000_000
        return cluster
    }

    /// Whether a change proposed here now has a chance.
    var isWritable: Bool {
        let now = Clock.monotonicNanoseconds()
        return progress.withLock { progress in
            progress.standing.isWritable(now: now) && progress.stopReason == nil
                && !progress.isClosed
        }
    }

    var events: EventLog {
        eventLog.withLock { log in
            writeEvents(to: &log)
            return log
        }
    }

    /// Nobody's answer waits until the lines are written.
    func record(_ changes: [Change]) {
        guard !changes.isEmpty else { return }
        unwritten.withLock { $0 += changes }
    }

    /// Writes the lines that nobody has asked for yet, so that they do not heap up.
    func writeEvents() {
        guard !unwritten.withLock({ $0.isEmpty }) else { return }
        eventLog.withLock { writeEvents(to: &$0) }
    }

    private func writeEvents(to log: inout EventLog) {
        let changes = unwritten.withLock { unwritten in
            defer { unwritten = [] }
            return unwritten
        }
        for change in changes { log.append(change) }
    }

    /// The newest retained changes become the beginning of `events/all.jsonl`.
    ///
    /// Reads about as many as fit, so that a start does not take longer with a longer history.
    func loadEvents(from reader: RecordReader, bytesMax: Int, log: Logger) {
        do {
            let metadata = try reader.metadata()
            let fitting = min(bytesMax / Self.typicalEventBytes, Self.loadedEventsMax)
            let newest = metadata.recordVersion - min(metadata.recordVersion, UInt64(fitting))
            var version = max(metadata.earliestChange - 1, newest)
            // Versions only grow: the file of a later process is another one.
            eventLog.withLock {
                $0 = EventLog(generation: metadata.recordVersion + 1, bytesMax: bytesMax)
            }
            while case .changes(let changes) = try reader.changes(after: version, limit: 1000),
                let last = changes.last
            {
                record(changes)
                writeEvents()
                version = last.version
            }
        } catch {
            log.error("events of before the start are missing", metadata: ["error": "\(error)"])
        }
    }

    private static let typicalEventBytes = 150
    private static let loadedEventsMax = 50_000
}

/// A value that one thread waits for and another one sets, once.
final class Answer<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let arrival = DispatchSemaphore(value: 0)

    func set(_ new: Value) {
        value.withLock { $0 = new }
        arrival.signal()
    }

    func wait() -> Value {
        arrival.wait()
        guard let value = value.withLock({ $0 }) else {
            preconditionFailure("an answer is set before it is signalled")
        }
        return value
    }
}
