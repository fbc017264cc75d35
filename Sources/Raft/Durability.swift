// SPDX-License-Identifier: Apache-2.0

/// Which writes are on their way to the disk, and what has to wait for them (thesis section 3.8).
///
/// INVARIANT: a held item is released only after all writes up to its number are durable.
/// INVARIANT: `durableIndex` is at most the last index of the log, and every entry up to it is
/// durable as it stands in the log now.
struct Durability: Equatable, Sendable {
    /// What a message depends on.
    enum Dependency: Equatable, Sendable {
        /// Nothing: a leader sends its entries while it writes them (section 10.2.1).
        case nothing
        /// Term and vote.
        case hardState
        /// The log as well.
        case log
    }

    /// What may wait.
    enum Item: Equatable, Sendable {
        case message(Message)
        /// A candidate counts its own vote once it is durable, like everybody's.
        case ownVote(Term)
    }

    private struct Pending: Equatable {
        var number: UInt64
        var lastIndex: LogIndex
        var isSnapshot: Bool
    }

    private struct Held: Equatable {
        var number: UInt64
        var item: Item
    }

    private(set) var durableIndex: LogIndex
    private var issuedIndex: LogIndex
    private var issuedNumber: UInt64 = 0
    private var hardStateNumber: UInt64 = 0
    private var persistedNumber: UInt64 = 0
    private var pending: [Pending] = []
    private var held: [Held] = []
    /// What the next write will contain.
    private var isHardStateChanged = false
    private var truncateFrom: LogIndex?
    private var snapshot: Snapshot?

    init(durableIndex: LogIndex) {
        self.durableIndex = durableIndex
        issuedIndex = durableIndex
    }

    /// Whether a snapshot is on its way to the disk.
    var isInstalling: Bool { snapshot != nil || pending.contains { $0.isSnapshot } }

    mutating func hardStateChanged() {
        isHardStateChanged = true
    }

    mutating func logTruncated(from index: LogIndex) {
        if index <= issuedIndex { truncateFrom = index }
        issuedIndex = min(issuedIndex, index - 1)
        durableIndex = min(durableIndex, index - 1)
        for place in pending.indices {
            pending[place].lastIndex = min(pending[place].lastIndex, index - 1)
        }
    }

    /// The log begins anew; nothing of it is durable before the snapshot is.
    mutating func logReset(to snapshot: Snapshot) {
        self.snapshot = snapshot
        truncateFrom = nil
        durableIndex = 0
        issuedIndex = snapshot.position.index
        for place in pending.indices { pending[place].lastIndex = 0 }
    }

    /// Everything that has changed since the last write, as one write; nil when nothing has.
    mutating func nextWrite(_ log: EntryLog, _ hardState: HardState) -> Write? {
        let isLogChanged = issuedIndex < log.lastIndex || truncateFrom != nil || snapshot != nil
        guard isLogChanged || isHardStateChanged else { return nil }
        issuedNumber += 1
        let write = Write(
            number: issuedNumber,
            snapshot: snapshot,
            truncateFrom: truncateFrom,
            entries: log.entries(from: issuedIndex + 1, bytesMax: .max),
            hardState: isHardStateChanged ? hardState : nil
        )
        if isHardStateChanged { hardStateNumber = issuedNumber }
        issuedIndex = log.lastIndex
        pending.append(
            Pending(number: issuedNumber, lastIndex: issuedIndex, isSnapshot: snapshot != nil)
        )
        isHardStateChanged = false
        truncateFrom = nil
        snapshot = nil
        return write
    }

    /// Answers whether the item may go now; keeps it otherwise.
    mutating func mayGo(_ item: Item, after dependency: Dependency) -> Bool {
        let number: UInt64 =
            switch dependency {
            case .nothing: 0
            case .hardState: hardStateNumber
            case .log: issuedNumber
            }
        guard number > persistedNumber else { return true }
        held.append(Held(number: number, item: item))
        return false
    }

    /// Notes that writes are durable and answers what that sets free, in order.
    mutating func persisted(through number: UInt64) -> [Item] {
        precondition(number <= issuedNumber, "no such write was asked for")
        persistedNumber = max(persistedNumber, number)
        while let first = pending.first, first.number <= persistedNumber {
            durableIndex = max(durableIndex, first.lastIndex)
            pending.removeFirst()
        }
        let free = held.filter { $0.number <= persistedNumber }
        held.removeAll { $0.number <= persistedNumber }
        return free.map(\.item)
    }
}
