// SPDX-License-Identifier: Apache-2.0

/// What changed a moment ago: an answer that was on its way meanwhile may be an old one.
///
/// A change is announced before the state changes and settled after it. What is announced and
/// not settled may be read either way.
///
/// INVARIANT: a change is remembered for `recentNanoseconds` after its announcement, or, where
/// there are too many, everything counts as changed for as long.
struct RecentChanges {
    /// What a change touches.
    enum Key: Hashable {
        /// Existence, attributes and content of a node.
        case node(Node)
        /// Listing and attributes of a directory.
        case listing(Node)
        /// Any name in a directory.
        case names(Node)
    }

    private struct Change {
        var sequence: UInt64
        var time: UInt64
        var key: Key
    }

    private let recentNanoseconds: UInt64
    private let changesMax: Int
    private var changes: [Change] = []
    /// Changes before this index are forgotten; they are cut off together now and then.
    private var first = 0
    private var newest: [Key: (sequence: UInt64, time: UInt64)] = [:]
    private var announced: UInt64 = 0
    private var settled: UInt64 = 0
    /// Nothing is known one by one of changes up to this one.
    private var forgotten: UInt64 = 0
    /// Until then everything counts as recent.
    private var everythingUntil: UInt64 = 0
    /// From then on nothing is recent: most questions come long after the last change.
    private var recentUntil: UInt64 = 0

    init(recentNanoseconds: UInt64, changesMax: Int) {
        self.recentNanoseconds = recentNanoseconds
        self.changesMax = changesMax
    }

    /// What a reader who starts now is sure to see.
    var mark: CacheMark { CacheMark(sequence: settled) }

    /// How many changes are remembered one by one.
    var count: Int { changes.count - first }

    /// Remembers a batch; `keys` nil: everything.
    mutating func announce(_ keys: [Key]?, now: UInt64) {
        purge(now: now)
        announced += 1
        recentUntil = now &+ recentNanoseconds
        guard let keys, count + keys.count <= changesMax else {
            forgetAll(now: now)
            return
        }
        for key in keys {
            changes.append(Change(sequence: announced, time: now, key: key))
            newest[key] = (announced, now)
        }
    }

    /// The oldest announced batch has been applied.
    mutating func settle() {
        settled = min(settled + 1, announced)
    }

    /// Whether an answer about the key may only be believed for this once.
    func isRecent(_ key: Key, now: UInt64) -> Bool {
        guard now < recentUntil else { return false }
        if now < everythingUntil { return true }
        guard let change = newest[key] else { return false }
        return now < change.time &+ recentNanoseconds
    }

    /// Whether the key may have changed after the mark was taken.
    func isTouched(_ key: Key, since mark: CacheMark) -> Bool {
        if isUnknown(since: mark) { return true }
        return newest[key].map { $0.sequence > mark.sequence } ?? false
    }

    /// Whether changes after the mark have been forgotten.
    func isUnknown(since mark: CacheMark) -> Bool { mark.sequence < forgotten }

    /// Whether nothing at all changed after the mark was taken.
    func isQuiet(since mark: CacheMark) -> Bool { mark.sequence == announced }

    /// Every key changed after the mark, newest first, as far as they are known.
    func touched(since mark: CacheMark) -> [Key] {
        var keys: [Key] = []
        for change in changes[first...].reversed() {
            guard change.sequence > mark.sequence else { break }
            keys.append(change.key)
        }
        return keys
    }

    private mutating func forgetAll(now: UInt64) {
        changes = []
        first = 0
        newest = [:]
        forgotten = announced
        everythingUntil = now &+ recentNanoseconds
    }

    private mutating func purge(now: UInt64) {
        while first < changes.count, changes[first].time &+ recentNanoseconds <= now {
            let change = changes[first]
            if newest[change.key]?.sequence == change.sequence { newest[change.key] = nil }
            forgotten = max(forgotten, change.sequence)
            first += 1
        }
        // So long after its announcement a change has been applied, whether we were told or not.
        settled = max(settled, forgotten)
        guard first > 1024, first > changes.count / 2 else { return }
        changes.removeFirst(first)
        first = 0
    }
}
