// SPDX-License-Identifier: Apache-2.0

import Identity

/// What a name in a directory stands for.
enum NamedNode: Equatable {
    /// The node of that name, whether it exists or not.
    case node(Node)
    /// No node can have the name.
    case impossible
    /// The name is cut, and nothing that exists has it.
    case unresolved
}

/// Names and listings.
extension Tree {
    /// Finds out which node a name stands for.
    func resolve(
        _ name: String,
        in directory: Node,
        view: any IdentityView
    ) throws(FSError) -> NamedNode {
        guard name.utf8.count <= 255 else { throw .nameTooLong }
        let fixed = directory.fixedChildren
        if !fixed.isEmpty {
            return fixed.first { $0.name == name }.map { .node($0) } ?? .impossible
        }
        switch FileName.decode(name) {
        case .id(let id): return directory.child(id).map { .node($0) } ?? .impossible
        case .cut(let suffix):
            guard let id = try id(withSuffix: suffix, in: directory, view: view),
                FileName.encode(id) == name
            else { return .unresolved }
            return directory.child(id).map { .node($0) } ?? .impossible
        case nil: return .impossible
        }
    }

    private func id(
        withSuffix suffix: String,
        in directory: Node,
        view: any IdentityView
    ) throws(FSError) -> String? {
        var collection = directory.collection
        if case .groupSessions = directory { collection = .records(.session) }
        if directory == .clusterNodes {
            return view.cluster.nodes.first { Digest.nameSuffix(of: $0.name) == suffix }?.name
        }
        guard let collection else { return nil }
        return try Self.ask { () throws(ViewError) in
            try view.id(withNameSuffix: suffix, in: collection)
        }
    }

    /// What the state knows of a node under its name in `directory`; nil where it is not there.
    func presence(
        of node: Node,
        in directory: Node,
        view: any IdentityView
    ) throws(FSError) -> Presence? {
        guard case .session(let id) = node else { return try presence(of: node, in: view) }
        guard let header = try header(.session, id, in: view),
            try belongs(header, to: directory, in: view)
        else { return nil }
        return kind == .reveal ? try presence(of: node, in: view) : session(id, header)
    }

    /// The first cookie of ids; fixed names have those below, from 3 on.
    static let objectCookie: UInt64 = 64
    private static let fixedCookie: UInt64 = 3

    /// The fixed names after `offset` that exist, in order.
    func fixedEntries(
        of directory: Node,
        after offset: UInt64,
        view: any IdentityView
    ) throws(FSError) -> [(node: Node, presence: Presence, offset: UInt64)] {
        guard offset < Self.objectCookie else { return [] }
        var entries: [(node: Node, presence: Presence, offset: UInt64)] = []
        for (index, node) in directory.fixedChildren.enumerated() {
            let cookie = Self.fixedCookie + UInt64(index)
            guard cookie > offset, let presence = try presence(of: node, in: view) else { continue }
            entries.append((node, presence, cookie))
        }
        guard directory == .clusterNodes else { return entries }
        for (index, member) in view.cluster.nodes.enumerated() {
            let cookie = Self.objectCookie + UInt64(index)
            let node = Node.clusterNode(member.name)
            guard cookie > offset, let presence = cluster(node, in: view) else { continue }
            entries.append((node, presence, cookie))
        }
        return entries
    }

    /// One page of the ids that a directory lists, after the cookie `offset`.
    func listedEntries(
        of directory: Node,
        after offset: UInt64,
        view: any IdentityView
    ) throws(FSError) -> [CollectionEntry] {
        guard let collection = directory.collection else { return [] }
        let number = offset < Self.objectCookie ? 0 : offset - Self.objectCookie
        return try Self.ask { () throws(ViewError) in
            try view.entries(in: collection, after: number, limit: Self.pageEntries)
        }
    }

    /// The sessions of every member of a group, by their numbers.
    func sessions(
        ofGroup group: String,
        in view: any IdentityView
    ) throws(FSError) -> [CollectionEntry] {
        var sessions: [CollectionEntry] = []
        try forEachMember(of: group, in: view) { user throws(FSError) in
            try forEachSession(of: user, in: view) { sessions.append($0) }
        }
        return sessions.sorted { $0.number < $1.number }
    }

    /// Every session of a principal, by its number.
    func forEachSession(
        of user: String,
        in view: any IdentityView,
        _ body: (CollectionEntry) -> Void
    ) throws(FSError) {
        var last: UInt64 = 0
        while true {
            let page = try Self.ask { () throws(ViewError) in
                try view.entries(in: .sessions(ofUser: user), after: last, limit: Self.pageEntries)
            }
            page.forEach(body)
            guard page.count == Self.pageEntries, let end = page.last else { return }
            last = end.number
        }
    }
}
