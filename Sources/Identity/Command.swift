// SPDX-License-Identifier: Apache-2.0

/// One change of the state machine, as a value: what passes through the log.
///
/// Applying a command reads nothing but the state and the command: the leader stamped the time
/// and extracted the facts, so every node arrives at the same state byte for byte.
package struct Command: Equatable, Sendable {
    /// The leader's wall clock when it accepted the command.
    package var at: Timestamp
    package var kind: Kind
    /// Whose request it is; nil: said twice, it happens twice.
    package var origin: RequestOrigin?

    /// Stamps a kind of command.
    package init(at: Timestamp, kind: Kind, origin: RequestOrigin? = nil) {
        self.at = at
        self.kind = kind
        self.origin = origin
    }

    /// The verbs of the state machine.
    package enum Kind: Equatable, Sendable {
        /// Puts and deletes, all or nothing, in order. Deleting a session revokes it.
        case put([RecordWrite])
        /// Overwrites the named fields of existing records; missing records are passed over.
        case patch([RecordWrite], paths: [String])
        /// Revokes one session or all of a principal's, for good.
        case revoke(RevocationTarget, reason: String)
        case changeMembers(MembershipChange)
        /// Deletes the group's record and every membership in it.
        case deleteGroup(String)
        /// Replaces the options of a type as a whole; empty options remove them.
        case setOptions(RecordType, RecordOptions)
        /// Removes what is past its time at the command's time.
        case maintain(changeRetentionSeconds: UInt64, recordsMax: UInt32)
        /// Names a new history; the first command of every log.
        case beginHistory(serverVersion: UInt64)
        /// Says what a member of the group is called and where it is; a known one may move.
        case describeMember(GroupMember)
    }

    /// Whether the command only takes access away.
    ///
    /// Such commands may use the disk reserve.
    package var isNarrowing: Bool {
        switch kind {
        case .revoke, .deleteGroup, .maintain, .beginHistory: true
        case .changeMembers(let change): change.add.isEmpty && !change.replace
        case .put(let writes): writes.allSatisfy { $0.record == nil }
        case .patch, .setOptions, .describeMember: false
        }
    }
}

/// One put or delete.
package struct RecordWrite: Equatable, Sendable {
    package var type: RecordType
    package var id: String
    /// Absent: the record is deleted.
    package var record: Record?
    package var facts: RecordFacts
    /// The version the stored record must have, 0 for none; absent: any.
    package var expectedVersion: UInt64?

    /// Puts a record whose facts have been extracted.
    package init(put record: Record, facts: RecordFacts, expectedVersion: UInt64? = nil) {
        self.type = record.type
        self.id = record.id
        self.record = record
        self.facts = facts
        self.expectedVersion = expectedVersion
    }

    /// Deletes a record.
    package init(delete type: RecordType, id: String, expectedVersion: UInt64? = nil) {
        self.type = type
        self.id = id
        self.record = nil
        self.facts = RecordFacts()
        self.expectedVersion = expectedVersion
    }
}

/// Whose sessions are revoked.
package enum RevocationTarget: Equatable, Hashable, Sendable {
    case session(String)
    case user(String)
    case group(String)
    /// The account itself and its sessions.
    case serviceAccount(String)
}

/// Members added to and removed from one group in one commit.
package struct MembershipChange: Equatable, Sendable {
    package var group: String
    package var add: [String]
    package var remove: [String]
    /// The members become exactly those of `add`.
    package var replace: Bool

    /// Makes a change from its parts.
    package init(group: String, add: [String] = [], remove: [String] = [], replace: Bool = false) {
        self.group = group
        self.add = add
        self.remove = remove
        self.replace = replace
    }
}

/// What bounds the records of a type.
package struct RecordOptions: Equatable, Sendable {
    /// At most so many records; the least recently modified go first.
    package var capacity: UInt64?
    /// Seconds after its last change at which a record goes.
    package var ttlSeconds: Int64?
    /// The part of the TTL below a second, 0 to 999 999 999; counts only where there is a TTL.
    package var ttlNanoseconds: Int32 = 0
    /// Kept for the databroker contract; not indexed yet.
    package var indexableFields: [String] = []

    /// Makes options; all absent means none.
    package init(capacity: UInt64? = nil, ttlSeconds: Int64? = nil) {
        self.capacity = capacity
        self.ttlSeconds = ttlSeconds
    }

    /// Whether nothing is bounded.
    package var isEmpty: Bool {
        capacity == nil && ttlSeconds == nil && indexableFields.isEmpty
    }
}

/// Why a command changed nothing.
///
/// The same on every node, because it is decided when it is applied.
package enum CommandError: Error, Equatable, Sendable {
    /// The id was revoked and stays so.
    case revoked(id: String)
    /// Compare-and-set: what is stored instead.
    case versionMismatch(id: String, stored: UInt64)
    case notFound(id: String)
    case exists(id: String)
    /// A session whose expiry has passed cannot be created.
    case expired(id: String)
    case tooLarge(id: String, bytes: Int, limit: Int)
    /// A payload that the apply had to decode is not of its type.
    case undecodable(id: String)
    /// There are as many members as may be.
    case tooManyMembers(limit: Int)
}

extension CommandError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .revoked(let id): "\(id) has been revoked"
        case .versionMismatch(let id, let stored): "\(id) has version \(stored) by now"
        case .notFound(let id): "\(id) does not exist"
        case .exists(let id): "\(id) exists already"
        case .expired(let id): "\(id) has expired already"
        case .tooLarge(let id, let bytes, let limit):
            "\(id) would have \(bytes) bytes, at most \(limit) are allowed"
        case .undecodable(let id): "the payload of \(id) is not of its type"
        case .tooManyMembers(let limit): "there are \(limit) members already, no more are allowed"
        }
    }
}

/// What an applied command did.
package struct Applied: Equatable, Sendable {
    /// The newest version after it.
    package var recordVersion: UInt64
    /// Records written or removed, members changed, or sessions revoked.
    package var count: UInt64
    /// Where it stands in the log; nil for what has no place there, as a read.
    package var receipt: Receipt?

    /// Makes a result from its parts.
    package init(recordVersion: UInt64, count: UInt64, receipt: Receipt? = nil) {
        self.recordVersion = recordVersion
        self.count = count
        self.receipt = receipt
    }
}

/// The place of a change in the order of all changes: what can be shown later to anybody.
package struct Receipt: Equatable, Hashable, Sendable {
    /// The index of its entry in the log.
    package var index: UInt64
    /// The term of the leader that put it there.
    package var term: UInt64
    /// The history's time when it was accepted: the leader's clock, which never runs backwards.
    package var acceptedAt: Timestamp

    /// Joins a place and a time.
    package init(index: UInt64, term: UInt64, acceptedAt: Timestamp) {
        self.index = index
        self.term = term
        self.acceptedAt = acceptedAt
    }
}
