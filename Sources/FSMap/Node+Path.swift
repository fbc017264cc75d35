// SPDX-License-Identifier: Apache-2.0

import Identity

/// Where a node stands in the tree of PRODUCT section 1.
extension Node {
    /// The one directory a node is named in; for sessions, which have several, `sessions/`.
    package var parent: Node {
        switch self {
        case .root, .readme, .sessions, .users, .serviceAccounts, .groups, .context, .records,
            .events, .revocations, .cluster, .scratch:
            .root
        case .revocation: .revocations
        case .session: .sessions
        case .user: .users
        case .userFile(let user, _), .userSessions(let user): .user(user)
        case .serviceAccount: .serviceAccounts
        case .serviceAccountFile(let account, _), .serviceAccountSessions(let account):
            .serviceAccount(account)
        case .group: .groups
        case .groupFile(let group, _), .groupMembers(let group), .groupSessions(let group):
            .group(group)
        case .member(let group, _): .groupMembers(group)
        case .contextSource: .context
        case .contextValue(let source, _): .contextSource(source)
        case .recordType: .records
        case .record(let type, _): .recordType(type)
        case .allEvents: .events
        case .clusterFile, .clusterNodes: .cluster
        case .clusterNode: .clusterNodes
        case .clusterNodeFile(let node, _): .clusterNode(node)
        }
    }

    /// The name in the directory, escaped; empty for the root.
    package var name: String {
        switch self {
        case .root, .scratch: ""
        case .readme: "README"
        case .sessions, .userSessions, .serviceAccountSessions, .groupSessions: "sessions"
        case .users: "users"
        case .serviceAccounts: "service-accounts"
        case .groups: "groups"
        case .context: "context"
        case .records: "records"
        case .events: "events"
        case .allEvents: "all.jsonl"
        case .revocations: "revocations"
        case .revocation(let index): "\(index)"
        case .cluster: "cluster"
        case .clusterNodes: "nodes"
        case .groupMembers: "members.d"
        case .userFile(_, let file): file.rawValue
        case .serviceAccountFile(_, let file): file.rawValue
        case .groupFile(_, let file): file.rawValue
        case .clusterFile(let file): file.rawValue
        case .clusterNodeFile(_, let file): file.rawValue
        case .session(let id), .user(let id), .serviceAccount(let id), .group(let id),
            .contextSource(let id), .record(_, let id), .clusterNode(let id):
            FileName.encode(id)
        case .member(_, let user): FileName.encode(user)
        case .contextValue(_, let key): FileName.encode(key)
        case .recordType(let type): FileName.encode(type.url)
        }
    }

    /// The path below the mount, without a leading slash.
    package var path: String {
        parent == .root ? name : "\(parent.path)/\(name)"
    }

    /// What the node is for `stat`.
    package var kind: FileKind {
        switch self {
        case .root, .sessions, .users, .user, .userSessions, .serviceAccounts, .serviceAccount,
            .serviceAccountSessions, .groups, .group, .groupMembers, .groupSessions, .context,
            .contextSource, .records, .recordType, .events, .revocations, .cluster, .clusterNodes,
            .clusterNode:
            .directory
        case .member: .symlink
        case .readme, .session, .userFile, .serviceAccountFile, .groupFile, .contextValue,
            .record, .allEvents, .revocation, .clusterFile, .clusterNodeFile, .scratch:
            .regular
        }
    }

    /// The nodes with names of their own in this directory, in the order of a listing.
    var fixedChildren: [Node] {
        switch self {
        case .root:
            [
                .readme, .sessions, .users, .serviceAccounts, .groups, .context, .records,
                .events, .revocations, .cluster,
            ]
        case .user(let user):
            UserFile.allCases.map { .userFile(user, $0) } + [.userSessions(user)]
        case .serviceAccount(let account):
            ServiceAccountFile.allCases.map { .serviceAccountFile(account, $0) }
                + [.serviceAccountSessions(account)]
        case .group(let group):
            GroupFile.allCases.map { .groupFile(group, $0) }
                + [.groupMembers(group), .groupSessions(group)]
        case .events: [.allEvents]
        case .cluster: ClusterFile.allCases.map { .clusterFile($0) } + [.clusterNodes]
        case .clusterNode(let node):
            ClusterNodeFile.allCases.map { .clusterNodeFile(node, $0) }
        default: []
        }
    }

    /// The listing of ids this directory shows; nil where it shows none.
    ///
    /// The sessions of a group are those of its members and have no listing of their own.
    var collection: IdentityCollection? {
        switch self {
        case .sessions: .records(.session)
        case .users: .principals
        case .userSessions(let user), .serviceAccountSessions(let user): .sessions(ofUser: user)
        case .serviceAccounts: .records(.serviceAccount)
        case .groups: .groups
        case .groupMembers(let group): .members(ofGroup: group)
        case .context: .contextSources
        case .contextSource(let source): .contextKeys(source: source)
        case .records: .types
        case .recordType(let type): .records(type)
        case .revocations: .revocations
        default: nil
        }
    }

    /// The node that an id names in this directory; nil where no id names anything.
    func child(_ id: String) -> Node? {
        switch self {
        case .sessions, .userSessions, .serviceAccountSessions, .groupSessions: .session(id)
        case .users: .user(id)
        case .serviceAccounts: .serviceAccount(id)
        case .groups: .group(id)
        case .groupMembers(let group): .member(group: group, user: id)
        case .context: .contextSource(id)
        case .contextSource(let source): .contextValue(source: source, key: id)
        case .records: .recordType(RecordType(id))
        case .recordType(let type): .record(type, id)
        case .clusterNodes: .clusterNode(id)
        case .revocations: UInt64(id).flatMap { "\($0)".isSame(as: id) ? .revocation($0) : nil }
        default: nil
        }
    }

    /// Whether a name of the node can be in `directory`.
    func canBeNamed(in directory: Node) -> Bool {
        guard case .session = self else { return self != .root && parent == directory }
        return switch directory {
        case .sessions, .userSessions, .serviceAccountSessions, .groupSessions: true
        default: false
        }
    }

    /// Whether the node changes without anybody telling: nothing of it may be cached.
    var isVolatile: Bool {
        switch self {
        case .allEvents, .revocation, .clusterFile, .clusterNodes, .clusterNode,
            .clusterNodeFile:
            true
        default: false
        }
    }

    /// Whether a kernel may keep the listing and the attributes of this directory.
    ///
    /// Those of a group's sessions change with each session of each member, and the number of the
    /// file in `events/` changes without anybody telling: they are asked for.
    var isListingCacheable: Bool {
        switch self {
        case .groupSessions, .events, .clusterNodes, .clusterNode: false
        default: true
        }
    }

    /// Whether the document is shown in an envelope that says its type.
    var isEnvelope: Bool {
        if case .record = self { true } else { false }
    }

    /// The record whose document the file shows; nil for other files.
    var record: (type: RecordType, id: String)? {
        switch self {
        case .session(let id): (.session, id)
        case .userFile(let id, .record): (.user, id)
        case .serviceAccountFile(let id, .record): (.serviceAccount, id)
        case .groupFile(let id, .record): (.directoryGroup, id)
        case .contextValue(let source, let key): (.context, "\(source)/\(key)")
        case .record(let type, let id): (type, id)
        default: nil
        }
    }
}
