// SPDX-License-Identifier: Apache-2.0

package import Log
package import Raft
package import Store

/// Why a node refuses to start.
///
/// It never starts with less than it acknowledged.
package enum RecoveryError: Error, Equatable, Sendable {
    case log(LogError)
    case store(StoreError)
    /// The log does not reach the state, at one end or the other: entries are missing.
    case gap(applied: UInt64, logFirst: UInt64, logLast: UInt64)
    /// An entry of the log is not one of this version.
    case undecodable(index: UInt64)
    /// There are entries, but no word of the terms and votes that go with them, or the reverse.
    case incomplete(reason: String)
    /// The directory is another member's.
    case wrongMember(found: UInt64, expected: UInt64)
    /// A leader has shown that this disk lost what it had acknowledged.
    case doubted
}

/// What a member keeps on disk beside its state: the log, and its term and vote.
///
/// INVARIANT: a write is durable as a whole when ``perform(_:install:)`` returns, or was never
/// acknowledged; what a crash leaves of it is a prefix (``Write``).
package struct MemberStorage<D: Disk>: Sendable {
    package private(set) var log: DurableLog<D>
    private var file: MemberFile<D>

    /// Opens the log's directory, or begins one, and ends what a crash interrupted.
    ///
    /// `incarnation` is drawn by the caller; only a new directory takes it. Throws where something
    /// is missing or damaged: such a member must not vote again (ARCHITECTURE.md, G7).
    package init(
        opening directory: String,
        on disk: D,
        member: MemberID,
        incarnation: UInt64,
        state: StoreMetadata,
        limits: LogLimits = LogLimits()
    ) throws(RecoveryError) {
        do throws(LogError) {
            let hasSegments = try DurableLog<D>.hasSegments(in: directory, on: disk)
            if let found = try MemberFile.open(in: directory, on: disk) {
                file = found
            } else if hasSegments || state.appliedIndex > 0 {
                throw LogError.corrupt(
                    path: directory + "/member",
                    offsetBytes: 0,
                    reason: "the file is missing: nobody knows whom this member voted for"
                )
            } else {
                let new = MemberState(member: member.rawValue, incarnation: incarnation)
                file = try MemberFile.create(in: directory, on: disk, new)
            }
            if file.state.term > 0, !hasSegments {
                throw LogError.corrupt(
                    path: directory,
                    offsetBytes: 0,
                    reason: "the segments are missing"
                )
            }
            log = try DurableLog(opening: directory, on: disk, limits: limits)
            try finishInstalling(state)
        } catch {
            throw .log(error)
        }
        guard file.state.member == member.rawValue else {
            throw .wrongMember(found: file.state.member, expected: member.rawValue)
        }
        guard !file.state.isDoubted else { throw .doubted }
    }

    /// Names this disk's life: another one after it was lost.
    package var incarnation: UInt64 { file.state.incarnation }

    /// The state of a snapshot may be here without the log that begins behind it, or the reverse.
    private mutating func finishInstalling(_ state: StoreMetadata) throws(LogError) {
        guard let mark = file.state.installing else { return }
        if state.appliedIndex >= mark.index { try log.reset(after: mark.index, term: mark.term) }
        var done = file.state
        done.installing = nil
        try file.write(done)
    }

    // MARK: - Writing

    /// Makes a write durable: snapshot, truncation, entries, term and vote, in this order.
    ///
    /// `install` makes a snapshot's state the durable one, at one stroke; it is called when the
    /// write has a snapshot. After `.noSpace` the same write may be tried again; after any other
    /// error nothing is known and the member has to stop.
    package mutating func perform(
        _ write: Write,
        install: () throws(LogError) -> Void = {}
    ) throws(LogError) {
        if let snapshot = write.snapshot { try begin(snapshot, install) }
        if let index = write.truncateFrom { try log.truncateSuffix(from: index) }
        // Tried again, a write finds there what it has done already.
        let new = write.entries.drop { (try? log.term(at: $0.index)) == $0.term }
        if !new.isEmpty { try log.append(new.map(LogEntry.init)) }
        var state = file.state
        state.installing = nil
        if let hardState = write.hardState {
            state.term = hardState.term
            state.vote = hardState.vote?.rawValue
        }
        if state != file.state { try file.write(state) }
    }

    private mutating func begin(
        _ snapshot: Snapshot,
        _ install: () throws(LogError) -> Void
    ) throws(LogError) {
        let position = snapshot.position
        var state = file.state
        state.installing = .init(index: position.index, term: position.term)
        try file.write(state)
        try install()
        try log.reset(after: position.index, term: position.term)
    }

    /// Lets nobody start from this disk again: it has lost what it acknowledged, a vote perhaps.
    package mutating func doubt() throws(LogError) {
        var state = file.state
        state.isDoubted = true
        try file.write(state)
    }

    /// Does at leisure what the next write would wait for.
    package mutating func settle() throws(LogError) { try log.settle() }

    /// Drops what no recovery needs any more.
    package mutating func discardPrefix(through index: UInt64) throws(LogError) {
        try log.discardPrefix(through: index)
    }
}

/// What a start begins with.
extension MemberStorage {
    /// How many applied entries are read back, for members that are slightly behind.
    private static var rereadEntriesMax: UInt64 { 1000 }

    /// What the member finds: term and vote, the entries, and how far the state has come.
    package func recovery(over state: StoreMetadata) throws(RecoveryError) -> Recovery {
        let applied = state.appliedIndex
        guard applied + 1 >= log.firstIndex, applied <= log.lastIndex else {
            throw .gap(applied: applied, logFirst: log.firstIndex, logLast: log.lastIndex)
        }
        let oldest = state.configurations.first?.index ?? applied
        let reread = applied - min(applied, Self.rereadEntriesMax)
        let base = min(applied, max(log.firstIndex - 1, oldest, reread))
        guard let group = state.configurations.last(where: { $0.index <= base }) else {
            throw .incomplete(reason: "the state does not say who is in the group")
        }
        let position = LogPosition(index: base, term: try term(at: base))
        let vote = file.state.vote.map { MemberID($0) }
        return Recovery(
            hardState: HardState(term: file.state.term, vote: vote),
            snapshot: Snapshot(position: position, configuration: Configuration(group)),
            entries: try entries(after: base),
            appliedIndex: applied
        )
    }

    private func term(at index: UInt64) throws(RecoveryError) -> UInt64 {
        do throws(LogError) { return try log.term(at: index) } catch { throw .log(error) }
    }

    private func entries(after index: UInt64) throws(RecoveryError) -> [Entry] {
        var entries: [Entry] = []
        var next = index + 1
        while next <= log.lastIndex {
            let read: [LogEntry]
            do throws(LogError) {
                read = try log.entries(from: next, bytesMax: 4 << 20)
            } catch {
                throw .log(error)
            }
            for entry in read { entries.append(try Entry(entry)) }
            next += UInt64(read.count)
        }
        return entries
    }
}
