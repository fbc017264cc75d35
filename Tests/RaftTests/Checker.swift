// SPDX-License-Identifier: Apache-2.0

import Raft

/// A promise that was broken.
struct Violation: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}

/// Looks at the whole group from outside (thesis figure 3.2, and sections 6.4 and 6.4.1).
struct Checker {
    /// Which member led in a term.
    private var leaders: [Term: MemberID] = [:]
    /// What is committed, from index 1 on; never changes.
    private var committed: [Entry] = []
    /// In which term of the member that knew of it first.
    private var knownInTerm: [Term] = []
    /// When the commit index reached what.
    private var history: [(time: Int, index: LogIndex)] = []
    private var reads: [RequestID: LogIndex] = [:]

    var committedMax: LogIndex { LogIndex(committed.count) }

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
        let first = Int(member.firstIndex)
        guard first <= last + 1 else { return }
        let held = member.entries(from: LogIndex(first), bytesMax: .max)
        for entry in held.prefix(last + 2 - first) where entry != committed[Int(entry.index) - 1] {
            throw Violation("\(member.id) leads and holds another entry at \(entry.index)")
        }
    }

    /// State Machine Safety, from the commit on.
    mutating func noteCommit(
        _ member: Member,
        through index: LogIndex,
        at time: Int
    ) throws(Violation) {
        guard index > committedMax else { return }
        let held = member.entries(from: committedMax + 1, bytesMax: .max)
        guard held.first?.index == committedMax + 1 else {
            throw Violation("\(member.id) commits what nobody has seen")
        }
        for entry in held where entry.index <= index {
            committed.append(entry)
            knownInTerm.append(member.term)
        }
        guard committedMax == index else { throw Violation("\(member.id) commits beyond its log") }
        history.append((time, index))
    }

    func noteApplied(_ entries: [Entry], by id: MemberID) throws(Violation) {
        for entry in entries where entry.index <= committedMax {
            guard committed[Int(entry.index) - 1] == entry else {
                throw Violation("\(id) applies another entry at \(entry.index)")
            }
        }
    }

    mutating func noteReadRequest(_ request: RequestID) {
        reads[request] = committedMax
    }

    mutating func checkRead(_ request: RequestID, _ index: LogIndex) throws(Violation) {
        guard let least = reads.removeValue(forKey: request) else { return }
        guard index >= least else { throw Violation("a read is answered with an old state") }
    }

    mutating func forget(_ request: RequestID) {
        reads[request] = nil
    }

    /// What was committed before the reading is applied.
    func checkFreshness(_ member: Member, asOf time: Int) throws(Violation) {
        let least = history.last { $0.time < time }?.index ?? 0
        guard member.appliedIndex >= least else {
            throw Violation("\(member.id) calls itself fresh and misses a commit")
        }
    }

    /// Log Matching: where two logs have the same term, they are the same up to there.
    func checkLogs(_ members: [Member]) throws(Violation) {
        for (place, member) in members.enumerated() {
            for other in members.dropFirst(place + 1) { try checkLogs(member, other) }
            let held = member.entries(from: member.firstIndex, bytesMax: .max)
            for entry in held where entry.index <= min(member.commitIndex, committedMax) {
                guard committed[Int(entry.index) - 1] == entry else {
                    throw Violation("\(member.id) holds another committed entry")
                }
            }
        }
    }

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
