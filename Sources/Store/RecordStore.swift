// SPDX-License-Identifier: Apache-2.0

package import Identity

/// The state machine over a key-value store: commands in, records and indexes out.
///
/// INVARIANT: a command and its index are one batch, so it is applied exactly once, also when
/// the log is replayed over a state that has it already.
/// INVARIANT: indexes are maintained from the stored old record, never from the incoming one.
package struct RecordStore<Base: KeyValueStore>: Sendable {
    package let base: Base
    /// Where the history stands after the last applied command.
    package private(set) var metadata: StoreMetadata

    /// Reads where the history stands.
    package init(_ base: Base) throws(StoreError) {
        self.base = base
        metadata = try RecordReader(base).metadata()
    }

    /// Queries of now.
    package var reader: RecordReader<Base> { RecordReader(base) }

    /// The place of a command in the log.
    package struct Position: Equatable, Sendable {
        package var term: UInt64
        package var index: UInt64

        /// Joins a term and an index.
        package init(term: UInt64, index: UInt64) {
            self.term = term
            self.index = index
        }
    }

    /// What a command did, or why it did nothing, and what a reader sees differently.
    package struct Outcome: Sendable {
        package var result: Result<Applied, CommandError>
        package var effects: [Effect]
        package var changes: [Change]
    }

    /// A command in its place in the log.
    package struct Placed: Sendable {
        package var command: Command
        package var position: Position

        /// Joins a command and its place.
        package init(_ command: Command, at position: Position) {
            self.command = command
            self.position = position
        }
    }

    /// Works commands out without changing anything, so that caches can be warned first.
    ///
    /// A command refused by its own rules is an outcome, not an error: it still takes its place
    /// in the history.
    package func prepare(_ commands: [Placed]) throws(StoreError) -> Prepared {
        var prepared = Prepared(
            outcomes: [],
            transaction: Transaction(over: base),
            metadata: metadata
        )
        for placed in commands {
            try Self.prepare(placed.command, at: placed.position, into: &prepared)
        }
        prepared.transaction.put(Key.metadata, Row.encode(prepared.metadata.row))
        return prepared
    }

    private static func prepare(
        _ command: Command,
        at position: Position,
        into prepared: inout Prepared
    ) throws(StoreError) {
        precondition(
            position.index == prepared.metadata.appliedIndex + 1,
            "commands are applied in order"
        )
        var metadata = prepared.metadata
        metadata.appliedIndex = position.index
        metadata.appliedTerm = position.term
        metadata.lastAppliedAt = max(metadata.lastAppliedAt, command.at)
        var application = Application(
            over: prepared.transaction,
            metadata: metadata,
            at: command.at
        )
        do throws(ApplyError) {
            let count = try application.apply(command.kind)
            let version = application.metadata.recordVersion
            prepared.outcomes.append(
                Outcome(
                    result: .success(Applied(recordVersion: version, count: count)),
                    effects: application.effects,
                    changes: application.changes
                )
            )
            prepared.metadata = application.metadata
            prepared.transaction.merge(application.transaction.batch)
        } catch {
            switch error {
            case .store(let error): throw error
            case .refused(let error):
                prepared.outcomes.append(
                    Outcome(result: .failure(error), effects: [], changes: [])
                )
                prepared.metadata = metadata
            }
        }
    }

    /// Makes prepared commands visible, in one atomic write.
    package mutating func commit(_ prepared: Prepared) throws(StoreError) {
        try base.write(prepared.transaction.batch)
        metadata = prepared.metadata
    }

    /// Prepares and commits one command.
    package mutating func apply(
        _ command: Command,
        at position: Position
    ) throws(StoreError) -> Outcome {
        let prepared = try prepare([Placed(command, at: position)])
        try commit(prepared)
        return prepared.outcomes[0]
    }

    /// Commands worked out: one batch and an outcome each.
    package struct Prepared: Sendable {
        package fileprivate(set) var outcomes: [Outcome]
        fileprivate var transaction: Transaction<Base>
        fileprivate var metadata: StoreMetadata
    }
}

/// Why applying stopped: the rules, or the store below.
enum ApplyError: Error {
    case refused(CommandError)
    case store(StoreError)
}

/// One command being applied: the transaction and what it has done so far.
struct Application<Base: KeyValueStore> {
    /// Over the transaction of the commands before it: throwing this one away undoes only it.
    var transaction: Transaction<Transaction<Base>>
    var metadata: StoreMetadata
    let at: Timestamp
    private(set) var effects: [Effect] = []
    private(set) var changes: [Change] = []

    init(over base: Transaction<Base>, metadata: StoreMetadata, at: Timestamp) {
        transaction = Transaction(over: base)
        self.metadata = metadata
        self.at = at
    }

    /// The state with everything this command has done so far.
    var reader: RecordReader<Transaction<Transaction<Base>>> { RecordReader(transaction) }

    mutating func apply(_ kind: Command.Kind) throws(ApplyError) -> UInt64 {
        switch kind {
        case .put(let writes): try put(writes)
        case .patch(let writes, let paths): try patch(writes, paths: paths)
        case .revoke(let target, let reason): try revoke(target, reason: reason)
        case .changeMembers(let change): try changeMembers(change)
        case .deleteGroup(let group): try deleteGroup(group)
        case .setOptions(let type, let options): try setOptions(type, options)
        case .maintain(let retention, let recordsMax):
            try maintain(changeRetentionSeconds: retention, recordsMax: Int(recordsMax))
        case .beginHistory(let serverVersion): beginHistory(serverVersion)
        }
    }

    /// A history keeps its name: a second beginning changes nothing.
    private mutating func beginHistory(_ serverVersion: UInt64) -> UInt64 {
        guard metadata.serverVersion == 0 else { return 0 }
        metadata.serverVersion = serverVersion
        return 1
    }

    mutating func nextNumber() -> UInt64 {
        metadata.lastNumber += 1
        return metadata.lastNumber
    }

    mutating func add(_ effect: Effect) {
        effects.append(effect)
    }

    /// Takes the next version for a change of a record.
    mutating func log(
        _ kind: Change.Kind,
        _ type: RecordType,
        _ id: String,
        user: String,
        reason: String = ""
    ) -> UInt64 {
        metadata.recordVersion += 1
        let change = Change(
            version: metadata.recordVersion,
            kind: kind,
            type: type,
            id: id,
            at: at,
            userID: user,
            reason: reason
        )
        transaction.put(Key.change(change.version), Row.encode(change.row))
        changes.append(change)
        return change.version
    }

    /// Runs a read or another step below, with its error as ours.
    func read<R>(_ body: () throws(StoreError) -> R) throws(ApplyError) -> R {
        do throws(StoreError) { return try body() } catch { throw .store(error) }
    }
}
