// SPDX-License-Identifier: Apache-2.0

internal import Raft

/// One step of one member: what came, what changed in it, what it says.
extension ReferenceModel {
    mutating func step(
        _ place: Int,
        _ input: Input,
        _ effects: [Effect],
        _ seen: Observation,
        at now: UInt64
    ) throws(Rejection) {
        guard members[place].role != .stopped else {
            for effect in effects {
                if case .refused = effect { continue }
                throw broken(.stop, "it has stopped and does something: \(effect)")
            }
            return
        }
        var step = Step(
            place: place,
            now: now,
            input: input,
            seen: seen,
            roleBefore: members[place].role,
            termBefore: members[place].term,
            commitBefore: members[place].commit,
            ledTerm: members[place].role == .leader ? members[place].term : nil
        )
        try receive(&step)
        for effect in effects {
            switch effect {
            case .roleChanged(let change): try changeRole(change, &step)
            case .persist(let write): try persist(write, &step)
            case .accepted(_, let term, let range):
                guard term == step.ledTerm && step.accepted == nil else {
                    throw broken(.leader, "it takes a proposal and does not lead")
                }
                step.accepted = range
            case .stopped(let reason):
                guard reason == .writeFailed && input == .writeFailed else {
                    throw broken(.stop, "it stops: \(reason)")
                }
            default: break
            }
        }
        guard seen.role != .stopped else { return }
        try compare(step)
        try commit(step)
        for effect in effects { try say(effect, step) }
        try finish(step)
    }

    // MARK: - What came

    private mutating func receive(_ step: inout Step) throws(Rejection) {
        let place = step.place
        switch step.input {
        case .receive(let message):
            guard message.to == members[place].id && sent.contains(Digest.of(message)) else {
                throw broken(.invention, "nobody sent \(message)")
            }
            hear(message, place, at: step.now)
        case .persisted(let number):
            guard number <= members[place].issuedNumber else {
                throw broken(.trace, "write \(number) was not asked for")
            }
            while let write = members[place].writes.first, write.number <= number {
                members[place].writes.removeFirst()
                members[place].disk = write.disk
                step.disks.append(write.disk)
                try noteVote(place, write.disk.hardState)
            }
        case .applied(let index):
            guard index <= members[place].handed else {
                throw broken(.trace, "\(index) was not given out to be applied")
            }
        case .read(let id):
            guard members[place].role == .leader else { break }
            let round = members[place].leadership.round
            let read = Leadership.Read(id: id, index: committed.index, round: round)
            members[place].leadership.reads.append(read)
        default: break
        }
    }

    /// Whatever a message may count for later, if it is of the present term.
    private mutating func hear(_ message: Message, _ place: Int, at now: UInt64) {
        let term = members[place].term
        switch (message.kind, members[place].role) {
        case (.preVoteReply(true), .preCandidate) where message.term == term + 1,
            (.voteReply(true), .candidate) where message.term == term:
            members[place].grants.append(message.from)
        case (.appendReply(let reply), .leader) where message.term == term:
            noteAnswer(from: message.from, reply.stamp, reply.reading, place, at: now)
            guard case .accepted(let match) = reply.outcome else { break }
            let known = members[place].leadership[message.from].match
            members[place].leadership[message.from].match = max(known, match)
        case (.heartbeatReply(let reply), .leader) where message.term == term:
            noteAnswer(from: message.from, reply.stamp, reply.reading, place, at: now)
        case (.append(let append), _) where message.term >= term:
            if let echo = append.echo { members[place].echoes.append(echo) }
        case (.heartbeat(let heartbeat), _) where message.term >= term:
            if let echo = heartbeat.echo { members[place].echoes.append(echo) }
        default: break
        }
    }

    private mutating func noteAnswer(
        from id: MemberID,
        _ stamp: Stamp,
        _ reading: Reading,
        _ place: Int,
        at now: UInt64
    ) {
        members[place].leadership.readings.append((reading, now))
        var peer = members[place].leadership[id]
        peer.round = max(peer.round, stamp.round)
        peer.clock = max(peer.clock, stamp.clock)
        members[place].leadership[id] = peer
        members[place].leadership.confirmed = max(
            members[place].leadership.confirmed,
            members[place].answeredClock(at: now)
        )
    }

    // MARK: - What is seen

    private func compare(_ step: Step) throws(Rejection) {
        // Every step comes here, so the state of the member is not copied.
        let place = step.place
        let seen = step.seen
        guard
            seen.role == members[place].role && seen.term == members[place].term
                && seen.last == members[place].last
        else { throw broken(.observation, "it is not what it said: \(seen)") }
        guard seen.configuration == members[place].configuration else {
            throw broken(.configuration, "it goes by \(seen.configuration)")
        }
        guard step.accepted == nil || step.accepted == step.appended else {
            throw broken(.appendOnly, "it gave places that it did not append")
        }
        guard seen.term == step.termBefore || step.isHardStateWritten else {
            throw broken(.durableTerm, "term \(seen.term) is not written")
        }
    }

    private mutating func finish(_ step: Step) throws(Rejection) {
        let place = step.place
        let seen = step.seen
        guard
            seen.appliedIndex >= members[place].applied
                && seen.appliedIndex <= members[place].handed
        else { throw broken(.apply, "its applied index is \(seen.appliedIndex)") }
        members[place].applied = seen.appliedIndex
        guard seen.role == .leader || members[place].leadership.lease == nil else {
            throw broken(.lease, "it does not lead any more and keeps its lease")
        }
        guard let message = step.message, message.term == members[place].term else { return }
        switch message.kind {
        case .append, .heartbeat, .snapshot:
            let until = step.now + electionTimeout
            members[place].quietUntil = max(members[place].quietUntil, until)
        default: break
        }
    }
}
