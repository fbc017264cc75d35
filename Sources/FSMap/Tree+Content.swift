// SPDX-License-Identifier: Apache-2.0

import Identity

/// The content a file had when it was opened.
enum Content: Sendable {
    /// A document that is rendered when it is first read; `envelope`: as below `records/`.
    case record(StoredRecord, envelope: Bool)
    /// The same of a session that nobody has read yet: most are in the kernel's cache already, and
    /// never are. The view is of the moment of the opening.
    case unread(session: String, any IdentityView)
    /// The same with its secrets.
    case revealed(StoredRecord, envelope: Bool)
    case bytes([UInt8])
    /// Lines that are made when they are read.
    case members(MembersText)
    /// The log of changes: always the current one.
    case events

    /// The bytes as a reader sees them.
    func bytes() throws(FSError) -> [UInt8] {
        switch self {
        case .bytes(let bytes): return bytes
        case .members(let text):
            var marks: [MembersText.Mark] = []
            return try text.read(offset: 0, count: .max, marks: &marks)
        case .events: return []
        case .unread(let session, let view):
            let stored = try Tree.ask { () throws(ViewError) in try view.record(.session, session) }
            guard let stored else { throw .stale }
            return try Content.record(stored, envelope: false).bytes()
        case .revealed(let stored, let envelope):
            do {
                return try Document.reveal(stored.record, envelope: envelope)
            } catch {
                throw .io(error.description)
            }
        case .record(let stored, let envelope):
            do {
                guard !envelope else { return try Document.renderAny(stored.record) }
                let bytes = try Document.render(stored.record)
                assert(
                    bytes.count == Int(stored.header.facts.documentBytes),
                    "\(stored.record.id): the size in the header is not the size of the document"
                )
                return bytes
            } catch {
                throw .io(error.description)
            }
        }
    }
}

/// A file's content with what tells it from other content of the same file.
struct Snapshot: Sendable {
    var content: Content
    var version: ContentVersion
    var sizeBytes: UInt64
    var number: UInt64
}

/// What is in files and behind links.
extension Tree {
    /// The content of a file now; nil where it does not exist.
    ///
    /// `isNeeded` is false for a handle that cannot show the content, which is then left out.
    func snapshot(
        of node: Node,
        isNeeded: Bool,
        in view: any IdentityView
    ) throws(FSError) -> Snapshot? {
        let isUnread = if case .session = node { kind != .reveal } else { false }
        if let (type, id) = node.record, isNeeded, !isUnread {
            return try documentSnapshot(of: node, type, id, in: view)
        }
        guard let presence = try presence(of: node, in: view) else { return nil }
        let content: Content =
            switch node {
            case .allEvents: .events
            case .session(let id) where isNeeded: .unread(session: id, view)
            case .groupFile(let group, .members):
                .members(MembersText(group: group, view: view))
            default: .bytes(isNeeded ? try bytes(of: node, in: view) : [])
            }
        return Snapshot(
            content: content,
            version: presence.version,
            sizeBytes: presence.sizeBytes,
            number: presence.number
        )
    }

    /// Reads the record once, so that attributes and content are of one version.
    private func documentSnapshot(
        of node: Node,
        _ type: RecordType,
        _ id: String,
        in view: any IdentityView
    ) throws(FSError) -> Snapshot? {
        guard let stored = try stored(type, id, in: view) else { return nil }
        let known: Presence?
        if case .session = node, kind != .reveal {
            known = session(id, stored.header)
        } else {
            known = try presence(of: node, in: view)
        }
        guard let presence = known else { return nil }
        let hasOwnSize = node.isEnvelope || kind == .reveal
        return Snapshot(
            content: content(of: node, stored),
            version: ContentVersion(first: stored.header.version),
            sizeBytes: hasOwnSize ? presence.sizeBytes : UInt64(stored.header.facts.documentBytes),
            number: presence.number
        )
    }

    /// The document that a file shows of its record.
    private func content(of node: Node, _ stored: StoredRecord) -> Content {
        kind == .reveal
            ? .revealed(stored, envelope: node.isEnvelope)
            : .record(stored, envelope: node.isEnvelope)
    }

    /// The size of a document with its secrets, which no header knows; nil for other files.
    func revealedBytes(of node: Node, in view: any IdentityView) throws(FSError) -> UInt64? {
        guard kind == .reveal, let (type, id) = node.record,
            let stored = try stored(type, id, in: view)
        else { return nil }
        return UInt64(try content(of: node, stored).bytes().count)
    }

    /// The content of a file that is made from the state; empty where there is nothing.
    func bytes(of node: Node, in view: any IdentityView) throws(FSError) -> [UInt8] {
        switch node {
        case .readme: return Readme.text(version: version)
        case .userFile(let user, .groups): return try groups(of: user, in: view)
        case .userFile(let user, let file): return try field(file, of: user, in: view)
        case .serviceAccountFile(let account, let file):
            guard let header = try header(.serviceAccount, account, in: view) else { return [] }
            return Self.line(
                file == .owner ? header.facts.userID : header.facts.expiresAt?.text ?? ""
            )
        case .groupFile(let group, .count):
            let state = try Self.ask { () throws(ViewError) in try view.group(group) }
            return Self.line("\(state?.memberCount ?? 0)")
        case .groupFile(let group, _):
            guard let stored = try stored(.directoryGroup, group, in: view) else { return [] }
            return Self.line((try? DirectoryGroup(payload: stored.record.payload).name) ?? "")
        case .revocation(let index): return try receipt(index, in: view)
        case .clusterFile, .clusterNodeFile: return Self.clusterBytes(of: node, view.cluster) ?? []
        default: return []
        }
    }

    /// One value and a line feed; nothing for no value.
    private static func line(_ value: String) -> [UInt8] {
        value.isEmpty ? [] : Array(value.utf8) + [UInt8(ascii: "\n")]
    }

    private func groups(of user: String, in view: any IdentityView) throws(FSError) -> [UInt8] {
        let groups = try header(.directoryUser, user, in: view)?.facts.groupIDs ?? []
        return
            groups
            .map { Array($0.utf8) }
            .sorted { $0.lexicographicallyPrecedes($1) }
            .flatMap { $0 + [UInt8(ascii: "\n")] }
    }

    /// What the user said at login; what the directory says where that is nothing.
    private func field(
        _ file: UserFile,
        of user: String,
        in view: any IdentityView
    ) throws(FSError) -> [UInt8] {
        if let stored = try stored(.user, user, in: view),
            let fields = try? RecordField.user(stored.record.payload)
        {
            let value = file == .email ? fields.email : fields.name
            if !value.isEmpty { return Self.line(value) }
        }
        guard let stored = try stored(.directoryUser, user, in: view),
            let directory = try? DirectoryUser(payload: stored.record.payload)
        else { return [] }
        return Self.line(file == .email ? directory.email : directory.displayName)
    }

    /// Every member, bytewise ascending.
    func forEachMember(
        of group: String,
        in view: any IdentityView,
        _ body: (String) throws(FSError) -> Void
    ) throws(FSError) {
        var last: String?
        while true {
            let page = try Self.ask { () throws(ViewError) in
                try view.members(of: group, after: last, limit: Self.pageEntries)
            }
            for user in page { try body(user) }
            guard page.count == Self.pageEntries else { return }
            last = page.last
        }
    }

    static let pageEntries = 1024

    /// A value of `cluster/`, empty for a directory; nil where the node is not known.
    static func clusterBytes(of node: Node, _ cluster: ClusterState) -> [UInt8]? {
        switch node {
        case .clusterFile(let file): line(value(of: file, cluster))
        case .clusterNode(let name), .clusterNodeFile(let name, _):
            cluster.nodes.first { $0.name.utf8.elementsEqual(name.utf8) }.map {
                guard case .clusterNodeFile(_, let file) = node else { return [] }
                return line(value(of: file, $0))
            }
        default: []
        }
    }

    static func value(of file: ClusterFile, _ cluster: ClusterState) -> String {
        switch file {
        case .role: cluster.role
        case .leader: cluster.leader
        case .term: "\(cluster.term)"
        case .writable: cluster.writable ? "1" : "0"
        case .applied: "\(cluster.applied)"
        case .committed: "\(cluster.committed)"
        case .lag: "\(cluster.lagMilliseconds)"
        }
    }

    static func value(of file: ClusterNodeFile, _ node: ClusterNode) -> String {
        switch file {
        case .address: node.address
        case .role: node.role
        case .state: node.state
        case .applied: "\(node.applied)"
        }
    }
}
