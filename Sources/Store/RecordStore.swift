// SPDX-License-Identifier: Apache-2.0

package import Identity

/// The state machine over a key-value store: commands in, records and indexes out.
///
/// INVARIANT: a command and its index are one batch, so it is applied exactly once, also when
/// the log is replayed over a state that has it already. A revocation of very many sessions is
/// several batches, and the index is in the last: applied again, the command goes on where it
/// was, because what it has revoked is not listed any more.
/// INVARIANT: a command with an origin that is remembered changes nothing but the index; what
/// became of the first one is written with its last batch.
/// INVARIANT: indexes are maintained from the stored old record, never from the incoming one.
package struct RecordStore: Sendable {
    package let base: any KeyValueStore
    /// Where the history stands after the last applied command.
    package private(set) var metadata: StoreMetadata
    private let limits: StoreLimits
    /// Where the search for sessions goes on; not knowing it only takes longer.
    private var progress: RevocationProgress?

    /// Reads where the history stands.
    package init(
        _ base: any KeyValueStore,
        limits: StoreLimits = StoreLimits()
    ) throws(StoreError) {
        self.base = base
        self.limits = limits
        metadata = try RecordReader(base).metadata()
    }

    /// Queries of now.
    package var reader: RecordReader { RecordReader(base) }

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
        /// False where the same command has to be applied again, to do the rest.
        package var isComplete = true
    }

    /// What an entry of the log means to the state.
    package enum Content: Sendable {
        case command(Command)
        /// Who is in the group from this entry on; kept beside the state for a restart.
        case configuration(GroupConfiguration)
        /// Nothing: a leader's first entry. It takes a place in the order, as all do.
        case empty
    }

    /// An entry of the log in its place.
    package struct Placed: Sendable {
        package var content: Content
        package var position: Position

        /// Joins what an entry says and its place.
        package init(_ content: Content, at position: Position) {
            self.content = content
            self.position = position
        }

        /// Joins a command and its place.
        package init(_ command: Command, at position: Position) {
            self.init(.command(command), at: position)
        }
    }

    /// Writes down who begins the group, durably, before the first entry; done already is done.
    ///
    /// `members` says how the founders are called and reached, `clusterID` names the cluster; a
    /// node of its own has neither. Throws ``StoreError`` where it cannot be written.
    package mutating func bootstrap(
        _ configuration: GroupConfiguration,
        members: [GroupMember] = [],
        clusterID: String = ""
    ) throws(StoreError) {
        guard metadata.configurations.isEmpty, metadata.appliedIndex == 0 else { return }
        var changed = metadata
        changed.found(configuration, members, clusterID: clusterID)
        var batch = WriteBatch(capacity: 2)
        batch.put(Key.metadata, Row.encode(changed.row))
        batch.put(Key.groupMembers, Row.encode(changed.groupRow))
        try base.write(batch)
        try base.flush()
        metadata = changed
    }

    /// Works commands out without changing anything, so that caches can be warned first.
    ///
    /// A command refused by its own rules is an outcome, not an error: it still takes its place
    /// in the history. There are fewer outcomes than commands where the last is not complete.
    package func prepare(_ entries: [Placed]) throws(StoreError) -> Prepared {
        var application = Application(
            over: base,
            metadata: metadata,
            limits: limits,
            progress: progress
        )
        var outcomes: [Outcome] = []
        outcomes.reserveCapacity(entries.count)
        for placed in entries {
            outcomes.append(try application.apply(placed.content, at: placed.position))
            if outcomes.last?.isComplete == false { break }
        }
        application.transaction.put(Key.metadata, Row.encode(application.metadata.row))
        if !application.metadata.hasSameGroup(as: metadata) {
            application.transaction.put(
                Key.groupMembers,
                Row.encode(application.metadata.groupRow)
            )
        }
        return Prepared(
            outcomes: outcomes,
            batch: application.transaction.batch,
            metadata: application.metadata,
            progress: application.progress
        )
    }

    /// Makes prepared commands visible, in one atomic write.
    package mutating func commit(_ prepared: Prepared) throws(StoreError) {
        try base.write(prepared.batch)
        metadata = prepared.metadata
        progress = prepared.progress
    }

    /// Prepares and commits one entry, or one step of it: see ``Outcome/isComplete``.
    package mutating func apply(_ placed: Placed) throws(StoreError) -> Outcome {
        let prepared = try prepare([placed])
        try commit(prepared)
        return prepared.outcomes[0]
    }

    /// Commands worked out: one batch and an outcome each.
    package struct Prepared: Sendable {
        package let outcomes: [Outcome]
        fileprivate let batch: WriteBatch
        fileprivate let metadata: StoreMetadata
        fileprivate let progress: RevocationProgress?
    }
}
