// SPDX-License-Identifier: Apache-2.0

internal import Raft

/// What a member writes: thesis sections 3.5, 3.8, 4.1 and 5.
extension ReferenceModel {
    mutating func persist(_ write: Write, _ step: inout Step) throws(Rejection) {
        let place = step.place
        guard write.number == members[place].issuedNumber + 1 else {
            throw broken(.trace, "write \(write.number) follows \(members[place].issuedNumber)")
        }
        members[place].issuedNumber = write.number
        var disk = members[place].writes.last?.disk ?? members[place].disk
        var keptIndex = members[place].last.index
        if let snapshot = write.snapshot {
            try install(snapshot, step)
            keptIndex = snapshot.position.index
        }
        if !write.entries.isEmpty || write.truncateFrom != nil {
            if step.ledTerm == members[place].term {
                try appendAsLeader(write, &step)
            } else {
                keptIndex = (write.truncateFrom ?? members[place].last.index + 1) - 1
                try appendAsFollower(write, keptIndex, step)
            }
        }
        disk.last = members[place].last
        if let hardState = write.hardState {
            try self.write(hardState, &step)
            disk.hardState = hardState
        }
        members[place].writes.append(
            MemberState.PendingWrite(number: write.number, keptIndex: keptIndex, disk: disk)
        )
    }

    private mutating func moveLog(_ place: Int, to last: LogPosition, isRecounted: Bool) {
        members[place].last = last
        if isRecounted { members[place].configuration = configuration(of: members[place]) }
    }

    private func hasConfiguration(_ entries: [Entry]) -> Bool {
        entries.contains { entry in
            if case .configuration = entry.content { true } else { false }
        }
    }

    // MARK: - Leaders

    private mutating func appendAsLeader(_ write: Write, _ step: inout Step) throws(Rejection) {
        let place = step.place
        let member = members[place]
        guard write.truncateFrom == nil && write.snapshot == nil else {
            throw broken(.appendOnly, "it leads and removes entries")
        }
        var index = member.last.index
        for entry in write.entries {
            index += 1
            guard entry.index == index && entry.term == member.term else {
                throw broken(.appendOnly, "it leads in term \(member.term) and appends \(entry)")
            }
        }
        let contents = write.entries.map(\.content)
        var isAsked = false
        switch step.input {
        case .propose(_, let payloads): isAsked = contents == payloads.map(Entry.Content.payload)
        case .changeMembership(_, let change):
            isAsked = contents.count == 1
            if isAsked, case .configuration(let new) = contents[0] {
                try check(change, new, step)
            } else {
                isAsked = false
            }
        default: isAsked = step.isElected && contents == [.empty]
        }
        guard isAsked else {
            throw broken(.appendOnly, "it appends what nobody asked for: \(contents)")
        }
        step.appended = (member.last.index + 1)...index
        tree.append(write.entries, in: member.term)
        moveLog(
            place,
            to: LogPosition(index: index, term: member.term),
            isRecounted: hasConfiguration(write.entries)
        )
    }

    /// By one member, after the change before and an entry of the own term are committed.
    private func check(
        _ change: MembershipChange,
        _ new: Configuration,
        _ step: Step
    ) throws(Rejection) {
        let member = members[step.place]
        let newest = tree.configurations(of: member.last, behind: 0).first?.index ?? 0
        guard newest <= step.commitBefore else {
            throw broken(.oneChange, "the change at \(newest) is not committed")
        }
        guard member.leadership.first <= step.commitBefore else {
            throw broken(.ownTermChange, "nothing of term \(member.term) is committed")
        }
        let old = member.configuration
        var voters = Set(old.voters)
        var learners = Set(old.learners)
        var isFit = false
        switch change {
        case .addLearner(let id): isFit = !voters.contains(id) && learners.insert(id).inserted
        case .promote(let id): isFit = learners.remove(id) != nil && voters.insert(id).inserted
        case .remove(let id): isFit = voters.remove(id) != nil || learners.remove(id) != nil
        }
        guard
            isFit && !voters.isEmpty && voters == Set(new.voters) && learners == Set(new.learners)
                && new.voters.count == voters.count && new.learners.count == learners.count
        else { throw broken(.change, "\(change) makes \(new) of \(old)") }
    }

    // MARK: - Followers

    /// Figure 3.1: the log agrees with the message up to where the entries go; they are all the
    /// rest of the message; and the first of them conflicts if anything is removed.
    private mutating func appendAsFollower(
        _ write: Write,
        _ keptIndex: LogIndex,
        _ step: Step
    ) throws(Rejection) {
        let place = step.place
        let member = members[place]
        guard let message = step.message, case .append(let append) = message.kind,
            message.term == member.term, member.role == .follower
        else {
            throw broken(.consistency, "it writes entries and was sent none")
        }
        if let index = write.truncateFrom {
            guard index > step.commitBefore && index <= member.last.index else {
                throw broken(.truncation, "it removes from \(index) on")
            }
        }
        let known = Int(keptIndex) - Int(append.previous.index)
        guard known >= 0 && known <= append.entries.count else {
            // To remove entries and to leave a gap both look so.
            let rule: Rule = write.truncateFrom == nil ? .consistency : .truncation
            throw broken(rule, "it appends at \(keptIndex), the message at \(append.previous)")
        }
        let kept = tree.position(at: keptIndex, in: member.last)
        let agreed = known == 0 ? append.previous : position(append.entries[known - 1])
        guard kept == agreed else {
            throw broken(.consistency, "it appends behind \(kept), and the leader has \(agreed)")
        }
        guard write.entries.elementsEqual(append.entries[known...]) else {
            throw broken(.consistency, "it writes other entries than it was sent")
        }
        if write.truncateFrom != nil {
            let removed = tree.position(at: keptIndex + 1, in: member.last)
            guard write.entries.first.map(position).map({ $0 != removed }) ?? false else {
                throw broken(.truncation, "it removes \(removed), which does not conflict")
            }
        }
        moveLog(
            place,
            to: write.entries.last.map(position) ?? kept,
            isRecounted: write.truncateFrom != nil || hasConfiguration(write.entries)
        )
    }

    func position(_ entry: Entry) -> LogPosition {
        LogPosition(index: entry.index, term: entry.term)
    }

    /// A snapshot takes the place of a log that lacks its last entry, and that entry is committed.
    private mutating func install(_ snapshot: Snapshot, _ step: Step) throws(Rejection) {
        let place = step.place
        guard
            step.message?.kind == .snapshot(snapshot) && step.message?.term == members[place].term
                && members[place].role == .follower
        else { throw broken(.snapshot, "it installs a snapshot that its leader did not send") }
        guard
            snapshot.position.index > step.commitBefore
                && !tree.holds(members[place].last, snapshot.position)
        else { throw broken(.retain, "it installs \(snapshot.position) and has it in its log") }
        members[place].last = snapshot.position
        members[place].base = snapshot
        members[place].configuration = snapshot.configuration
        members[place].commit = snapshot.position.index
        members[place].handed = snapshot.position.index
    }
}
