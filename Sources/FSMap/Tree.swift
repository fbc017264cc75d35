// SPDX-License-Identifier: Apache-2.0

import Identity

/// What a file's content was like at one moment; unequal where the bytes may differ.
struct ContentVersion: Equatable, Sendable {
    var first: UInt64
    var second: UInt64 = 0
}

/// What is known of a node that exists, without its content.
struct Presence: Equatable {
    /// `st_ino`.
    var number: UInt64
    var modifiedAt: Timestamp
    var sizeBytes: UInt64 = 0
    var version = ContentVersion(first: 0)
    /// The content, where it is a few bytes that nothing keeps.
    var bytes: [UInt8]?
}

/// The tree of PRODUCT section 1 as a pure function of the state.
///
/// INVARIANT: nothing here remembers anything; the same view gives the same answers.
struct Tree: Sendable {
    let owners: Owners
    let version: String
    let mountedAt: Timestamp
    let kind: MountKind

    /// Runs a read of the state, with its error in our words.
    static func ask<Answer>(
        _ read: () throws(ViewError) -> Answer
    ) throws(FSError) -> Answer {
        do {
            return try read()
        } catch {
            throw FSError(error)
        }
    }

    /// The attributes of a node; nil where it does not exist.
    func attributes(of node: Node, in view: any IdentityView) throws(FSError) -> Attributes? {
        try presence(of: node, in: view).map { attributes(of: node, $0) }
    }

    /// Joins what the state says with the table of permissions.
    func attributes(of node: Node, _ presence: Presence) -> Attributes {
        let permissions = Permissions(of: node, on: kind)
        return Attributes(
            number: presence.number,
            kind: node.kind,
            mode: permissions.mode,
            uid: owners.rootUser,
            gid: permissions.groupID(owners),
            sizeBytes: presence.sizeBytes,
            modifiedAt: presence.modifiedAt
        )
    }

    /// What the state knows of a node; nil where it does not exist.
    func presence(of node: Node, in view: any IdentityView) throws(FSError) -> Presence? {
        guard var presence = try plainPresence(of: node, in: view) else { return nil }
        if let size = try revealedBytes(of: node, in: view) { presence.sizeBytes = size }
        return presence
    }

    private func plainPresence(
        of node: Node,
        in view: any IdentityView
    ) throws(FSError) -> Presence? {
        switch node {
        case .root, .readme, .sessions, .users, .serviceAccounts, .groups, .context, .records,
            .events, .revocations, .cluster, .clusterNodes:
            return try fixed(node, in: view)
        case .session(let id): return try session(id, in: view)
        case .user, .userFile, .userSessions: return try principal(node, in: view)
        case .serviceAccount, .serviceAccountFile, .serviceAccountSessions:
            return try serviceAccount(node, in: view)
        case .group, .groupFile, .groupMembers, .groupSessions, .member:
            return try group(node, in: view)
        case .contextSource, .contextValue: return try context(node, in: view)
        case .recordType, .record: return try record(node, in: view)
        case .allEvents:
            let events = view.events
            return Presence(
                number: node.number(ofGeneration: events.generation),
                modifiedAt: events.modifiedAt,
                sizeBytes: UInt64(events.sizeBytes),
                version: ContentVersion(
                    first: events.generation,
                    second: UInt64(events.sizeBytes)
                )
            )
        case .revocation(let index): return try revocation(index, in: view)
        case .clusterFile, .clusterNode, .clusterNodeFile: return cluster(node, in: view)
        // Not of the tree: the mount alone knows it.
        case .scratch: return nil
        }
    }

    private func fixed(_ node: Node, in view: any IdentityView) throws(FSError) -> Presence {
        var presence = Presence(number: node.fixedNumber, modifiedAt: mountedAt)
        if let collection = node.collection {
            let statistics = try Self.ask { () throws(ViewError) in
                try view.statistics(of: collection)
            }
            if let time = statistics?.modifiedAt, time > .epoch { presence.modifiedAt = time }
        } else if node == .readme {
            presence.sizeBytes = UInt64(Readme.text(version: version).count)
        }
        return presence
    }

    private func session(_ id: String, in view: any IdentityView) throws(FSError) -> Presence? {
        try header(.session, id, in: view).map { session(id, $0) }
    }

    /// A session as its header alone describes it: nothing is rendered to answer a `stat`.
    func session(_ id: String, _ header: RecordHeader) -> Presence {
        document(.session(id), header, object: header.number)
    }

    /// A file that shows a whole record.
    func document(_ node: Node, _ header: RecordHeader, object: UInt64) -> Presence {
        Presence(
            number: node.number(ofObject: object),
            modifiedAt: header.modifiedAt,
            sizeBytes: UInt64(header.facts.documentBytes),
            version: ContentVersion(first: header.version)
        )
    }

    func header(
        _ type: RecordType,
        _ id: String,
        in view: any IdentityView
    ) throws(FSError) -> RecordHeader? {
        try Self.ask { () throws(ViewError) in try view.header(type, id) }
    }

    func stored(
        _ type: RecordType,
        _ id: String,
        in view: any IdentityView
    ) throws(FSError) -> StoredRecord? {
        try Self.ask { () throws(ViewError) in try view.record(type, id) }
    }

    /// Whether the name `node` has is in `directory`, for nodes that exist.
    func belongs(
        _ header: RecordHeader,
        to directory: Node,
        in view: any IdentityView
    ) throws(FSError) -> Bool {
        let user = header.facts.userID
        switch directory {
        case .userSessions(let owner), .serviceAccountSessions(let owner):
            return user.utf8.elementsEqual(owner.utf8)
        case .groupSessions(let group):
            let number = try Self.ask { () throws(ViewError) in
                try view.number(of: user, in: .members(ofGroup: group))
            }
            return number != nil
        default: return true
        }
    }
}
