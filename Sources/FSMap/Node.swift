// SPDX-License-Identifier: Apache-2.0

package import Identity

/// One thing the tree can show, named by what it stands for and not by its path.
///
/// A session has one node under all its names. Ids are raw, never escaped, and compared by their
/// bytes: strings that only look alike are different ids.
package enum Node: Sendable {
    case root
    case readme
    case sessions
    case session(String)
    case users
    case user(String)
    case userFile(String, UserFile)
    case userSessions(String)
    case serviceAccounts
    case serviceAccount(String)
    case serviceAccountFile(String, ServiceAccountFile)
    case serviceAccountSessions(String)
    case groups
    case group(String)
    case groupFile(String, GroupFile)
    case groupMembers(String)
    case member(group: String, user: String)
    case groupSessions(String)
    case context
    case contextSource(String)
    case contextValue(source: String, key: String)
    case records
    case recordType(RecordType)
    case record(RecordType, String)
    case events
    case allEvents
    case revocations
    /// By the index of its entry in the log.
    case revocation(UInt64)
    case cluster
    case clusterFile(ClusterFile)
    case clusterNodes
    case clusterNode(String)
    case clusterNodeFile(String, ClusterNodeFile)
    /// A scratch file of this mount, by its number there.
    case scratch(UInt64)
}

extension Node: Hashable {
    package static func == (left: Node, right: Node) -> Bool {
        let (left, right) = (left.identity, right.identity)
        return left.kind == right.kind && left.first.isSame(as: right.first)
            && left.second.isSame(as: right.second)
    }

    package func hash(into hasher: inout Hasher) {
        let identity = identity
        hasher.combine(identity.kind)
        identity.first.hashBytes(into: &hasher)
        identity.second.hashBytes(into: &hasher)
    }

    /// What tells a node from every other: its kind, and up to two ids.
    private var identity: (kind: Int, first: String, second: String) {
        switch self {
        case .root: (0, "", "")
        case .readme: (1, "", "")
        case .sessions: (2, "", "")
        case .session(let id): (3, id, "")
        case .users: (4, "", "")
        case .user(let id): (5, id, "")
        case .userFile(let id, let file): (6, id, file.rawValue)
        case .userSessions(let id): (7, id, "")
        case .serviceAccounts: (8, "", "")
        case .serviceAccount(let id): (9, id, "")
        case .serviceAccountFile(let id, let file): (10, id, file.rawValue)
        case .serviceAccountSessions(let id): (11, id, "")
        case .groups: (12, "", "")
        case .group(let id): (13, id, "")
        case .groupFile(let id, let file): (14, id, file.rawValue)
        case .groupMembers(let id): (15, id, "")
        case .member(let group, let user): (16, group, user)
        case .groupSessions(let id): (17, id, "")
        case .context: (18, "", "")
        case .contextSource(let source): (19, source, "")
        case .contextValue(let source, let key): (20, source, key)
        case .records: (21, "", "")
        case .recordType(let type): (22, type.url, "")
        case .record(let type, let id): (23, type.url, id)
        case .events: (24, "", "")
        case .allEvents: (25, "", "")
        case .cluster: (26, "", "")
        case .clusterFile(let file): (27, file.rawValue, "")
        case .clusterNodes: (28, "", "")
        case .clusterNode(let name): (29, name, "")
        case .clusterNodeFile(let name, let file): (30, name, file.rawValue)
        case .scratch(let id): (31, "\(id)", "")
        case .revocations: (32, "", "")
        case .revocation(let index): (33, "\(index)", "")
        }
    }
}

/// The files of `users/<user>/`; raw values are file names.
package enum UserFile: String, CaseIterable, Hashable, Sendable {
    case record = "user.json"
    case email, name, groups
}

/// The files of `service-accounts/<sa>/`; raw values are file names.
package enum ServiceAccountFile: String, CaseIterable, Hashable, Sendable {
    case record = "account.json"
    case owner
    case expiresAt = "expires_at"
}

/// The files of `groups/<group>/`; raw values are file names.
package enum GroupFile: String, CaseIterable, Hashable, Sendable {
    case record = "group.json"
    case name, count, members
}

/// The files of `cluster/`; raw values are file names.
package enum ClusterFile: String, CaseIterable, Hashable, Sendable {
    case role, leader, term, writable, applied, committed
    case lag = "lag_ms"

    /// Whether a change of it is told to who watches; the others are counters that never rest.
    package var isTold: Bool {
        switch self {
        case .role, .leader, .term, .writable: true
        case .applied, .committed, .lag: false
        }
    }
}

/// The files of `cluster/nodes/<node>/`; raw values are file names.
package enum ClusterNodeFile: String, CaseIterable, Hashable, Sendable {
    case address, role, state, applied

    /// As for ``ClusterFile/isTold``.
    package var isTold: Bool { self != .applied }
}
