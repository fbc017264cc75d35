// SPDX-License-Identifier: Apache-2.0

import Identity

/// Why applying stopped: the rules, or the store below.
enum ApplyError: Error {
    case refused(CommandError)
    case store(StoreError)
}

/// Commands being applied, one after the other, and what the last of them has done so far.
struct Application {
    /// Holds what the commands wrote; a refused one is rolled back.
    var transaction: Transaction
    var metadata: StoreMetadata
    /// The time of the command.
    private(set) var at = Timestamp.epoch
    private var effects: [Effect] = []
    private var changes: [Change] = []
    /// Counts that every change of a record moves, written out when the command is done.
    private var statistics: [RecordType: StatisticsRow] = [:]
    /// By key, nil for one that is gone; written out when the command is done, too.
    var principals: [HashedKey: PrincipalRow?] = [:]

    let limits: StoreLimits
    /// The sessions and accounts that the writes of this command have deleted so far.
    var deleted: (first: RevocationTarget, count: UInt64)?
    /// How far the revocation that is not complete has come.
    var progress: RevocationProgress?

    init(
        over base: any KeyValueReader,
        metadata: StoreMetadata,
        limits: StoreLimits = StoreLimits(),
        progress: RevocationProgress? = nil
    ) {
        transaction = Transaction(over: base)
        self.metadata = metadata
        self.limits = limits
        self.progress = progress
    }

    /// The state with everything done so far.
    var reader: RecordReader { RecordReader(transaction) }

    /// Applies an entry of the log in its place.
    mutating func apply(
        _ content: RecordStore.Content,
        at position: RecordStore.Position
    ) throws(StoreError) -> RecordStore.Outcome {
        switch content {
        case .command(let command): return try apply(command, at: position)
        case .configuration(let configuration): metadata.adopt(configuration)
        case .empty: break
        }
        precondition(position.index == metadata.appliedIndex + 1, "entries are applied in order")
        metadata.appliedIndex = position.index
        metadata.appliedTerm = position.term
        at = metadata.lastAppliedAt
        let applied = applied(count: 0, at: position)
        return .init(result: .success(applied), effects: [], changes: [])
    }

    private mutating func apply(
        _ command: Command,
        at position: RecordStore.Position
    ) throws(StoreError) -> RecordStore.Outcome {
        precondition(position.index == metadata.appliedIndex + 1, "commands are applied in order")
        let previousTerm = metadata.appliedTerm
        metadata.appliedIndex = position.index
        metadata.appliedTerm = position.term
        metadata.lastAppliedAt = max(metadata.lastAppliedAt, command.at)
        // A leader whose clock is behind stamps before it has seen all that it will follow.
        at = metadata.lastAppliedAt
        (effects, changes) = ([], [])
        transaction.setSavepoint()
        if let origin = command.origin, let known = try outcome(of: origin) {
            return .init(result: known, effects: [], changes: [])
        }
        let result = try carryOut(command.kind, at: position)
        let isComplete = progress == nil
        if let origin = command.origin, isComplete {
            try remember(result, of: origin, at: position)
        }
        if !isComplete {
            metadata.appliedIndex -= 1
            metadata.appliedTerm = previousTerm
        }
        return .init(result: result, effects: effects, changes: changes, isComplete: isComplete)
    }

    /// Does what a command says, or nothing of it; of a large revocation one step, which leaves
    /// `progress`.
    private mutating func carryOut(
        _ kind: Command.Kind,
        at position: RecordStore.Position
    ) throws(StoreError) -> Result<Applied, CommandError> {
        let before = metadata
        deleted = nil
        do throws(ApplyError) {
            var count = try apply(kind)
            writeStatistics()
            writePrincipals()
            if progress != nil {
                metadata.stepCount += count
            } else {
                count += metadata.stepCount
                metadata.stepCount = 0
                try leaveReceipt(of: kind, count: count, at: position)
            }
            return .success(applied(count: count, at: position))
        } catch {
            switch error {
            case .store(let error): throw error
            case .refused(let error):
                metadata = before
                metadata.stepCount = 0
                statistics = [:]
                principals = [:]
                progress = nil
                (effects, changes) = ([], [])
                transaction.rollBack()
                return .failure(error)
            }
        }
    }

    private mutating func apply(_ kind: Command.Kind) throws(ApplyError) -> UInt64 {
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
        case .describeMember(let member): try describe(member)
        }
    }

    /// A history keeps its name: a second beginning changes nothing.
    private mutating func beginHistory(_ serverVersion: UInt64) -> UInt64 {
        guard metadata.serverVersion == 0 else { return 0 }
        metadata.serverVersion = serverVersion
        return 1
    }

    /// Nobody's identity: no change of a record, and nothing that a mount keeps.
    private mutating func describe(_ member: GroupMember) throws(ApplyError) -> UInt64 {
        do throws(CommandError) {
            return try metadata.describe(member) ? 1 : 0
        } catch {
            throw .refused(error)
        }
    }

    private func applied(count: UInt64, at position: RecordStore.Position) -> Applied {
        let receipt = Receipt(index: position.index, term: position.term, acceptedAt: at)
        return Applied(recordVersion: metadata.recordVersion, count: count, receipt: receipt)
    }

    /// Changes the counts of a type; the first change makes the type appear.
    mutating func changeStatistics(
        of type: RecordType,
        _ change: (inout StatisticsRow) -> Void
    ) throws(ApplyError) {
        var row: StatisticsRow
        if let known = statistics[type] {
            row = known
        } else {
            let stored = try read { () throws(StoreError) in
                try reader.statistics(of: .records(type))
            }
            row = stored ?? StatisticsRow(number: nextNumber())
            if stored == nil { list(type.url, row.number, in: .types) }
        }
        change(&row)
        statistics[type] = row
    }

    /// Makes the counts visible to whoever reads them; the batch has an order of its own.
    mutating func writeStatistics() {
        for (type, row) in statistics {
            transaction.put(Key.statistics(.records(type)), Row.encode(row.row))
        }
    }

    private mutating func writePrincipals() {
        for (key, row) in principals {
            if let row {
                transaction.put(key.bytes, Row.encode(row.row))
            } else {
                transaction.delete(key.bytes)
            }
        }
        principals.removeAll(keepingCapacity: true)
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
