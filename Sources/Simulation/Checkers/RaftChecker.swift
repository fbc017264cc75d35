// SPDX-License-Identifier: Apache-2.0

import Raft

/// Looks at the whole group from outside (thesis figure 3.2).
struct RaftChecker {
    /// Which member led in a term.
    private var leaders: [Term: MemberID] = [:]
    /// What is committed, from index 1 on; never changes.
    private var committed: [Entry] = []
    /// In which term of the member that knew of it first.
    private var knownInTerm: [Term] = []
    /// How far each member has applied in this run.
    private var applied: [MemberID: LogIndex] = [:]

    var committedMax: LogIndex { LogIndex(committed.count) }
    var leadersCount: Int { leaders.count }

    /// Election Safety and Leader Completeness.
    mutating func noteLeader(_ member: Member) throws(Violation) {
        if let other = leaders[member.term], other != member.id {
            throw Violation("\(other) and \(member.id) lead in term \(member.term)")
        }
        leaders[member.term] = member.id
        // "If a log entry is committed in a given term, then that entry will be present in the logs
        // of the leaders for all higher-numbered terms": later ones only.
        guard let last = knownInTerm.lastIndex(where: { $0 < member.term }) else { return }
        guard last < Int(member.lastPosition.index) else {
            throw Violation("\(member.id) leads and misses committed entries")
        }
        try checkHeld(member, through: LogIndex(last + 1), "leads and")
    }

    /// State Machine Safety: what one member hands out to be applied, all others do.
    mutating func noteCommitted(
        _ entries: [Entry],
        by id: MemberID,
        in term: Term
    ) throws(Violation) {
        for entry in entries {
            if entry.index <= committedMax {
                guard committed[Int(entry.index) - 1] == entry else {
                    throw Violation("\(id) applies another entry at \(entry.index)")
                }
            } else {
                guard entry.index == committedMax + 1 else {
                    throw Violation("\(id) applies \(entry.index), with a gap before it")
                }
                committed.append(entry)
                knownInTerm.append(term)
            }
        }
    }

    /// A run of a member does not go back.
    mutating func noteApplied(_ index: LogIndex, by id: MemberID) throws(Violation) {
        guard index >= applied[id] ?? 0 else { throw Violation("\(id) goes back to \(index)") }
        guard index <= committedMax else { throw Violation("\(id) applies what is not committed") }
        applied[id] = index
    }

    /// The member begins anew; its state may be older than what it had in memory.
    mutating func forget(_ id: MemberID) { applied[id] = nil }

    /// Log Matching, and that what is committed is held by whoever knows of it.
    func checkLogs(_ members: [Member]) throws(Violation) {
        for (place, member) in members.enumerated() {
            for other in members.dropFirst(place + 1) { try checkLogs(member, other) }
            try checkHeld(member, through: min(member.commitIndex, committedMax), "")
        }
    }

    private func checkHeld(
        _ member: Member,
        through last: LogIndex,
        _ role: String
    ) throws(Violation) {
        guard member.firstIndex <= last else { return }
        let held = member.entries(from: member.firstIndex, bytesMax: .max)
        for entry in held where entry.index <= last && entry != committed[Int(entry.index) - 1] {
            throw Violation("\(member.id) \(role) holds another entry at \(entry.index)")
        }
    }

    /// Where two logs have the same term, they are the same up to there.
    private func checkLogs(_ left: Member, _ right: Member) throws(Violation) {
        let first = max(left.firstIndex, right.firstIndex)
        let pairs = Array(
            zip(
                left.entries(from: first, bytesMax: .max),
                right.entries(from: first, bytesMax: .max)
            )
        )
        guard let agreed = pairs.lastIndex(where: { $0.term == $1.term }) else { return }
        for (mine, its) in pairs[...agreed] where mine != its {
            throw Violation("\(left.id) and \(right.id) disagree at \(mine.index)")
        }
    }
}
