// SPDX-License-Identifier: Apache-2.0

import Identity

/// One thing of the tree that an effect makes different.
enum Touch: Hashable {
    /// Attributes and content of a node.
    case content(Node)
    /// The node's name in a directory: it appeared or vanished.
    case name(Node, in: Node)
    /// The node has probably ceased to exist; the state has the last word, except of a revocation.
    case gone(Node, revoked: Bool)
    /// Listing and attributes of a directory.
    case listing(Node)
    /// The names of a session in the groups of these users (nodes, because they compare bytes).
    case groupNames(session: Node, users: [Node])
    /// The names of all sessions of a user in the sessions of a group.
    case memberNames(sessions: Node, user: Node)
    /// Every name the kernel has of a session: it changed hands.
    case moved(session: Node)

    /// What is remembered as recently changed.
    var key: RecentChanges.Key? {
        switch self {
        case .content(let node), .name(let node, in: _), .gone(let node, revoked: _): .node(node)
        case .listing(let node): .listing(node)
        case .memberNames(let sessions, user: _): .names(sessions)
        case .groupNames, .moved: nil
        }
    }
}

/// Which effect touches what: the whole knowledge of what can be stale in a kernel.
extension Touch {
    /// Everything that an effect touches; nodes inside of a vanished directory come before it.
    static func touches(of effect: Effect) -> [Touch] {
        switch effect {
        case .recordWritten(let type, let id, let created, let users):
            written(type, id, created: created, users: users)
        case .recordRemoved(let type, let id, let users, let revoked):
            removed(type, id, users: users, revoked: revoked)
        case .listed(let collection, let id): listed(collection, id)
        case .unlisted(let collection, let id): unlisted(collection, id)
        case .membersChanged(let group): members(of: group)
        case .groupsChanged(let user): groups(of: user)
        }
    }

    /// The record's file below `records/`; the directory's time may move with every write.
    private static func raw(_ type: RecordType, _ id: String) -> [Touch] {
        [
            .content(.record(type, id)), .name(.record(type, id), in: .recordType(type)),
            .listing(.recordType(type)),
        ]
    }

    private static func written(
        _ type: RecordType,
        _ id: String,
        created: Bool,
        users: [String]
    ) -> [Touch] {
        var touches =
            created
            ? raw(type, id) : [.content(.record(type, id)), .listing(.recordType(type))]
        switch type {
        case .session:
            touches += sessionWritten(id, created: created, users: users)
        case .user: touches += fields([.record, .email, .name], of: id, appeared: created)
        case .directoryUser: touches += fields([.email, .name, .groups], of: id, appeared: created)
        case .serviceAccount:
            touches += Node.serviceAccount(id).fixedChildren.map { .content($0) }
            touches += [.listing(.serviceAccount(id)), .listing(.serviceAccounts)]
            if created { touches.append(.name(.serviceAccount(id), in: .serviceAccounts)) }
        case .directoryGroup:
            for file in [GroupFile.record, .name] {
                let node = Node.groupFile(id, file)
                touches.append(.content(node))
                if created { touches.append(.name(node, in: .group(id))) }
            }
            touches.append(.listing(.group(id)))
        case .context:
            guard let node = contextValue(id) else { break }
            touches += [.content(node), .listing(node.parent)]
            if created { touches.append(.name(node, in: node.parent)) }
        default: break
        }
        return touches
    }

    private static func sessionWritten(
        _ id: String,
        created: Bool,
        users: [String]
    ) -> [Touch] {
        let node = Node.session(id)
        var touches: [Touch] = [.content(node), .listing(.sessions)]
        touches += users.flatMap(sessionListings)
        // Users are the old and the new one: a session that changed hands has other names now.
        let isMoved = !created && users.count > 1
        if created { touches.append(.name(node, in: .sessions)) }
        if isMoved { touches.append(.moved(session: node)) }
        if created || isMoved {
            touches += users.flatMap { sessionNames(id, of: $0) }
            touches.append(.groupNames(session: node, users: users.map { .user($0) }))
        }
        return touches
    }

    private static func sessionNames(_ id: String, of user: String) -> [Touch] {
        [
            .name(.session(id), in: .userSessions(user)),
            .name(.session(id), in: .serviceAccountSessions(user)),
        ]
    }

    private static func sessionListings(of user: String) -> [Touch] {
        [
            .listing(.userSessions(user)), .listing(.serviceAccountSessions(user)),
            .listing(.user(user)),
        ]
    }

    private static func fields(_ files: [UserFile], of user: String, appeared: Bool) -> [Touch] {
        files.flatMap { file -> [Touch] in
            let node = Node.userFile(user, file)
            return appeared ? [.content(node), .name(node, in: .user(user))] : [.content(node)]
        } + [.listing(.user(user))]
    }

    private static func removed(
        _ type: RecordType,
        _ id: String,
        users: [String],
        revoked: Bool
    ) -> [Touch] {
        var touches: [Touch] = [
            .gone(.record(type, id), revoked: revoked), .listing(.recordType(type)),
        ]
        switch type {
        case .session:
            touches += [.gone(.session(id), revoked: revoked), .listing(.sessions)]
            touches += users.flatMap(sessionListings)
        case .user, .directoryUser:
            // The fields of the other record, if there is one, show from now on.
            touches += Node.user(id).fixedChildren.map { .gone($0, revoked: false) }
            touches.append(.listing(.user(id)))
        case .serviceAccount:
            touches += vanished(.serviceAccount(id))
            touches.append(.listing(.serviceAccounts))
        case .directoryGroup:
            touches += [GroupFile.record, .name].map { .gone(.groupFile(id, $0), revoked: false) }
            touches.append(.listing(.group(id)))
        case .context:
            guard let node = contextValue(id) else { break }
            touches += [.gone(node, revoked: false), .listing(node.parent)]
        default: break
        }
        return touches
    }

    private static func listed(_ collection: IdentityCollection, _ id: String) -> [Touch] {
        switch collection {
        case .members(let group): return joinedOrLeft(group, user: id)
        case .sessions(let user): return sessionNames(id, of: user) + sessionListings(of: user)
        default:
            return directories(of: collection).flatMap { directory -> [Touch] in
                guard let node = directory.child(id) else { return [] }
                return [.content(node), .name(node, in: directory), .listing(directory)]
            } + accountListing(collection, id)
        }
    }

    /// An account's sessions show the times of the principal, if there is one of that name.
    private static func accountListing(
        _ collection: IdentityCollection,
        _ id: String
    ) -> [Touch] {
        collection == .principals ? [.listing(.serviceAccountSessions(id))] : []
    }

    private static func unlisted(_ collection: IdentityCollection, _ id: String) -> [Touch] {
        switch collection {
        case .members(let group):
            return [.gone(.member(group: group, user: id), revoked: false)]
                + joinedOrLeft(group, user: id)
        case .sessions(let user): return sessionNames(id, of: user) + sessionListings(of: user)
        default:
            return directories(of: collection).flatMap { directory -> [Touch] in
                guard let node = directory.child(id) else { return [] }
                return vanished(node) + [.listing(directory)]
            } + accountListing(collection, id)
        }
    }

    private static func joinedOrLeft(_ group: String, user: String) -> [Touch] {
        [
            .name(.member(group: group, user: user), in: .groupMembers(group)),
            .memberNames(sessions: .groupSessions(group), user: .user(user)),
        ] + members(of: group) + groups(of: user)
    }

    private static func members(of group: String) -> [Touch] {
        [
            .content(.groupFile(group, .members)), .content(.groupFile(group, .count)),
            .listing(.groupMembers(group)), .listing(.groupSessions(group)),
            .listing(.group(group)),
        ]
    }

    private static func groups(of user: String) -> [Touch] {
        [.content(.userFile(user, .groups)), .listing(.user(user))]
    }

    /// A directory and all in it that has a fixed name.
    private static func vanished(_ node: Node) -> [Touch] {
        (node.fixedChildren + [node]).map { .gone($0, revoked: false) }
    }

    private static func contextValue(_ id: String) -> Node? {
        guard let (source, key) = try? RecordID.contextParts(id) else { return nil }
        return .contextValue(source: source, key: key)
    }

    /// The directories that show a listing.
    private static func directories(of collection: IdentityCollection) -> [Node] {
        switch collection {
        case .types: [.records]
        case .principals: [.users]
        case .groups: [.groups]
        case .contextSources: [.context]
        case .contextKeys(let source): [.contextSource(source)]
        case .revocations: [.revocations]
        case .records(let type):
            switch type {
            case .session: [.recordType(type), .sessions]
            case .serviceAccount: [.recordType(type), .serviceAccounts]
            default: [.recordType(type)]
            }
        case .sessions(let user): [.userSessions(user), .serviceAccountSessions(user)]
        case .members(let group): [.groupMembers(group)]
        }
    }
}
