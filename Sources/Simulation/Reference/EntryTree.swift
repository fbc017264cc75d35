// SPDX-License-Identifier: Apache-2.0

internal import Raft

/// Every entry that any leader made.
///
/// A term has one leader and a leader only appends, so the entries of a term are one run behind the
/// place where its leader's log ended, and all the runs are a tree. By the Log Matching Property
/// (thesis section 3.5) a whole log is then known by its last position: the path from the root.
struct EntryTree {
    /// What the leader of one term made.
    struct Chapter {
        let term: Term
        let leader: MemberID
        /// Where its log ended when it was elected.
        let base: LogPosition
        var entries: [Entry] = []
        var configurations: [Entry] = []

        var end: LogPosition {
            let index = base.index + LogIndex(entries.count)
            return entries.isEmpty ? base : LogPosition(index: index, term: term)
        }
    }

    static let root = LogPosition(index: 0, term: 0)

    /// INVARIANT: in ascending order of their terms.
    private(set) var chapters: [Chapter] = []

    /// The place of a term's chapter; a leader of an older term may be the later one to be elected.
    private func place(_ term: Term) -> Int? {
        var place = chapters.count - 1
        while place >= 0, chapters[place].term > term { place -= 1 }
        return place >= 0 && chapters[place].term == term ? place : nil
    }

    func leader(of term: Term) -> MemberID? { place(term).map { chapters[$0].leader } }

    /// Where the log of a term's leader ended when it was last seen.
    func end(of term: Term) -> LogPosition? { place(term).map { chapters[$0].end } }

    mutating func elect(_ leader: MemberID, in term: Term, behind base: LogPosition) {
        let chapter = Chapter(term: term, leader: leader, base: base)
        chapters.insert(chapter, at: chapters.firstIndex { $0.term > term } ?? chapters.count)
    }

    mutating func append(_ entries: [Entry], in term: Term) {
        guard let place = place(term) else { return }
        chapters[place].entries += entries
        for entry in entries {
            if case .configuration = entry.content { chapters[place].configurations.append(entry) }
        }
    }

    /// Where the chapter of a term begins; the root has none.
    private func base(_ term: Term) -> LogPosition? { place(term).map { chapters[$0].base } }

    /// The position at an index of the log that ends at `log`.
    func position(at index: LogIndex, in log: LogPosition) -> LogPosition {
        var term = log.term
        while let base = base(term), index <= base.index { term = base.term }
        return index == 0 ? Self.root : LogPosition(index: index, term: term)
    }

    /// Whether a log that ends at `log` has that position.
    func holds(_ log: LogPosition, _ position: LogPosition) -> Bool {
        guard position.index <= log.index else { return false }
        return self.position(at: position.index, in: log) == position
    }

    /// Whether these entries were made, each behind the one before it.
    func knows(_ entries: [Entry], behind previous: LogPosition) -> Bool {
        var last = previous
        var known: Chapter?
        for entry in entries {
            if known?.term != entry.term { known = place(entry.term).map { chapters[$0] } }
            guard let chapter = known, entry.index == last.index + 1,
                entry.index > chapter.base.index, entry.index <= chapter.end.index,
                chapter.entries[Int(entry.index - chapter.base.index) - 1] == entry,
                entry.term == last.term || last == chapter.base
            else { return false }
            last = LogPosition(index: entry.index, term: entry.term)
        }
        return true
    }

    /// The entries behind `index` that made configurations, of a log that ends at `log`; the newest
    /// first, and no further than `isEnough` wants.
    func configurations(
        of log: LogPosition,
        behind index: LogIndex,
        until isEnough: (Entry) -> Bool = { _ in true }
    ) -> [Entry] {
        var found: [Entry] = []
        var end = log
        while end.index > index, let place = place(end.term) {
            for entry in chapters[place].configurations.reversed()
            where entry.index <= end.index && entry.index > index {
                found.append(entry)
                if isEnough(entry) { return found }
            }
            end = chapters[place].base
        }
        return found
    }
}

extension Configuration {
    /// Whether more than half of the voters are so; nobody decides in a group without voters.
    func hasMajority(_ isSo: (MemberID) -> Bool) -> Bool {
        var count = 0
        for voter in voters where isSo(voter) { count += 1 }
        return 2 * count > voters.count
    }
}
