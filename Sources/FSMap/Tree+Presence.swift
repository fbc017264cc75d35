// SPDX-License-Identifier: Apache-2.0

import Identity

/// What the state knows of principals, groups, context and records.
extension Tree {
    func principal(_ node: Node, in view: any IdentityView) throws(FSError) -> Presence? {
        guard case .user(let user) = node.owner else { return nil }
        let state = try Self.ask { () throws(ViewError) in try view.principal(user) }
        guard let state else { return nil }
        let number = node.number(ofObject: state.number)
        switch node {
        case .userSessions: return Presence(number: number, modifiedAt: state.sessionsModifiedAt)
        case .userFile(_, .record):
            guard state.hasUser else { return nil }
            return try header(.user, user, in: view).map {
                document(node, $0, object: state.number)
            }
        case .userFile(_, let file):
            guard file == .groups || state.hasUser || state.hasDirectoryUser else { return nil }
            return try derived(node, number: number, in: view)
        default: return Presence(number: number, modifiedAt: state.modifiedAt)
        }
    }

    /// A file with one value out of the user record or the directory's record.
    private func derived(
        _ node: Node,
        number: UInt64,
        in view: any IdentityView
    ) throws(FSError) -> Presence {
        guard case .userFile(let user, let file) = node else { preconditionFailure("\(node)") }
        let record = file == .groups ? nil : try header(.user, user, in: view)
        let directory = try header(.directoryUser, user, in: view)
        let times = [record?.modifiedAt, directory?.modifiedAt].compactMap { $0 }
        return Presence(
            number: number,
            modifiedAt: times.max() ?? mountedAt,
            sizeBytes: UInt64(try bytes(of: node, in: view).count),
            version: ContentVersion(first: record?.version ?? 0, second: directory?.version ?? 0)
        )
    }

    func serviceAccount(_ node: Node, in view: any IdentityView) throws(FSError) -> Presence? {
        guard case .serviceAccount(let account) = node.owner else { return nil }
        guard let header = try header(.serviceAccount, account, in: view) else { return nil }
        var presence = document(node, header, object: header.number)
        switch node {
        case .serviceAccountFile(_, .record): break
        case .serviceAccountFile: presence.sizeBytes = UInt64(try bytes(of: node, in: view).count)
        case .serviceAccountSessions:
            let state = try Self.ask { () throws(ViewError) in try view.principal(account) }
            presence = Presence(
                number: presence.number,
                modifiedAt: state?.sessionsModifiedAt ?? header.modifiedAt
            )
        default: presence.sizeBytes = 0
        }
        return presence
    }

    func group(_ node: Node, in view: any IdentityView) throws(FSError) -> Presence? {
        guard case .group(let group) = node.owner else { return nil }
        if case .member(_, let user) = node { return try member(node, group, user, in: view) }
        let state = try Self.ask { () throws(ViewError) in try view.group(group) }
        guard let state else { return nil }
        var presence = Presence(
            number: node.number(ofObject: state.number),
            modifiedAt: state.membersModifiedAt,
            version: ContentVersion(
                first: state.version,
                second: state.memberBytes ^ UInt64(bitPattern: state.membersModifiedAt.stamp)
            )
        )
        switch node {
        case .groupFile(_, .record), .groupFile(_, .name):
            guard state.hasRecord, let header = try header(.directoryGroup, group, in: view)
            else { return nil }
            presence = document(node, header, object: state.number)
            if case .groupFile(_, .name) = node {
                presence.sizeBytes = UInt64(try bytes(of: node, in: view).count)
            }
        case .groupFile(_, .count): presence.sizeBytes = UInt64("\(state.memberCount)\n".utf8.count)
        case .groupFile(_, .members): presence.sizeBytes = state.memberBytes
        case .groupMembers: break
        case .groupSessions:
            let sessions = try Self.ask { () throws(ViewError) in
                try view.statistics(of: .records(.session))
            }
            presence.modifiedAt = max(presence.modifiedAt, sessions?.modifiedAt ?? .epoch)
        default: presence.modifiedAt = state.modifiedAt
        }
        return presence
    }

    private func member(
        _ node: Node,
        _ group: String,
        _ user: String,
        in view: any IdentityView
    ) throws(FSError) -> Presence? {
        let number = try Self.ask { () throws(ViewError) in
            try view.number(of: user, in: .members(ofGroup: group))
        }
        return number.map {
            Presence(
                number: node.number(ofObject: $0),
                modifiedAt: mountedAt,
                sizeBytes: UInt64(Self.linkTarget(ofMember: user).utf8.count)
            )
        }
    }

    /// Where `groups/<group>/members.d/<user>` points.
    static func linkTarget(ofMember user: String) -> String {
        "../../../users/\(FileName.encode(user))"
    }

    func context(_ node: Node, in view: any IdentityView) throws(FSError) -> Presence? {
        if case .contextSource(let source) = node {
            let collection = IdentityCollection.contextKeys(source: source)
            let found = try Self.ask { () throws(ViewError) in
                try view.number(of: source, in: .contextSources)
            }
            guard let found else { return nil }
            let statistics = try Self.ask { () throws(ViewError) in
                try view.statistics(of: collection)
            }
            return Presence(
                number: node.number(ofObject: found),
                modifiedAt: statistics?.modifiedAt ?? mountedAt
            )
        }
        guard let (type, id) = node.record, node.isContextValue(withID: id) else { return nil }
        return try header(type, id, in: view).map { document(node, $0, object: $0.number) }
    }

    func record(_ node: Node, in view: any IdentityView) throws(FSError) -> Presence? {
        if case .recordType(let type) = node {
            let found = try Self.ask { () throws(ViewError) in
                try view.number(of: type.url, in: .types)
            }
            guard let found else { return nil }
            let statistics = try Self.ask { () throws(ViewError) in
                try view.statistics(of: .records(type))
            }
            return Presence(
                number: node.number(ofObject: found),
                modifiedAt: statistics?.modifiedAt ?? mountedAt
            )
        }
        guard let (type, id) = node.record, let stored = try stored(type, id, in: view)
        else { return nil }
        var presence = document(node, stored.header, object: stored.header.number)
        presence.sizeBytes = UInt64(try Content.record(stored, envelope: true).bytes().count)
        return presence
    }

    func cluster(_ node: Node, in view: any IdentityView) -> Presence? {
        let number =
            switch node {
            case .clusterNode(let name), .clusterNodeFile(let name, _):
                node.number(ofName: name)
            default: node.fixedNumber
            }
        guard let bytes = Self.clusterBytes(of: node, view.cluster) else { return nil }
        return Presence(
            number: number,
            modifiedAt: mountedAt,
            sizeBytes: UInt64(bytes.count),
            bytes: bytes
        )
    }
}

extension Timestamp {
    /// One number that moves with the time; wraps around outside of the years 1678 to 2262.
    var stamp: Int64 { seconds &* 1_000_000_000 &+ Int64(nanoseconds) }
}

extension Node {
    /// The directory of the user, account or group that the node is or is part of.
    var owner: Node {
        switch self {
        case .userFile, .userSessions, .serviceAccountFile, .serviceAccountSessions, .groupFile,
            .groupMembers, .groupSessions:
            parent
        case .member(let group, _): .group(group)
        default: self
        }
    }

    /// Whether `id` splits into this node's source and key and not into others.
    func isContextValue(withID id: String) -> Bool {
        guard let (source, key) = try? RecordID.contextParts(id) else { return false }
        return self == .contextValue(source: source, key: key)
    }
}
