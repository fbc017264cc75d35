// SPDX-License-Identifier: Apache-2.0

package import Identity

/// Reading the state failed below us; the operator's log has the details.
package enum ViewError: Error, Equatable, Sendable {
    case io(String)
}

/// One name in a listing.
package struct CollectionEntry: Equatable, Sendable {
    /// Unique in the history and ascending with creation: the directory offset and inode base.
    package var number: UInt64
    package var id: String

    /// Joins a number and an id.
    package init(number: UInt64, id: String) {
        self.number = number
        self.id = id
    }
}

/// What a listing as a whole is like.
package struct CollectionStatistics: Equatable, Sendable {
    /// The base of the directory's inode number; 0 for the fixed directories.
    package var number: UInt64
    package var count: UInt64
    package var documentBytes: UInt64
    package var modifiedAt: Timestamp

    /// Makes statistics from their parts.
    package init(number: UInt64, count: UInt64, documentBytes: UInt64, modifiedAt: Timestamp) {
        self.number = number
        self.count = count
        self.documentBytes = documentBytes
        self.modifiedAt = modifiedAt
    }
}

/// A user as the tree shows it: somebody with a record, a directory record or a session.
package struct PrincipalState: Equatable, Sendable {
    package var number: UInt64
    package var hasUser: Bool
    package var hasDirectoryUser: Bool
    package var sessionCount: UInt64
    package var sessionsModifiedAt: Timestamp
    package var modifiedAt: Timestamp

    /// Makes a state from its parts.
    package init(
        number: UInt64,
        hasUser: Bool,
        hasDirectoryUser: Bool,
        sessionCount: UInt64,
        sessionsModifiedAt: Timestamp,
        modifiedAt: Timestamp
    ) {
        self.number = number
        self.hasUser = hasUser
        self.hasDirectoryUser = hasDirectoryUser
        self.sessionCount = sessionCount
        self.sessionsModifiedAt = sessionsModifiedAt
        self.modifiedAt = modifiedAt
    }
}

/// A group as the tree shows it: a directory record, or an id that members name.
package struct GroupState: Equatable, Sendable {
    package var number: UInt64
    package var hasRecord: Bool
    package var memberCount: UInt64
    /// Size of the `members` file.
    package var memberBytes: UInt64
    package var membersModifiedAt: Timestamp
    package var modifiedAt: Timestamp
    package var version: UInt64

    /// Makes a state from its parts.
    package init(
        number: UInt64,
        hasRecord: Bool,
        memberCount: UInt64,
        memberBytes: UInt64,
        membersModifiedAt: Timestamp,
        modifiedAt: Timestamp,
        version: UInt64
    ) {
        self.number = number
        self.hasRecord = hasRecord
        self.memberCount = memberCount
        self.memberBytes = memberBytes
        self.membersModifiedAt = membersModifiedAt
        self.modifiedAt = modifiedAt
        self.version = version
    }
}

/// One node of the cluster as `cluster/nodes/<node>/` shows it.
package struct ClusterNode: Equatable, Sendable {
    package var name: String
    package var address: String
    package var role: String
    package var state: String
    package var applied: UInt64

    /// Makes a node from its parts.
    package init(name: String, address: String, role: String, state: String, applied: UInt64) {
        self.name = name
        self.address = address
        self.role = role
        self.state = state
        self.applied = applied
    }
}

/// What this node knows of the cluster, as `cluster/` shows it.
package struct ClusterState: Equatable, Sendable {
    /// `leader`, `follower` or `candidate`.
    package var role: String
    /// Name of the leader; empty while none is known.
    package var leader: String
    package var term: UInt64
    package var writable: Bool
    package var applied: UInt64
    package var committed: UInt64
    package var lagMilliseconds: UInt64
    /// In the order of their names.
    package var nodes: [ClusterNode]

    /// Makes a state from its parts.
    package init(
        role: String,
        leader: String,
        term: UInt64,
        writable: Bool,
        applied: UInt64,
        committed: UInt64,
        lagMilliseconds: UInt64,
        nodes: [ClusterNode]
    ) {
        self.role = role
        self.leader = leader
        self.term = term
        self.writable = writable
        self.applied = applied
        self.committed = committed
        self.lagMilliseconds = lagMilliseconds
        self.nodes = nodes
    }
}

/// How far a node is with one change: `revocations/<index>` shows it.
package struct NodeProgress: Equatable, Sendable {
    /// The node's name.
    package var node: String
    /// When its state had the change, by its own clock; nil where that is not known.
    package var appliedAt: Timestamp?
    /// When no mount of it and no kernel's cache showed any more what the change took.
    package var forgottenAt: Timestamp?

    /// Makes a progress from its parts.
    package init(node: String, appliedAt: Timestamp? = nil, forgottenAt: Timestamp? = nil) {
        self.node = node
        self.appliedAt = appliedAt
        self.forgottenAt = forgottenAt
    }
}

/// What the tree asks of the state; every call is answered from local data at once.
///
/// A view is consistent in itself where it stands for a snapshot. Implementations must be usable
/// from many threads at once.
package protocol IdentityView: Sendable {
    /// A record without its payload; nil where there is none.
    func header(_ type: RecordType, _ id: String) throws(ViewError) -> RecordHeader?
    /// A record with its payload; nil where there is none.
    func record(_ type: RecordType, _ id: String) throws(ViewError) -> StoredRecord?
    /// Whether the session id was revoked and is still remembered.
    func isRevoked(session id: String) throws(ViewError) -> Bool

    /// The number of a name in a listing; nil where the listing does not have it.
    func number(of id: String, in collection: IdentityCollection) throws(ViewError) -> UInt64?
    /// At most `limit` names with numbers above `number`, ascending.
    func entries(
        in collection: IdentityCollection,
        after number: UInt64,
        limit: Int
    ) throws(ViewError) -> [CollectionEntry]
    /// The id in this listing whose ``Digest/nameSuffix(of:)`` is `suffix`, for names cut short.
    func id(
        withNameSuffix suffix: String,
        in collection: IdentityCollection
    ) throws(ViewError) -> String?
    /// Nil for a context source that does not exist; zeros for an empty record type.
    func statistics(of collection: IdentityCollection) throws(ViewError) -> CollectionStatistics?

    /// Nil where nobody has a record, directory record or session under this id.
    func principal(_ id: String) throws(ViewError) -> PrincipalState?
    /// Nil where there is neither a record nor a member.
    func group(_ id: String) throws(ViewError) -> GroupState?
    /// At most `limit` members above `user` (nil: from the first), bytewise ascending.
    func members(
        of group: String,
        after user: String?,
        limit: Int
    ) throws(ViewError) -> [String]

    /// The receipt of the revocation at this index of the log; nil where none is kept.
    func revocation(_ index: UInt64) throws(ViewError) -> Revocation?
    /// What this node knows of where it has been applied and forgotten; it grows without anybody
    /// being told.
    func progress(ofRevocation index: UInt64) -> [NodeProgress]

    var cluster: ClusterState { get }
    /// The retained lines of `events/all.jsonl`.
    var events: EventLog { get }
}
