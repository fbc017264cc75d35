// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Log
package import Store

/// What bounds a replica.
package struct ReplicaLimits: Sendable {
    /// Proposals that wait for their place in the log.
    package var proposalsMax = 65_536
    /// Entries and bytes of one append: one write and one sync.
    package var batchEntriesMax = 4096
    package var batchBytesMax = 4 << 20
    /// One encoded command; at most what the log takes as one entry.
    package var commandBytesMax = 4 << 20
    /// A proposal without an answer after this long is answered with `timedOut`.
    package var commitTimeoutNanoseconds: UInt64 = 2_000_000_000
    /// How often expired records are looked for, seconds.
    package var maintenanceSeconds: Int64 = 1
    package var changeRetentionSeconds = Limits.changeRetentionSeconds

    /// The defaults.
    package init() {}
}

/// One member of the group: every command is logged, durable, then applied exactly once.
///
/// `step` takes what happened and returns what to do; it has no clock, thread or disk of its
/// own. Today the group has one member, so an entry is committed once it is durable here. Raft
/// takes its place at `commitIndex`: nothing else in this room knows how an entry is committed.
///
/// INVARIANT: a reply to a proposal leaves only after its entry is durable and applied.
/// INVARIANT: at most one append is outstanding, until its entries are applied; what arrives
/// meanwhile is one later append.
package struct Replica {
    package private(set) var store: RecordStore
    private let limits: ReplicaLimits
    private let term: UInt64

    private var waiting: [Pending] = []
    /// Entries given to the disk and not applied yet, in order of their index.
    private var inFlight: [Pending] = []
    private var isAppending = false
    /// Worked out and not visible yet: between `.warn` and `.warned`.
    private var prepared: RecordStore.Prepared?
    /// What the steps before did of the first entry in flight.
    private var stepsCount: UInt64 = 0
    package private(set) var lastIndex: UInt64
    package private(set) var commitIndex: UInt64
    private var flushedIndex: UInt64
    private var stopReason: String?
    private var lastMaintenance: Timestamp?

    private struct Pending {
        var id: ProposalID?
        var command: Command
        var payload: [UInt8]
        var deadline: UInt64
        var index: UInt64 = 0
        var answered = false
    }

    /// Takes over a store whose log has been replayed with ``recover(_:)``.
    package init(_ store: RecordStore, term: UInt64 = 1, limits: ReplicaLimits = .init()) {
        self.store = store
        self.limits = limits
        self.term = term
        lastIndex = store.metadata.appliedIndex
        commitIndex = store.metadata.appliedIndex
        flushedIndex = store.metadata.appliedIndex
    }

    /// Whether the replica takes commands.
    package var isStopped: Bool { stopReason != nil }

    /// Proposals without an answer yet.
    package var pendingCount: Int { waiting.count + inFlight.count }

    /// Handles one event.
    package mutating func step(_ event: Event) -> [Action] {
        var actions: [Action] = []
        switch event {
        case .propose(let proposals, let at, let now):
            for proposal in proposals { receive(proposal, at: at, now: now, &actions) }
        case .prepare:
            prepareAhead()
        case .written(let index):
            receiveWritten(through: index, &actions)
        case .appendFailed(let failure):
            receiveAppendFailed(failure, &actions)
        case .warned:
            commitPrepared(&actions)
        case .tick(let at, let now):
            answerOverdue(now, &actions)
            maintain(at: at, &actions)
        case .flushed(let index):
            flushedIndex = max(flushedIndex, index)
            actions.append(.discardLog(through: flushedIndex))
        }
        appendWaiting(&actions)
        return actions
    }

    private mutating func receive(
        _ proposal: Proposal,
        at: Timestamp,
        now: UInt64,
        _ actions: inout [Action]
    ) {
        guard stopReason == nil else {
            return actions.append(.reply(proposal.id, .failure(.stopped)))
        }
        guard pendingCount < limits.proposalsMax else {
            return actions.append(.reply(proposal.id, .failure(.busy)))
        }
        // The history's time never runs backwards, whatever the wall clock does.
        let command = Command(at: max(at, store.metadata.lastAppliedAt), kind: proposal.kind)
        let payload = command.encoded()
        guard payload.count <= limits.commandBytesMax else {
            let error = CommandError.tooLarge(
                id: "the change",
                bytes: payload.count,
                limit: limits.commandBytesMax
            )
            return actions.append(.reply(proposal.id, .failure(.refused(error))))
        }
        let deadline = now &+ limits.commitTimeoutNanoseconds
        waiting.append(
            Pending(id: proposal.id, command: command, payload: payload, deadline: deadline)
        )
    }

    /// Group commit: everything that waits becomes one append.
    private mutating func appendWaiting(_ actions: inout [Action]) {
        guard !isAppending, stopReason == nil, !waiting.isEmpty else { return }
        var entries: [LogEntry] = []
        var bytes = 0
        for index in waiting.indices {
            guard entries.count < limits.batchEntriesMax, bytes < limits.batchBytesMax else {
                break
            }
            lastIndex += 1
            waiting[index].index = lastIndex
            bytes += waiting[index].payload.count
            entries.append(
                LogEntry(term: term, index: lastIndex, payload: waiting[index].payload)
            )
        }
        inFlight.append(contentsOf: waiting.prefix(entries.count))
        waiting.removeFirst(entries.count)
        isAppending = true
        actions.append(.append(entries))
        actions.append(.prepare)
    }

    private mutating func receiveWritten(through index: UInt64, _ actions: inout [Action]) {
        precondition(isAppending && index == lastIndex, "one append is outstanding at a time")
        commitIndex = index
        prepareCommitted(&actions)
    }

    private mutating func receiveAppendFailed(
        _ failure: AppendFailure,
        _ actions: inout [Action]
    ) {
        precondition(isAppending, "only an outstanding append can fail")
        isAppending = false
        prepared = nil
        let lost = inFlight.filter { $0.index > commitIndex }
        inFlight.removeAll { $0.index > commitIndex }
        lastIndex = commitIndex
        switch failure {
        case .noSpace:
            for proposal in lost { reply(proposal, .failure(.noSpace), &actions) }
        case .stopped(let reason):
            for proposal in lost { reply(proposal, .failure(.stopped), &actions) }
            stop(reason, &actions)
        }
    }

    private var placedInFlight: [RecordStore.Placed] {
        inFlight.map { .init($0.command, at: .init(term: term, index: $0.index)) }
    }

    /// Works out what becomes visible only once it is durable.
    private mutating func prepareAhead() {
        guard isAppending, prepared == nil else { return }
        // A store that cannot be read now is asked again when it matters.
        prepared = try? store.prepare(placedInFlight)
    }

    private mutating func prepareCommitted(_ actions: inout [Action]) {
        do throws(StoreError) {
            let prepared =
                if let ahead = self.prepared { ahead } else { try store.prepare(placedInFlight) }
            self.prepared = prepared
            actions.append(.warn(prepared.outcomes.flatMap(\.effects)))
        } catch {
            failToApply(error, &actions)
        }
    }

    /// Makes the committed entries visible, then answers for them.
    private mutating func commitPrepared(_ actions: inout [Action]) {
        guard let prepared else { preconditionFailure("nothing was warned of") }
        self.prepared = nil
        do throws(StoreError) {
            try store.commit(prepared)
        } catch {
            return failToApply(error, &actions)
        }
        let outcomes = prepared.outcomes
        let complete = outcomes.prefix { $0.isComplete }
        actions.append(.applied(outcomes.flatMap(\.effects), outcomes.flatMap(\.changes)))
        for (proposal, outcome) in zip(inFlight, complete) {
            reply(proposal, total(outcome.result).mapError(ProposalError.refused), &actions)
        }
        inFlight.removeFirst(complete.count)
        if let step = outcomes.last, !step.isComplete, case .success(let applied) = step.result {
            stepsCount += applied.count
        }
        if inFlight.isEmpty {
            isAppending = false
        } else {
            prepareCommitted(&actions)
        }
    }

    /// The count of all steps together, for the one that completes an entry.
    private mutating func total(
        _ result: Result<Applied, CommandError>
    ) -> Result<Applied, CommandError> {
        defer { stepsCount = 0 }
        return result.map { Applied(recordVersion: $0.recordVersion, count: $0.count + stepsCount) }
    }

    /// The entries are durable, so they happened; a restart applies them.
    private mutating func failToApply(_ error: StoreError, _ actions: inout [Action]) {
        isAppending = false
        stop("the state could not be written: \(error)", &actions)
    }

    private func reply(
        _ proposal: Pending,
        _ result: Result<Applied, ProposalError>,
        _ actions: inout [Action]
    ) {
        guard let id = proposal.id, !proposal.answered else { return }
        actions.append(.reply(id, result))
    }

    private mutating func answerOverdue(_ now: UInt64, _ actions: inout [Action]) {
        // A proposal that has no place in the log yet is withdrawn: its outcome is known.
        let overdue = waiting.filter { $0.deadline <= now }
        waiting.removeAll { $0.deadline <= now }
        for proposal in overdue { reply(proposal, .failure(.timedOut), &actions) }
        for index in inFlight.indices
        where inFlight[index].deadline <= now && !inFlight[index].answered {
            reply(inFlight[index], .failure(.timedOut), &actions)
            inFlight[index].answered = true
        }
    }

    /// Lets time pass in the state: a command, so that every node does the same.
    private mutating func maintain(at: Timestamp, _ actions: inout [Action]) {
        let next = lastMaintenance?.adding(seconds: limits.maintenanceSeconds)
        guard stopReason == nil, next.map({ at >= $0 || at.seconds < $0.seconds - 3600 }) ?? true
        else { return }
        lastMaintenance = at
        let command = Command(
            at: max(at, store.metadata.lastAppliedAt),
            kind: .maintain(
                changeRetentionSeconds: limits.changeRetentionSeconds,
                recordsMax: Limits.maintenanceRecordsMax
            )
        )
        guard hasMaintenance(command) else { return }
        waiting.append(
            Pending(id: nil, command: command, payload: command.encoded(), deadline: .max)
        )
    }

    /// Whether the command would do anything; an idle node writes nothing.
    private func hasMaintenance(_ command: Command) -> Bool {
        guard inFlight.isEmpty, waiting.isEmpty else { return true }
        let index = store.metadata.appliedIndex + 1
        let placed = RecordStore.Placed(command, at: .init(term: term, index: index))
        guard case .success(let applied)? = (try? store.prepare([placed]))?.outcomes.first?.result
        else { return false }
        return applied.count > 0
    }

    private mutating func stop(_ reason: String, _ actions: inout [Action]) {
        guard stopReason == nil else { return }
        stopReason = reason
        for proposal in inFlight + waiting { reply(proposal, .failure(.stopped), &actions) }
        inFlight = []
        waiting = []
        actions.append(.stop(reason: reason))
    }
}
