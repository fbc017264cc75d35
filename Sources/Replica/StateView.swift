// SPDX-License-Identifier: Apache-2.0

package import FSMap
package import Identity
package import Store

/// The state as the tree reads it: records, and what this node knows of the cluster.
package final class StateView: IdentityView {
    private let reader: RecordReader
    private let currentCluster: @Sendable () -> ClusterState
    private let currentEvents: @Sendable () -> EventLog
    private let currentProgress: @Sendable (UInt64) -> [NodeProgress]

    /// A view over a store or a snapshot; what is not a record is asked for when it is read.
    ///
    /// `progress` says which nodes have applied and forgotten what stands at an index of the log.
    package init(
        _ base: any KeyValueReader,
        isMoment: Bool = false,
        cluster: @escaping @Sendable () -> ClusterState,
        events: @escaping @Sendable () -> EventLog,
        progress: @escaping @Sendable (_ index: UInt64) -> [NodeProgress] = { _ in [] }
    ) {
        reader = RecordReader(base, isMoment: isMoment)
        currentCluster = cluster
        currentEvents = events
        currentProgress = progress
    }

    package var cluster: ClusterState { currentCluster() }
    package var events: EventLog { currentEvents() }

    package func progress(ofRevocation index: UInt64) -> [NodeProgress] { currentProgress(index) }

    package func revocation(_ index: UInt64) throws(ViewError) -> Revocation? {
        try viewed { () throws(StoreError) in try reader.revocation(index) }
    }

    package func header(
        _ type: RecordType,
        _ id: String
    ) throws(ViewError) -> RecordHeader? {
        try viewed { () throws(StoreError) in try reader.header(type, id) }
    }

    package func record(
        _ type: RecordType,
        _ id: String
    ) throws(ViewError) -> StoredRecord? {
        try viewed { () throws(StoreError) in try reader.record(type, id) }
    }

    package func isRevoked(session id: String) throws(ViewError) -> Bool {
        try viewed { () throws(StoreError) in try reader.isRevoked(.session, id) }
    }

    package func number(
        of id: String,
        in collection: IdentityCollection
    ) throws(ViewError) -> UInt64? {
        try viewed { () throws(StoreError) in try reader.number(of: id, in: collection) }
    }

    package func entries(
        in collection: IdentityCollection,
        after number: UInt64,
        limit: Int
    ) throws(ViewError) -> [CollectionEntry] {
        try viewed { () throws(StoreError) in
            try reader.entries(in: collection, after: number, limit: limit)
        }.map { CollectionEntry(number: $0.number, id: $0.id) }
    }

    package func id(
        withNameSuffix suffix: String,
        in collection: IdentityCollection
    ) throws(ViewError) -> String? {
        try viewed { () throws(StoreError) in
            try reader.id(withNameSuffix: suffix, in: collection)
        }
    }

    package func statistics(
        of collection: IdentityCollection
    ) throws(ViewError) -> CollectionStatistics? {
        let row = try viewed { () throws(StoreError) in
            try reader.statistics(of: collection)
        }
        guard let row else {
            guard case .contextKeys = collection else {
                return CollectionStatistics(
                    number: 0,
                    count: 0,
                    documentBytes: 0,
                    modifiedAt: .epoch
                )
            }
            return nil
        }
        return CollectionStatistics(
            number: row.number,
            count: row.count,
            documentBytes: row.documentBytes,
            modifiedAt: row.modifiedAt
        )
    }

    package func principal(_ id: String) throws(ViewError) -> PrincipalState? {
        try viewed { () throws(StoreError) in try reader.principal(id) }.map {
            PrincipalState(
                number: $0.number,
                hasUser: $0.hasUser,
                hasDirectoryUser: $0.hasDirectoryUser,
                sessionCount: $0.sessionCount,
                sessionsModifiedAt: $0.sessionsModifiedAt,
                modifiedAt: $0.modifiedAt
            )
        }
    }

    package func group(_ id: String) throws(ViewError) -> GroupState? {
        try viewed { () throws(StoreError) in try reader.group(id) }.map {
            GroupState(
                number: $0.number,
                hasRecord: $0.hasRecord,
                memberCount: $0.memberCount,
                memberBytes: $0.memberBytes,
                membersModifiedAt: $0.membersModifiedAt,
                modifiedAt: $0.modifiedAt,
                version: $0.version
            )
        }
    }

    package func members(
        of group: String,
        after user: String?,
        limit: Int
    ) throws(ViewError) -> [String] {
        try viewed { () throws(StoreError) in
            try reader.members(of: group, after: user, limit: limit)
        }
    }

    private func viewed<R>(_ body: () throws(StoreError) -> R) throws(ViewError) -> R {
        do throws(StoreError) {
            return try body()
        } catch {
            throw .io("\(error)")
        }
    }
}
