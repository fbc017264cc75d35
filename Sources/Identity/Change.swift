// SPDX-License-Identifier: Apache-2.0

/// One change of one record, as the change log keeps it and `events/` shows it.
package struct Change: Equatable, Sendable {
    /// Why the record changed.
    ///
    /// The names are those of `events/all.jsonl`.
    package enum Kind: String, Equatable, Sendable {
        case put, delete, revoke, expire, evict
    }

    /// The place in the one order of all changes.
    package var version: UInt64
    package var kind: Kind
    package var type: RecordType
    package var id: String
    package var at: Timestamp
    /// The principal the record belongs to; empty where the type has none.
    package var userID: String
    /// What the revoker gave as a reason; empty for none.
    package var reason: String

    /// Makes a change from its parts.
    package init(
        version: UInt64,
        kind: Kind,
        type: RecordType,
        id: String,
        at: Timestamp,
        userID: String,
        reason: String
    ) {
        self.version = version
        self.kind = kind
        self.type = type
        self.id = id
        self.at = at
        self.userID = userID
        self.reason = reason
    }
}

/// What became different for a reader of the tree, in the order it happened.
///
/// Effects say more than changes: which owners, groups and listings are touched. They are what
/// is turned into invalidations of the kernel's caches.
package enum Effect: Equatable, Sendable {
    /// A record is new or has new content. `users` are its old and its new principal.
    case recordWritten(RecordType, id: String, created: Bool, users: [String])
    /// A record is gone; `revoked` where reading an open file of it must fail.
    case recordRemoved(RecordType, id: String, users: [String], revoked: Bool)
    /// A name appeared in or vanished from a listing that is not a record type's.
    case listed(IdentityCollection, id: String)
    case unlisted(IdentityCollection, id: String)
    /// The group's members are different now; single joins and leaves are `listed` and `unlisted`.
    case membersChanged(group: String)
    /// The effective groups of this user are different now.
    case groupsChanged(user: String)
}

/// A listing of ids: each directory of the tree that names many things shows one.
package enum IdentityCollection: Hashable, Sendable {
    /// Every type that has or had records.
    case types
    /// All records of a type.
    case records(RecordType)
    /// Every principal that has a user record, a directory record or a session.
    case principals
    /// Every group that has a record or a member.
    case groups
    /// The sessions of one principal (a user or a service account).
    case sessions(ofUser: String)
    /// The members of one group.
    case members(ofGroup: String)
    case contextSources
    case contextKeys(source: String)
    /// The receipts of revocations, by their indexes in decimal digits.
    case revocations

    /// Listings are the same where their owners are the same bytes.
    package static func == (left: IdentityCollection, right: IdentityCollection) -> Bool {
        left.identity.letter == right.identity.letter
            && left.identity.owner.isSame(as: right.identity.owner)
    }

    /// Hashes the kind and the bytes of the owner.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(identity.letter)
        identity.owner.hashBytes(into: &hasher)
    }

    /// One letter for the kind of listing, then its owner; both are part of the on-disk format.
    package var identity: (letter: String, owner: String) {
        switch self {
        case .types: ("t", "")
        case .records(let type): ("r", type.url)
        case .principals: ("p", "")
        case .groups: ("g", "")
        case .sessions(let user): ("s", user)
        case .members(let group): ("m", group)
        case .contextSources: ("c", "")
        case .contextKeys(let source): ("k", source)
        case .revocations: ("v", "")
        }
    }
}
