// SPDX-License-Identifier: Apache-2.0

import Identity
import Raft
import Store

/// Requests on their way into the log: one batch at a time.
extension Replica {
    mutating func receive(_ proposal: Proposal) {
        if let refusal { return actions.append(.reply(proposal.id, .failure(refusal))) }
        // The history's time never runs backwards, whatever the wall clock does.
        let command = Command(
            at: max(wall, store.metadata.lastAppliedAt),
            kind: proposal.kind,
            origin: proposal.origin
        )
        guard !isOutOfSpace || command.isNarrowing else {
            return actions.append(.reply(proposal.id, .failure(.noSpace)))
        }
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

    /// Why nothing can be proposed now; nil when it can.
    private var refusal: ProposalError? {
        guard stopReason == nil else { return .stopped }
        guard member.role == .leader else { return ProposalError(.notLeader(member.leader)) }
        guard isWritable(now: now) else {
            return .notWritable(reason: "the group has not confirmed this leader lately")
        }
        return waiting.count + inFlight.count < limits.proposalsMax ? nil : .busy
    }

    mutating func receiveMembershipChange(_ id: ProposalID, _ change: Raft.MembershipChange) {
        if let refusal { return actions.append(.reply(id, .failure(refusal))) }
        let request = newRequest()
        let deadline = now &+ limits.commitTimeoutNanoseconds
        offered = (request, [Pending(id: id, deadline: deadline)])
        drive(.changeMembership(request, change))
    }

    mutating func receiveRead(_ id: ProposalID) {
        guard reads.count + placedReads.count < limits.readsMax else {
            return actions.append(.reply(id, .failure(.busy)))
        }
        let request = newRequest()
        let deadline = now &+ limits.commitTimeoutNanoseconds
        reads[request] = PendingRead(id: id, deadline: deadline)
        drive(.read(request))
    }

    /// Group commit: everything that waits becomes one batch.
    mutating func appendWaiting() {
        guard stopReason == nil, !waiting.isEmpty, !isBatchUnderWay else { return }
        var bytes = 0
        let batch = waiting.prefix(limits.batchEntriesMax).prefix { proposal in
            defer { bytes += proposal.payload.count }
            return bytes < limits.batchBytesMax
        }
        waiting.removeFirst(batch.count)
        let request = newRequest()
        offered = (request, Array(batch))
        drive(.propose(request, batch.map(\.payload)))
        actions.append(.prepare)
    }

    private var isBatchUnderWay: Bool {
        guard let end = batchEnd, member.role == .leader, end.term == member.term else {
            return false
        }
        return store.metadata.appliedIndex < end.index
    }

    /// Notes where the batch that was offered stands in the log.
    mutating func place(_ request: RequestID, term: Term, from first: LogIndex) {
        guard let offered, offered.request == request else {
            preconditionFailure("only what was offered is accepted")
        }
        self.offered = nil
        // What an earlier term put there is lost: changes are taken by a leader that has committed
        // in its term, and whoever leads next has that entry, and not what was there before.
        for lost in inFlight where lost.position.index >= first { replyLost(lost) }
        inFlight.removeAll { $0.position.index >= first }
        for (offset, proposal) in offered.proposals.enumerated() {
            var proposal = proposal
            proposal.position = LogPosition(index: first + LogIndex(offset), term: term)
            inFlight.append(proposal)
            batchEnd = proposal.position
        }
    }

    /// What has no place goes with the leadership: in a later one it could get a place before the
    /// term has committed anything, and what was in flight there before would pass for lost.
    mutating func refuseWaiting(_ leader: MemberID?) {
        for proposal in waiting { reply(proposal, .failure(ProposalError(.notLeader(leader)))) }
        waiting = []
    }

    mutating func refuse(_ request: RequestID, _ error: ProposalError) {
        if let read = reads.removeValue(forKey: request) {
            return actions.append(.reply(read.id, .failure(error)))
        }
        guard let offered, offered.request == request else { return }
        self.offered = nil
        for proposal in offered.proposals { reply(proposal, .failure(error)) }
    }

    mutating func reply(_ proposal: Pending, _ result: Result<Applied, ProposalError>) {
        guard let id = proposal.id, !proposal.isAnswered else { return }
        actions.append(.reply(id, result))
    }

    /// Answers for what has another leader's entry in its place.
    mutating func replyLost(_ proposal: Pending) {
        reply(proposal, .failure(.notWritable(reason: "another leader took its place")))
    }

    mutating func answerOverdue() {
        // A proposal that has no place in the log yet is withdrawn: its outcome is known.
        let overdue = waiting.filter { $0.deadline <= now }
        waiting.removeAll { $0.deadline <= now }
        for proposal in overdue { reply(proposal, .failure(.timedOut)) }
        for index in inFlight.indices
        where inFlight[index].deadline <= now && !inFlight[index].isAnswered {
            reply(inFlight[index], .failure(.timedOut))
            inFlight[index].isAnswered = true
        }
        answerReads(.timedOut) { [now] in $0.deadline <= now }
    }

    /// Ends the reads that are meant, in the order of their names.
    mutating func answerReads(
        _ error: ProposalError,
        where isMeant: (PendingRead) -> Bool
    ) {
        guard !reads.isEmpty || !placedReads.isEmpty else { return }
        let ended = (reads.values + placedReads.map(\.read)).filter(isMeant)
        guard !ended.isEmpty else { return }
        reads = reads.filter { !isMeant($0.value) }
        placedReads.removeAll { isMeant($0.read) }
        for read in ended.sorted(by: { $0.id.rawValue < $1.id.rawValue }) {
            actions.append(.reply(read.id, .failure(error)))
        }
    }

    // MARK: - What a leader proposes itself

    /// A history without a name gets one; it tells it from every other history.
    mutating func beginHistory() {
        guard member.role == .leader, store.metadata.serverVersion == 0 else { return }
        let name = UInt64.random(in: 1...(.max), using: &generator)
        propose(.beginHistory(serverVersion: name))
    }

    /// Begins it where that was refused before, because the leadership was being handed over.
    mutating func beginHistoryLate() {
        guard store.metadata.serverVersion == 0, waiting.isEmpty, inFlight.isEmpty,
            hasLease(at: now), store.metadata.appliedIndex == member.commitIndex
        else { return }
        beginHistory()
    }

    /// Lets time pass in the state: a command, so that every node does the same.
    mutating func maintain() {
        let next = lastMaintenance?.adding(seconds: limits.maintenanceSeconds)
        guard next.map({ wall >= $0 || wall.seconds < $0.seconds - 3600 }) ?? true,
            // Where nothing moves, one is enough.
            !waiting.contains(where: { $0.id == nil }), isWritable(now: now)
        else { return }
        lastMaintenance = wall
        let kind = Command.Kind.maintain(
            changeRetentionSeconds: limits.changeRetentionSeconds,
            recordsMax: Limits.maintenanceRecordsMax
        )
        if hasMaintenance(kind) { propose(kind) }
    }

    private mutating func propose(_ kind: Command.Kind) {
        let command = Command(at: max(wall, store.metadata.lastAppliedAt), kind: kind)
        waiting.append(Pending(command: command, payload: command.encoded(), deadline: .max))
    }

    /// Whether the command would do anything; an idle node writes nothing.
    private func hasMaintenance(_ kind: Command.Kind) -> Bool {
        guard inFlight.isEmpty, waiting.isEmpty else { return true }
        let command = Command(at: max(wall, store.metadata.lastAppliedAt), kind: kind)
        let index = store.metadata.appliedIndex + 1
        let placed = RecordStore.Placed(command, at: .init(term: member.term, index: index))
        guard case .success(let applied)? = (try? store.prepare([placed]))?.outcomes.first?.result
        else { return false }
        return applied.count > 0
    }
}
