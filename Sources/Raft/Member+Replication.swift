// SPDX-License-Identifier: Apache-2.0

/// The leader's side of log replication: thesis sections 3.5 and 10.2 (batching, pipelining,
/// writing to the leader's disk in parallel).
extension Member {
    /// "Upon election: send initial empty AppendEntries to each server" (figure 3.1); here with the
    /// empty entry of section 6.4 in it, so that the terms before can be committed.
    mutating func becomeLeader() {
        role = .leader
        leader = id
        leadership = Leadership()
        leadership.startedAt = now
        leadership.startIndex = log.lastIndex + 1
        if commitIndex < log.lastIndex {
            leadership.uncommittedBytes = log.sizeBytes((commitIndex + 1)...log.lastIndex)
        }
        syncProgress()
        noteRole(.electionWon)
        appendAsLeader([.empty])
    }

    /// Ends the leadership: what it was asked for is answered as far as that is known.
    mutating func endLeadership() {
        giveUpLease()
        for read in leadership.reads { effects.append(.refused(read.id, .leadershipLost)) }
        let first = max(commitIndex + 1, leadership.startIndex)
        if first <= log.lastIndex {
            effects.append(.uncertain(term: term, first...log.lastIndex))
        }
        leadership = Leadership()
    }

    mutating func tickLeader(hasStalled: Bool) {
        if !hasStalled { checkQuorum() }
        guard role == .leader else { return }
        tickTransfer()
        guard role == .leader else { return }
        leadership.heartbeatElapsed += 1
        if leadership.heartbeatElapsed >= options.heartbeatTicks { broadcastHeartbeat() }
    }

    // MARK: - Proposals

    mutating func receiveProposal(_ request: RequestID, _ payloads: [[UInt8]]) {
        if let refusal = proposalRefusal(bytes: payloads.reduce(0) { $0 + $1.count }) {
            return effects.append(.refused(request, refusal))
        }
        guard !payloads.isEmpty else { return }
        let first = log.lastIndex + 1
        effects.append(
            .accepted(request, term: term, first...(log.lastIndex + LogIndex(payloads.count)))
        )
        appendAsLeader(payloads.map(Entry.Content.payload))
    }

    /// Why nothing can be proposed now; nil when it can.
    ///
    /// One proposal is taken however large it is, if nothing else waits.
    func proposalRefusal(bytes: Int) -> Refusal? {
        guard role == .leader else { return .notLeader(leader) }
        guard leadership.transfer == nil else { return .transferring }
        let waiting = leadership.uncommittedBytes
        guard waiting == 0 || waiting + bytes <= options.uncommittedBytesMax else { return .busy }
        return nil
    }

    /// "The leader appends the command to its log as a new entry, then issues AppendEntries RPCs in
    /// parallel to each of the other servers" (section 3.5).
    mutating func appendAsLeader(_ contents: [Entry.Content]) {
        var index = log.lastIndex
        let entries = contents.map { content in
            index += 1
            return Entry(term: term, index: index, content: content)
        }
        log.append(entries)
        configurations.adopt(entries)
        leadership.uncommittedBytes += entries.reduce(0) { $0 + $1.sizeBytes }
        for id in leadership.progress.ids { sendAppends(to: id) }
    }

    // MARK: - Sending

    /// What goes with every message of a leader.
    private var stamp: Stamp { Stamp(round: leadership.round, clock: now) }

    /// Sends all that the member's window has room for.
    mutating func sendAppends(to id: MemberID) {
        while let progress = leadership.progress[id], !progress.isPaused(options) {
            let hasNews = progress.next <= log.lastIndex || commitNews(for: progress)
            guard hasNews || !progress.isReplicating else { return }
            sendAppend(to: id, progress)
        }
    }

    /// Whether an append without entries would teach the member a commit.
    private func commitNews(for progress: Progress) -> Bool {
        min(commitIndex, progress.next - 1) > progress.commitSent
    }

    /// One append, empty when there is nothing to send or no room for it; the snapshot when the
    /// member is too far behind.
    private mutating func sendAppend(to id: MemberID, _ progress: Progress) {
        let previous = progress.next - 1
        guard let term = log.term(at: previous) else { return sendSnapshot(to: id) }
        let entries =
            progress.isPaused(options)
            ? [] : log.entries(from: progress.next, bytesMax: options.appendBytesMax)
        let append = Append(
            previous: LogPosition(index: previous, term: term),
            entries: entries,
            commit: commitIndex,
            stamp: stamp,
            echo: echo(for: progress)
        )
        send(.append(append), to: id, after: .nothing)
        let proven = entries.last?.index ?? previous
        _ = leadership.progress.update(id) { row in
            row.sent(entries)
            row.commitSent = max(row.commitSent, min(commitIndex, proven))
        }
    }

    /// "Leaders send periodic heartbeats to all followers to maintain their authority" (3.4).
    mutating func broadcastHeartbeat() {
        leadership.heartbeatElapsed = 0
        leadership.round += 1
        for id in leadership.progress.ids {
            guard let progress = leadership.progress[id] else { continue }
            let heartbeat = Heartbeat(
                commit: min(commitIndex, progress.match),
                stamp: stamp,
                echo: echo(for: progress)
            )
            send(.heartbeat(heartbeat), to: id, after: .nothing)
        }
        confirmReads()
    }

    // MARK: - Answers

    mutating func receiveAppendReply(_ reply: AppendReply, from id: MemberID) {
        guard role == .leader else { return }
        noteAnswer(reply.stamp, reply.reading, from: id)
        switch reply.outcome {
        case .accepted(let match):
            guard match <= log.lastIndex,
                leadership.progress.update(id, { $0.accept(match) }) == true
            else { break }
            advanceCommit()
            guard role == .leader else { return }
            sendAppends(to: id)
            continueTransfer(to: id)
        case .rejected(let index, let hint):
            // "The leader decrements nextIndex to bypass all of the conflicting entries in that
            // term" (section 3.5).
            let skipped = log.conflict(upTo: min(hint.index, log.lastIndex), term: hint.term)
            let next = hint.term == 0 ? hint.index : skipped.index
            guard leadership.progress.update(id, { $0.reject(at: index, hint: next) }) == true
            else { break }
            sendAppends(to: id)
        }
        confirmReads()
    }

    mutating func receiveHeartbeatReply(_ reply: HeartbeatReply, from id: MemberID) {
        guard role == .leader else { return }
        guard noteAnswer(reply.stamp, reply.reading, from: id) else { return }
        let isBehind = leadership.progress.update(id) {
            $0.heartbeatAnswered(lastIndex: log.lastIndex)
        }
        if isBehind == true, let progress = leadership.progress[id] {
            // Even without room in the window: when something was lost, this is rejected.
            sendAppend(to: id, progress)
        }
        confirmReads()
    }

    /// Contact with a member of the group; true when it answers something newer than before.
    @discardableResult
    private mutating func noteAnswer(
        _ stamp: Stamp,
        _ reading: Reading,
        from id: MemberID
    ) -> Bool {
        guard stamp.clock <= now, stamp.round <= leadership.round else { return false }
        let isNews = leadership.progress.update(id) { $0.answer(stamp) } ?? false
        let (clock, now) = (quorumClock, now)
        _ = leadership.progress.update(id) {
            $0.readings.take(reading, at: now, quorumClock: clock)
        }
        return isNews
    }
}
