// SPDX-License-Identifier: Apache-2.0

import Identity
import Raft
import Store

/// Committed entries on their way into the state: worked out, warned of, visible, answered.
extension Replica {
    /// Works out what becomes visible only once it is committed.
    mutating func prepareAhead() {
        guard ahead == nil, visible == nil, arrival == nil, committed.isEmpty,
            member.role == .leader
        else { return }
        let own = inFlight.drop { $0.position.term < member.term }
        guard let first = own.first?.position, let last = own.last?.position,
            first.index == store.metadata.appliedIndex + 1,
            own.allSatisfy({ $0.command != nil && $0.position.term == member.term })
        else { return }
        let placed = own.compactMap { proposal in
            proposal.command.map { RecordStore.Placed($0, at: .init(proposal.position)) }
        }
        // A store that cannot be read now is asked again when it matters.
        guard let prepared = try? store.prepare(placed) else { return }
        ahead = Ahead(first: first, last: last, prepared: prepared)
    }

    /// Warns readers of the next committed entries, one batch at a time.
    mutating func applyCommitted() {
        guard visible == nil, stopReason == nil, !committed.isEmpty else { return }
        let batch = nextBatch
        do throws(ApplyFault) {
            let prepared = try prepare(batch)
            visible = .entries(prepared)
            actions.append(.warn(.of(prepared.outcomes.flatMap(\.effects))))
        } catch {
            // The entries are committed, so they happened; a restart applies them.
            stop(error.reason)
        }
    }

    private var nextBatch: ArraySlice<Entry> {
        var bytes = 0
        return committed.prefix(limits.batchEntriesMax).prefix { entry in
            defer { bytes += entry.sizeBytes }
            return bytes < limits.batchBytesMax
        }
    }

    private struct ApplyFault: Error {
        var reason: String
    }

    private mutating func prepare(
        _ batch: ArraySlice<Entry>
    ) throws(ApplyFault) -> RecordStore.Prepared {
        let ahead = self.ahead
        self.ahead = nil
        if let ahead, let first = batch.first, let last = batch.last,
            ahead.first == LogPosition(index: first.index, term: first.term),
            ahead.last == LogPosition(index: last.index, term: last.term)
        {
            return ahead.prepared
        }
        let placed = try placed(batch)
        do throws(StoreError) {
            return try store.prepare(placed)
        } catch {
            throw ApplyFault(reason: "the state could not be read: \(error)")
        }
    }

    /// What the entries mean to the state; commands of this node need no decoding.
    private func placed(
        _ batch: ArraySlice<Entry>
    ) throws(ApplyFault) -> [RecordStore.Placed] {
        var placed: [RecordStore.Placed] = []
        placed.reserveCapacity(batch.count)
        var own = inFlight[...]
        for entry in batch {
            let position = LogPosition(index: entry.index, term: entry.term)
            own = own.drop { $0.position.index < entry.index }
            let known = own.prefix { $0.position.index == entry.index }
                .first { $0.position == position }?.command
            placed.append(.init(try content(of: entry, known: known), at: .init(position)))
        }
        return placed
    }

    private func content(
        of entry: Entry,
        known: Command?
    ) throws(ApplyFault) -> RecordStore.Content {
        switch entry.content {
        case .empty: return .empty
        case .configuration(let group):
            return .configuration(GroupConfiguration(group, at: entry.index))
        case .payload(let payload):
            if let known { return .command(known) }
            do throws(DocumentError) {
                return .command(try Command(decoding: payload))
            } catch {
                throw ApplyFault(reason: "entry \(entry.index) is no command of this version")
            }
        }
    }

    // MARK: - After the warning

    mutating func becomeVisible() {
        guard let visible else { return }
        self.visible = nil
        switch visible {
        case .entries(let prepared): commit(prepared)
        case .state(let number): replaceState(through: number)
        }
    }

    /// Makes committed entries visible, then answers for them.
    private mutating func commit(_ prepared: RecordStore.Prepared) {
        do throws(StoreError) {
            try store.commit(prepared)
            isStateFull = false
        } catch .noSpace {
            // The entries are committed, so they wait for room: with each tick it is tried again.
            visible = .entries(prepared)
            isStateFull = true
            return refuseWideningAndHandOver()
        } catch {
            return stop("the state could not be written: \(error)")
        }
        let outcomes = prepared.outcomes
        actions.append(.applied(outcomes.flatMap(\.effects), outcomes.flatMap(\.changes)))
        let complete = outcomes.prefix { $0.isComplete }
        var answeredCount = 0
        for (entry, outcome) in zip(committed, complete) {
            answer(entry, outcome.result, &answeredCount)
        }
        inFlight.removeFirst(answeredCount)
        guard let last = committed.prefix(complete.count).last else { return }
        committed.removeFirst(complete.count)
        drive(.applied(through: last.index))
        compact()
        if last.term == member.term { beginHistory() }
    }

    /// Answers whoever proposed an entry, and those whose place it has taken.
    ///
    /// Those in flight who are done with are counted, and removed by the caller, all at once.
    private mutating func answer(
        _ entry: Entry,
        _ result: Result<Applied, CommandError>,
        _ answeredCount: inout Int
    ) {
        retainedBytes += entry.sizeBytes
        // Terms never go back along a log, so nothing of an older term comes behind this entry.
        while answeredCount < inFlight.count,
            inFlight[answeredCount].position.index <= entry.index
                || inFlight[answeredCount].position.term < entry.term
        {
            let first = inFlight[answeredCount]
            answeredCount += 1
            if first.position == LogPosition(index: entry.index, term: entry.term) {
                reply(first, result.mapError(ProposalError.refused))
            } else {
                replyLost(first)
            }
        }
    }

    mutating func answerReads() {
        guard !placedReads.isEmpty else { return }
        let applied = store.metadata.appliedIndex
        guard placedReads.contains(where: { $0.index <= applied }) else { return }
        let result = Applied(recordVersion: store.metadata.recordVersion, count: 0)
        for (read, index) in placedReads where index <= applied {
            actions.append(.reply(read.id, .success(result)))
        }
        placedReads.removeAll { $0.index <= applied }
    }

    /// Lets go of entries that are applied, in large steps; a few stay for those slightly behind.
    ///
    /// Whoever needs older ones gets a copy of the state, which is always at hand.
    private mutating func compact() {
        guard retainedBytes >= 2 * limits.retainedBytesMax else { return }
        let applied = store.metadata.appliedIndex
        var index = member.firstIndex
        while index < applied, retainedBytes > limits.retainedBytesMax {
            // What is not applied yet has not been counted.
            let entries = member.entries(from: index, bytesMax: 256 << 10)
                .prefix { $0.index <= applied }
            guard let last = entries.last else { break }
            retainedBytes -= entries.reduce(0) { $0 + $1.sizeBytes }
            index = last.index + 1
        }
        drive(.snapshotTaken(at: applied))
        drive(.compact(through: min(index - 1, applied)))
    }
}

extension RecordStore.Position {
    /// A place in Raft's log.
    init(_ position: LogPosition) {
        self.init(term: position.term, index: position.index)
    }
}
