// SPDX-License-Identifier: Apache-2.0

import Identity

/// The numbers that own files, resolved once at start.
package struct Owners: Equatable, Sendable {
    package var rootUser: UInt32
    package var rootGroup: UInt32
    /// Group that may read records.
    package var brokerRead: UInt32
    /// Group that may see whose sessions there are.
    package var brokerRevoke: UInt32
    package var adm: UInt32

    /// Joins the numbers.
    package init(
        rootUser: UInt32,
        rootGroup: UInt32,
        brokerRead: UInt32,
        brokerRevoke: UInt32,
        adm: UInt32
    ) {
        self.rootUser = rootUser
        self.rootGroup = rootGroup
        self.brokerRead = brokerRead
        self.brokerRevoke = brokerRevoke
        self.adm = adm
    }

    /// One user owns everything: for a mount by somebody who is not root.
    package static func everything(user: UInt32, group: UInt32) -> Owners {
        Owners(
            rootUser: user,
            rootGroup: group,
            brokerRead: group,
            brokerRevoke: group,
            adm: group
        )
    }
}

/// Modes and owning groups of the tree: PRODUCT section 4 as one table.
struct Permissions: Equatable {
    enum Class { case root, brokerRead, brokerRevoke, adm }

    var mode: UInt32
    var group: Class

    /// The row of a node.
    ///
    /// Generated files that nobody can write have no write bit.
    init(of node: Node) {
        (mode, group) =
            switch node {
            case .root, .users, .user, .serviceAccounts, .serviceAccount, .groups, .group,
                .groupMembers, .cluster, .clusterNodes, .clusterNode:
                (0o755, .root)
            case .sessions, .userSessions, .serviceAccountSessions, .groupSessions:
                (0o750, .brokerRevoke)
            case .context, .contextSource, .records, .recordType, .revocations:
                (0o750, .brokerRead)
            case .events: (0o750, .adm)
            case .session, .contextValue, .revocation: (0o640, .brokerRead)
            case .record(let type, _): (type.hasFace ? 0o440 : 0o640, .brokerRead)
            case .allEvents: (0o640, .adm)
            case .userFile(_, .record), .serviceAccountFile(_, .record), .groupFile(_, .record),
                .groupFile(_, .members):
                (0o644, .root)
            case .readme, .userFile, .serviceAccountFile, .groupFile, .clusterFile,
                .clusterNodeFile:
                (0o444, .root)
            case .member: (0o777, .root)
            // Those of a scratch file are its creator's.
            case .scratch: (0o600, .root)
            }
    }

    /// The row of a node on a kind of mount.
    init(of node: Node, on kind: MountKind) {
        self.init(of: node)
        switch kind {
        case .ordinary: break
        case .readOnly: if node.kind != .symlink { mode &= ~0o222 }
        case .reveal:
            group = .root
            if node.kind != .symlink { mode = node.kind == .directory ? 0o700 : 0o600 }
        }
    }

    /// The number of the owning group.
    func groupID(_ owners: Owners) -> UInt32 {
        switch group {
        case .root: owners.rootGroup
        case .brokerRead: owners.brokerRead
        case .brokerRevoke: owners.brokerRevoke
        case .adm: owners.adm
        }
    }
}
