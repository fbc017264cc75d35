// SPDX-License-Identifier: Apache-2.0

/// The log in memory: every entry behind the compaction point (thesis section 3.5).
///
/// The simplest sound choice: what may have to be sent or applied is here, so the core never waits
/// for a read. The owner bounds it by compacting; payloads are shared with the owner's copies.
///
/// INVARIANT: indexes follow `base` without a gap; terms never go back.
struct EntryLog: Equatable, Sendable {
    /// The last position that has been compacted; its entry is not here any more.
    private(set) var base: LogPosition
    private var entries: [Entry] = []

    init(base: LogPosition) {
        self.base = base
    }

    var firstIndex: LogIndex { base.index + 1 }
    var last: LogPosition { entries.last?.position ?? base }
    var lastIndex: LogIndex { base.index + LogIndex(entries.count) }

    /// The term at an index; nil for what is compacted or not there.
    func term(at index: LogIndex) -> Term? {
        if index == base.index { return base.term }
        guard index > base.index, index <= lastIndex else { return nil }
        return entries[offset(index)].term
    }

    func contains(_ position: LogPosition) -> Bool {
        term(at: position.index) == position.term
    }

    /// The entries of a range that is here.
    func entries(_ range: ClosedRange<LogIndex>) -> [Entry] {
        Array(entries[offset(range.lowerBound)...offset(range.upperBound)])
    }

    /// Entries from `index` on, as many as fit into `bytesMax`; one at least, if there is one.
    func entries(from index: LogIndex, bytesMax: Int) -> [Entry] {
        guard index <= lastIndex else { return [] }
        var bytes = 0
        let count = entries[offset(index)...].prefix { entry in
            bytes += entry.sizeBytes
            return bytes <= bytesMax
        }.count
        return entries(index...(index + LogIndex(max(count, 1)) - 1))
    }

    /// Bytes of the entries of a range that is here.
    func sizeBytes(_ range: ClosedRange<LogIndex>) -> Int {
        entries[offset(range.lowerBound)...offset(range.upperBound)]
            .reduce(0) { $0 + $1.sizeBytes }
    }

    mutating func append(_ new: [Entry]) {
        precondition(new.first.map { $0.index == lastIndex + 1 } ?? true, "the log has no gap")
        precondition(new.first.map { $0.term >= last.term } ?? true, "terms never go back")
        entries.append(contentsOf: new)
    }

    /// Removes the entries from `index` on.
    mutating func truncate(from index: LogIndex) {
        entries.removeSubrange(offset(index)...)
    }

    /// Forgets the entries up to `index`, which stays as the new base.
    mutating func compact(through index: LogIndex) {
        guard index > base.index, let term = term(at: index) else { return }
        entries.removeSubrange(...offset(index))
        base = LogPosition(index: index, term: term)
    }

    /// Begins anew behind a snapshot.
    mutating func reset(to position: LogPosition) {
        entries.removeAll()
        base = position
    }

    /// The first of `new` that is not here with the same term; nil when all are.
    ///
    /// "If an existing entry conflicts with a new one (same index but different terms), delete the
    /// existing entry and all that follow it" (thesis figure 3.1): an overlap is no conflict.
    func firstMissing(of new: [Entry]) -> Int? {
        new.firstIndex { !contains($0.position) }
    }

    /// The largest position up to `index` whose term is at most `term`.
    ///
    /// Both sides skip whole terms with it: "the follower can include the term of the conflicting
    /// entry and the first index it stores for that term" (thesis section 3.5). Term 0 says that it
    /// is compacted here.
    func conflict(upTo index: LogIndex, term limit: Term) -> LogPosition {
        var index = index
        while index > base.index {
            guard let found = term(at: index), found > limit else { break }
            index -= 1
        }
        return LogPosition(index: index, term: term(at: index) ?? 0)
    }

    private func offset(_ index: LogIndex) -> Int {
        precondition(index > base.index && index <= lastIndex, "the entry is not in memory")
        return Int(index - firstIndex)
    }
}
