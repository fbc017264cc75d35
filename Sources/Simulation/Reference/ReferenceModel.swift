// SPDX-License-Identifier: Apache-2.0

package import Raft

/// Raft as the thesis has it, as a relation: which transitions are allowed, not which one is made.
///
/// It is fed with what is seen at the border of each member of a group, and looks at the group as
/// the TLA+ specification in appendix B of the thesis does: all members, all messages ever sent.
/// With it come pre-vote, learners, snapshots, transfer, leases, and disks that take their time. It
/// shares nothing with the core but the values that go in and out.
///
/// All members begin empty, at index 0. What is said of a trace is said up to its first rejection.
package struct ReferenceModel {
    /// T by the clock of each member.
    let electionTimeout: UInt64
    var tree = EntryTree()
    var members: [MemberState] = []
    /// What the group began with.
    var founding = Configuration(voters: [])
    /// Digests of all messages ever sent: the network may lose, repeat, delay and reorder.
    var sent: Set<UInt64> = []
    /// The end of the committed log.
    var committed = EntryTree.root
    /// How far the leader of a term has committed.
    var commitments: [(term: Term, last: LogPosition)] = []
    private var eventCount = 0
    /// Whose event it is.
    private var current = MemberID(0)

    /// A group that has not begun; T is that of its members.
    package init(electionTimeoutNanoseconds: UInt64) {
        electionTimeout = electionTimeoutNanoseconds
    }

    /// How long a lease lasts: an election timeout, divided by a bound on how far clocks run apart
    /// (section 6.4.1), which is 3/2 here.
    var leaseLength: UInt64 { electionTimeout * 2 / 3 }

    /// Takes the next event of the trace, or says which rule it breaks.
    package mutating func accept(_ event: TraceEvent) throws(Rejection) {
        eventCount += 1
        switch event {
        case .started(let id, let now, let recovery):
            current = id
            if let place = place(id) {
                try restart(place, recovery, at: now)
            } else {
                try start(id, recovery, at: now)
            }
        case .stepped(let id, let now, let input, let effects, let seen):
            current = id
            guard let place = place(id), members[place].isUp else {
                throw broken(.trace, "it takes a step and is not there")
            }
            try step(place, input, effects, seen, at: now)
        case .crashed(let id):
            current = id
            guard let place = place(id), members[place].isUp else {
                throw broken(.trace, "it crashes and is not there")
            }
            members[place].isUp = false
        }
    }

    /// Lets a message arrive that nobody sent and somebody could have, or that travels in another
    /// form than it was sent in.
    package mutating func allow(_ message: Message) {
        sent.insert(Digest.of(message))
    }

    func place(_ id: MemberID) -> Int? { members.firstIndex { $0.id == id } }

    /// Says that the member at hand breaks a rule.
    func broken(_ rule: Rule, _ explanation: String) -> Rejection {
        Rejection(rule: rule, member: current, event: eventCount, explanation: explanation)
    }

    // MARK: - Starts

    private mutating func start(
        _ id: MemberID,
        _ recovery: Recovery,
        at now: UInt64
    ) throws(Rejection) {
        let isBlank =
            recovery.snapshot.position == EntryTree.root && recovery.entries.isEmpty
            && recovery.appliedIndex == 0 && recovery.hardState == HardState(term: 0, vote: nil)
        guard isBlank else { throw broken(.trace, "it does not begin empty") }
        let configuration = recovery.snapshot.configuration
        if founding.voters.isEmpty { founding = configuration }
        guard configuration == founding || configuration.members.isEmpty else {
            throw broken(.trace, "it begins with another group")
        }
        members.append(
            MemberState(
                id: id,
                disk: Disk(hardState: recovery.hardState, last: EntryTree.root),
                hardState: recovery.hardState,
                last: EntryTree.root,
                base: recovery.snapshot,
                configuration: configuration,
                commit: 0,
                handed: 0,
                applied: 0,
                quietUntil: now + electionTimeout
            )
        )
    }

    /// What comes back is what was durable, and a prefix of the writes that were under way.
    private mutating func restart(
        _ place: Int,
        _ recovery: Recovery,
        at now: UInt64
    ) throws(Rejection) {
        let old = members[place]
        guard !old.isUp else { throw broken(.trace, "it starts twice") }
        let snapshot = recovery.snapshot
        let entries = recovery.entries.filter { $0.index > snapshot.position.index }
        guard tree.holds(committed, snapshot.position) && snapshot.position.index <= old.handed
        else {
            throw broken(.recovery, "it has not applied \(snapshot.position)")
        }
        guard tree.knows(entries, behind: snapshot.position) else {
            throw broken(.recovery, "it comes back with entries that no leader made")
        }
        let last = entries.last.map { LogPosition(index: $0.index, term: $0.term) }
        let disk = Disk(hardState: recovery.hardState, last: last ?? snapshot.position)
        guard mayHold(old, disk) else {
            throw broken(.recovery, "it comes back with \(disk), where \(old.disk) is durable")
        }
        guard
            recovery.appliedIndex >= snapshot.position.index
                && recovery.appliedIndex <= min(old.handed, disk.last.index)
        else { throw broken(.recovery, "it comes back with a state at \(recovery.appliedIndex)") }
        let hardState = recovery.hardState
        var new = MemberState(
            id: old.id,
            disk: disk,
            votes: old.votes,
            hardState: HardState(
                term: disk.term,
                vote: disk.term == hardState.term ? hardState.vote : nil
            ),
            last: disk.last,
            base: snapshot,
            configuration: snapshot.configuration,
            commit: recovery.appliedIndex,
            handed: recovery.appliedIndex,
            applied: recovery.appliedIndex,
            quietUntil: now + electionTimeout
        )
        new.configuration = configuration(of: new)
        members[place] = new
        try noteVote(place, recovery.hardState)
    }

    /// Whether a crash may leave this on the disk of a member.
    private func mayHold(_ member: MemberState, _ found: Disk) -> Bool {
        if found == member.disk { return true }
        var before = member.disk
        for write in member.writes {
            // Within a write, term and vote come last.
            let isWithin =
                found.hardState == before.hardState && found.last.index >= write.keptIndex
                && tree.holds(write.disk.last, found.last)
            if isWithin || found == write.disk { return true }
            before = write.disk
        }
        return false
    }

    /// The newest configuration in the log of a member.
    func configuration(of member: MemberState) -> Configuration {
        let found = tree.configurations(of: member.last, behind: member.base.position.index)
        if case .configuration(let configuration) = found.first?.content { return configuration }
        return member.base.configuration
    }

    /// The vote of a disk is remembered for ever, and is the only one in its term.
    mutating func noteVote(_ place: Int, _ hardState: HardState) throws(Rejection) {
        guard let vote = hardState.vote else { return }
        let known = members[place].votes.updateValue(vote, forKey: hardState.term)
        guard known == nil || known == vote else {
            throw broken(.vote, "two votes in term \(hardState.term)")
        }
    }
}
