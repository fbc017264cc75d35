// SPDX-License-Identifier: Apache-2.0

package import Identity

/// A user that has a record, a directory record or a session.
package struct PrincipalRow: Equatable, Sendable {
    package var number: UInt64 = 0
    package var hasUser = false
    package var hasDirectoryUser = false
    package var sessionCount: UInt64 = 0
    package var sessionsModifiedAt = Timestamp.epoch
    package var modifiedAt = Timestamp.epoch
}

/// A group that has a record or a member.
package struct GroupRow: Equatable, Sendable {
    package var number: UInt64 = 0
    package var hasRecord = false
    package var memberCount: UInt64 = 0
    /// Bytes of all member ids, each with a line feed.
    package var memberBytes: UInt64 = 0
    package var membersModifiedAt = Timestamp.epoch
    package var modifiedAt = Timestamp.epoch
    package var version: UInt64 = 0
}

/// Count and size of a record type or a context source.
package struct StatisticsRow: Equatable, Sendable {
    package var number: UInt64 = 0
    package var count: UInt64 = 0
    package var documentBytes: UInt64 = 0
    package var modifiedAt = Timestamp.epoch
}

/// Queries over the records of one moment (a snapshot) or of now (the store itself).
package struct RecordReader: Sendable {
    package let base: any KeyValueReader
    private let isMoment: Bool

    /// Reads from a store, a snapshot, or a command in progress.
    ///
    /// `isMoment` says that nothing changes between two reads, as in a snapshot.
    package init(_ base: any KeyValueReader, isMoment: Bool = false) {
        self.base = base
        self.isMoment = isMoment
    }

    /// Where the history stands, and who is in the group; the defaults for an empty store.
    package func metadata() throws(StoreError) -> StoreMetadata {
        var metadata = try history()
        if let bytes = try base.get(Key.groupMembers) {
            metadata.take(try Row.decode(Brokerfs_State_Members.self, bytes))
        }
        return metadata
    }

    /// The same without names, addresses and the cluster's id, which have a row of their own.
    func history() throws(StoreError) -> StoreMetadata {
        guard let bytes = try base.get(Key.metadata) else { return StoreMetadata() }
        return StoreMetadata(try Row.decode(Brokerfs_State_Metadata.self, bytes))
    }

    /// A record without its payload.
    package func header(_ type: RecordType, _ id: String) throws(StoreError) -> RecordHeader? {
        guard let bytes = try base.get(Key.header(type, id)) else { return nil }
        return RecordHeader(try Row.decode(Brokerfs_State_RecordHeader.self, bytes), type: type)
    }

    /// A record with its payload.
    package func record(_ type: RecordType, _ id: String) throws(StoreError) -> StoredRecord? {
        var candidate = try header(type, id)
        while let header = candidate {
            let payload = try base.get(Key.payload(type, id))
            // Without a snapshot the record may change between the two reads; then both are old.
            if !isMoment { candidate = try self.header(type, id) }
            guard candidate?.version == header.version else { continue }
            guard let payload else {
                throw .corrupt(path: "", reason: "\(id) of \(type.url) has no payload")
            }
            let url = header.dataTypeURL
            let record = Record(type: type, id: id, payload: payload, dataTypeURL: url)
            return StoredRecord(record: record, header: header)
        }
        return nil
    }

    /// Whether the id was revoked and is still remembered.
    package func isRevoked(_ type: RecordType, _ id: String) throws(StoreError) -> Bool {
        try base.withValue(of: Key.tombstone(type, id)) { _ in true } ?? false
    }

    /// Nil where nobody has a record, directory record or session under this id.
    package func principal(_ id: String) throws(StoreError) -> PrincipalRow? {
        guard let bytes = try base.get(Key.principal(id)) else { return nil }
        return PrincipalRow(try Row.decode(Brokerfs_State_Principal.self, bytes))
    }

    /// Nil where there is neither a record nor a member.
    package func group(_ id: String) throws(StoreError) -> GroupRow? {
        guard let bytes = try base.get(Key.group(id)) else { return nil }
        return GroupRow(try Row.decode(Brokerfs_State_Group.self, bytes))
    }

    /// The options of a type; nil for none.
    package func options(_ type: RecordType) throws(StoreError) -> RecordOptions? {
        guard let bytes = try base.get(Key.options(type)) else { return nil }
        return RecordOptions(try Row.decode(Databroker_Options.self, bytes))
    }

    /// Types that have had records, in the order of their first.
    package func types() throws(StoreError) -> [RecordType] {
        try entries(in: .types, after: 0, limit: .max).map { RecordType($0.id) }
    }

    /// At most `limit` changes with versions above `version`, ascending.
    ///
    /// Throws ``ChangeLogGap`` through its result when changes after `version` were trimmed.
    package func changes(
        after version: UInt64,
        limit: Int
    ) throws(StoreError) -> ChangeLogPage {
        var earliest = try history().earliestChange
        var changes: [Change] = []
        if version >= earliest || version + 1 == earliest {
            changes = try collectChanges(after: version, limit: limit)
            // What was trimmed meanwhile may be missing from what was read.
            if !isMoment { earliest = try history().earliestChange }
        }
        guard version >= earliest || version + 1 == earliest else {
            return .trimmed(earliest: earliest)
        }
        return .changes(changes)
    }

    func collectChanges(after version: UInt64, limit: Int) throws(StoreError) -> [Change] {
        guard version < .max, limit > 0 else { return [] }
        var rows: [(UInt64, [UInt8])] = []
        let end = Key.successor(of: [Key.Space.change.rawValue])
        try base.scan(from: Key.change(version + 1), below: end) { key, value in
            let key = [UInt8](copying: key)
            rows.append((Key.number(at: key[...]), [UInt8](copying: value)))
            return rows.count < limit
        }
        var changes: [Change] = []
        for (version, bytes) in rows {
            changes.append(
                try Change(version: version, try Row.decode(Brokerfs_State_Change.self, bytes))
            )
        }
        return changes
    }
}

/// What the change log answers.
package enum ChangeLogPage: Equatable, Sendable {
    case changes([Change])
    /// Older changes are gone; the reader has to start over from the state.
    case trimmed(earliest: UInt64)
}
