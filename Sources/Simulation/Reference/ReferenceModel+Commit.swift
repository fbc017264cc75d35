// SPDX-License-Identifier: Apache-2.0

internal import Raft

/// What is committed, and what is applied: thesis sections 3.5, 3.6 and 10.2.1.
extension ReferenceModel {
    /// The commit index goes forward only, and only where the member may know of it.
    mutating func commit(_ step: Step) throws(Rejection) {
        let place = step.place
        let index = step.seen.commitIndex
        guard index >= members[place].commit && index <= members[place].last.index else {
            throw broken(.proven, "its commit index goes from \(members[place].commit) to \(index)")
        }
        guard index > step.commitBefore else { return }
        let position = tree.position(at: index, in: members[place].last)
        if let term = step.ledTerm, term == members[place].term {
            try count(position, term, step)
            try declare(position, term, place)
        } else {
            try learn(position, step)
        }
        members[place].commit = index
    }

    /// "Only log entries from the leader's current term are committed by counting replicas".
    private func count(_ position: LogPosition, _ term: Term, _ step: Step) throws(Rejection) {
        let member = members[step.place]
        guard position.term == term else {
            throw broken(.count, "it leads in term \(term) and commits \(position)")
        }
        let isCommitted = member.configuration.hasMajority { voter in
            voter == member.id
                ? tree.holds(member.disk.last, position)
                : member.leadership[voter].match >= position.index
        }
        guard isCommitted else {
            throw broken(.count, "it commits \(position), which no majority holds")
        }
    }

    /// All that is committed is one log, and every leader of a later term has it.
    private mutating func declare(
        _ position: LogPosition,
        _ term: Term,
        _ place: Int
    ) throws(Rejection) {
        let isLonger = tree.holds(position, committed)
        guard isLonger || tree.holds(committed, position) else {
            throw broken(.stateMachineSafety, "\(position) is not what others commit")
        }
        for chapter in tree.chapters.reversed() {
            guard chapter.term > term else { break }
            guard tree.holds(chapter.base, position) else {
                throw broken(.leaderCompleteness, "term \(chapter.term) lacks \(position)")
            }
        }
        if isLonger { committed = position }
        if let known = commitments.firstIndex(where: { $0.term == term }) {
            commitments[known].last = position
        } else {
            commitments.append((term, position))
        }
    }

    /// "If leaderCommit > commitIndex, set commitIndex = min(leaderCommit, index of last new
    /// entry)" (figure 3.1), when the log agrees with the leader's up to there.
    private func learn(_ position: LogPosition, _ step: Step) throws(Rejection) {
        let place = step.place
        let last = members[place].last
        var proven: LogIndex = 0
        if let message = step.message, message.term == members[place].term {
            switch message.kind {
            case .append(let append):
                let end = append.entries.last.map { self.position($0) } ?? append.previous
                if tree.holds(last, end) { proven = min(append.commit, end.index) }
            case .heartbeat(let heartbeat): proven = heartbeat.commit
            case .snapshot(let snapshot):
                if tree.holds(last, snapshot.position) { proven = snapshot.position.index }
            default: break
            }
        }
        guard position.index <= proven else {
            throw broken(.proven, "it commits \(position), and \(proven) is proven")
        }
        guard tree.holds(committed, position) else {
            throw broken(.stateMachineSafety, "\(position) is not what others commit")
        }
    }

    /// In order, once, and only what is committed and on the own disk.
    mutating func apply(_ entries: [Entry], _ step: Step) throws(Rejection) {
        let place = step.place
        let member = members[place]
        let before = tree.position(at: member.handed, in: member.last)
        guard let last = entries.last.map(position) else { return }
        guard
            tree.knows(entries, behind: before) && last.index <= step.seen.commitIndex
                && tree.holds(committed, last)
        else {
            throw broken(.apply, "it applies up to \(last) behind \(before)")
        }
        guard tree.holds(member.disk.last, last) else {
            throw broken(.durableApply, "it applies \(last), and \(member.disk.last) is durable")
        }
        members[place].handed = last.index
    }
}
