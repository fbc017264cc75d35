// SPDX-License-Identifier: Apache-2.0

internal import Raft

/// What a member says: to others, and to its owner.
extension ReferenceModel {
    mutating func say(_ effect: Effect, _ step: Step) throws(Rejection) {
        switch effect {
        case .send(let message): try send(message, step)
        case .apply(let entries): try apply(entries, step)
        case .readReady(let id, let index): try answerRead(id, index, step)
        case .lease(let deadline): try tellLease(deadline, step)
        case .fresh(let clock): try tellFreshness(clock, step)
        case .persist, .roleChanged, .accepted, .refused, .uncertain, .stopped: break
        }
    }

    private mutating func send(_ message: Message, _ step: Step) throws(Rejection) {
        let place = step.place
        let member = members[place]
        guard message.from == member.id && message.to != member.id else {
            throw broken(.invention, "it speaks for \(message.from) to \(message.to)")
        }
        switch message.kind {
        case .preVote(let last): try checkPreVote(message, last, step)
        case .preVoteReply(true): try checkPreVoteGrant(message, step)
        case .preVoteReply(false), .voteReply, .appendReply, .heartbeatReply, .staleTerm:
            try checkReply(message, step)
        case .vote(let last, let isTransfer):
            try checkVoteRequest(message, last, isTransfer, step)
        case .append, .heartbeat, .snapshot, .timeoutNow:
            guard step.ledTerm == message.term else {
                throw broken(.leader, "it speaks as the leader of term \(message.term)")
            }
            try checkOrder(message, step)
        }
        sent.insert(Digest.of(message))
    }

    // MARK: - Followers

    private mutating func checkReply(_ message: Message, _ step: Step) throws(Rejection) {
        let place = step.place
        guard message.term <= members[place].term else {
            throw broken(.term, "it is not in the term of \(message)")
        }
        guard message.term <= members[place].disk.term else {
            throw broken(.durableTerm, "its term is not durable: \(message)")
        }
        switch message.kind {
        case .voteReply(true): try checkVoteGrant(message, step)
        case .appendReply(let reply):
            members[place].run = reply.reading.run
            if case .accepted(let match) = reply.outcome {
                try checkAcknowledgement(message, match, step)
            }
        case .heartbeatReply(let reply): members[place].run = reply.reading.run
        default: break
        }
    }

    /// The reply may have waited for a write that a later one undid: what counts is that the disk
    /// has held the leader's entries.
    private func checkAcknowledgement(
        _ message: Message,
        _ match: LogIndex,
        _ step: Step
    ) throws(Rejection) {
        guard let end = tree.end(of: message.term), tree.leader(of: message.term) == message.to,
            match <= end.index
        else {
            throw broken(.acknowledgement, "no leader has \(match)")
        }
        let position = tree.position(at: match, in: end)
        let disk = members[step.place].disk
        guard
            tree.holds(disk.last, position)
                || step.disks.contains(where: { tree.holds($0.last, position) })
        else {
            throw broken(.acknowledgement, "it has \(disk.last), not \(position)")
        }
    }

    // MARK: - Leaders

    private mutating func checkOrder(_ message: Message, _ step: Step) throws(Rejection) {
        let place = step.place
        let member = members[place]
        switch message.kind {
        case .append(let append):
            let end = append.entries.last.map(position) ?? append.previous
            guard tree.holds(member.last, end), tree.knows(append.entries, behind: append.previous)
            else {
                throw broken(.sentEntries, "it does not have \(append.entries)")
            }
            guard append.commit <= step.seen.commitIndex else {
                throw broken(.proven, "it has not committed \(append.commit)")
            }
            try checkStamp(append.stamp, append.echo, step)
        case .heartbeat(let heartbeat):
            let acknowledged = member.leadership[message.to].match
            guard heartbeat.commit <= min(step.seen.commitIndex, acknowledged) else {
                throw broken(.proven, "\(message.to) has \(acknowledged), not \(heartbeat.commit)")
            }
            try checkStamp(heartbeat.stamp, heartbeat.echo, step)
        case .snapshot(let snapshot): try checkSnapshot(snapshot, step)
        case .timeoutNow:
            guard
                member.configuration.voters.contains(message.to)
                    && member.leadership[message.to].match == member.last.index
            else {
                throw broken(.transfer, "\(message.to) may lack entries, or is no voter")
            }
            guard member.leadership.lease == nil else {
                throw broken(.lease, "it tells \(message.to) to campaign and keeps its lease")
            }
            members[place].leadership.isTransferTold = true
        default: break
        }
    }

    private func checkSnapshot(_ snapshot: Snapshot, _ step: Step) throws(Rejection) {
        let place = step.place
        guard
            tree.holds(members[place].last, snapshot.position)
                && snapshot.position.index <= step.seen.appliedIndex
        else { throw broken(.snapshot, "it sends a snapshot of \(snapshot.position)") }
        var configuration = founding
        let newest = tree.configurations(of: snapshot.position, behind: 0).first
        if case .configuration(let found) = newest?.content { configuration = found }
        guard snapshot.configuration == configuration else {
            throw broken(.snapshot, "\(configuration) is in effect, not \(snapshot)")
        }
    }

    private mutating func checkStamp(
        _ stamp: Stamp,
        _ echo: FreshnessEcho?,
        _ step: Step
    ) throws(Rejection) {
        let place = step.place
        let leadership = members[place].leadership
        members[place].leadership.round = max(leadership.round, stamp.round)
        guard stamp.clock <= step.now else {
            throw broken(.lease, "it stamps \(stamp.clock) at \(step.now)")
        }
        guard let echo else { return }
        guard mayVouch(for: echo.reading, step) && echo.index <= step.seen.commitIndex else {
            throw broken(.freshness, "it vouches for a reading and is not confirmed since it came")
        }
        members[place].leadership.noteVouched(echo.reading)
    }

    /// The reading came before something was sent that a majority has answered.
    private func mayVouch(for reading: Reading, _ step: Step) -> Bool {
        let member = members[step.place]
        guard let term = step.ledTerm, term == member.term,
            step.seen.commitIndex >= member.leadership.first
        else { return false }
        if member.leadership.hasVouched(for: reading) { return true }
        guard let came = member.leadership.readings.first(where: { $0.reading == reading })
        else { return false }
        // What was true once stays so, whoever has joined since. Within one reading of the clock
        // the model does not ask what came first.
        return max(member.leadership.confirmed, member.answeredClock(at: step.now)) >= came.at
    }

    // MARK: - Owners

    /// Of what the leader sent at some time a majority has answered, and the lease counts from
    /// there.
    private func mayLease(until deadline: UInt64, _ step: Step) -> Bool {
        let member = members[step.place]
        guard let term = step.ledTerm, term == member.term,
            step.seen.commitIndex >= member.leadership.first, !member.leadership.isTransferTold
        else { return false }
        return member.configuration.hasMajority { voter in
            let clock = voter == member.id ? step.now : member.leadership[voter].clock
            return clock + leaseLength >= deadline
        }
    }

    private mutating func tellLease(_ deadline: UInt64?, _ step: Step) throws(Rejection) {
        if let deadline {
            guard step.seen.role == .leader && mayLease(until: deadline, step) else {
                throw broken(.lease, "it has a lease until \(deadline) at \(step.now)")
            }
        }
        members[step.place].leadership.lease = deadline
    }

    /// A majority has answered what was sent after the request, and the index was enough then.
    private mutating func answerRead(
        _ id: RequestID,
        _ index: LogIndex,
        _ step: Step
    ) throws(Rejection) {
        let place = step.place
        let member = members[place]
        guard let read = member.leadership.reads.first(where: { $0.id == id }) else {
            throw broken(.read, "it answers a read that nobody asked for")
        }
        members[place].leadership.reads.removeAll { $0.id == id }
        guard
            index >= read.index && index >= member.leadership.first
                && index <= step.seen.commitIndex
        else {
            throw broken(.read, "it answers a read at \(index), where \(read.index) was committed")
        }
        let isConfirmed = member.configuration.hasMajority { voter in
            voter == member.id || member.leadership[voter].round > read.round
        }
        guard isConfirmed else {
            throw broken(.read, "it answers a read and does not know that it leads")
        }
    }

    private mutating func tellFreshness(_ clock: UInt64, _ step: Step) throws(Rejection) {
        let member = members[step.place]
        guard
            member.echoes.contains(where: {
                $0.reading.clock == clock && $0.reading.run == member.run
                    && $0.index <= step.seen.appliedIndex
            })
        else { throw broken(.freshness, "it calls itself fresh as of \(clock)") }
        members[step.place].echoes.removeAll { $0.reading.clock <= clock }
    }
}
