// SPDX-License-Identifier: Apache-2.0

import Identity
import Synchronization

/// What the other parts of the file system ask about inodes and nodes.
extension FileSystem {
    /// A live inode.
    ///
    /// Throws where it is unknown, or what it stood for is gone.
    func entry(of inode: UInt64) throws(FSError) -> InodeTable.Inode {
        let entry = state.withLock { $0.inodes[inode] }
        guard let entry else { throw .stale }
        if let removal = entry.removal { throw removal.error }
        return entry
    }

    /// The node of a directory that is alive.
    func directory(_ inode: UInt64) throws(FSError) -> Node {
        let node = try entry(of: inode).node
        guard node.kind == .directory else { throw .notDirectory }
        return node
    }

    /// Runs what a path leads to, with the right word for a directory that is gone.
    ///
    /// Where another one has its name, ``FSError/stale`` has the kernel look the path up anew,
    /// once; where none has, there is nothing to be found, and ``FSError/notFound`` says so.
    func onPath<Result>(
        _ inode: UInt64,
        view: any IdentityView,
        _ body: () throws(FSError) -> Result
    ) throws(FSError) -> Result {
        do {
            return try body()
        } catch .stale {
            let node = state.withLock { $0.inodes[inode]?.node }
            guard let node, try presence(of: node, view: view) == nil else { throw .stale }
            throw .notFound
        }
    }

    /// The node a name stands for and what is known of it; throws where it does not exist.
    func existing(
        _ name: String,
        in parent: UInt64,
        view: any IdentityView
    ) throws(FSError) -> (node: Node, directory: Node) {
        let directory = try directory(parent)
        guard let node = try found(name, in: directory, view: view) else { throw .notFound }
        return (node, directory)
    }

    /// The node of a name where it exists.
    func found(
        _ name: String,
        in directory: Node,
        view: any IdentityView
    ) throws(FSError) -> Node? {
        guard case .node(let node) = try tree.resolve(name, in: directory, view: view),
            try presence(of: node, in: directory, view: view) != nil
        else { return nil }
        return node
    }

    /// What is known of a node under its name in a directory, pending directories included.
    func presence(
        of node: Node,
        in directory: Node,
        view: any IdentityView
    ) throws(FSError) -> Presence? {
        if let found = try tree.presence(of: node, in: directory, view: view) {
            settle(node)
            return found
        }
        return pendingPresence(of: node)
    }

    /// What is known of a node under any name.
    func presence(of node: Node, view: any IdentityView) throws(FSError) -> Presence? {
        if let found = try tree.presence(of: node, in: view) {
            settle(node)
            return found
        }
        return pendingPresence(of: node)
    }

    /// A pending directory that exists for everybody now is pending no longer.
    private func settle(_ node: Node) {
        guard Self.canBePending(node) else { return }
        state.withLock { if !$0.pending.isEmpty { $0.pending.remove(node) } }
    }

    private func pendingPresence(of node: Node) -> Presence? {
        guard Self.canBePending(node) else { return nil }
        return state.withLock { $0.pending.number(of: node) }.map {
            Presence(number: $0, modifiedAt: options.mountedAt)
        }
    }

    /// Whether `mkdir` makes such a directory in this mount alone.
    static func canBePending(_ node: Node) -> Bool {
        switch node {
        case .user, .serviceAccount, .contextSource: true
        default: false
        }
    }

    func isPending(_ node: Node, _ state: borrowing State) -> Bool {
        Self.canBePending(node) && state.pending.number(of: node) != nil
    }

    /// Why a node that a live inode stands for does not exist.
    func missing(_ node: Node, view: any IdentityView) throws(FSError) -> FSError {
        let id: String
        switch node {
        case .session(let session): id = session
        case .record(.session, let session): id = session
        default: return .stale
        }
        let isRevoked = try Tree.ask { () throws(ViewError) in try view.isRevoked(session: id) }
        return isRevoked ? .revoked : .stale
    }

    /// Counts a lookup and says how long it may be believed.
    func entry(
        _ node: Node,
        _ presence: Presence,
        in parent: UInt64,
        _ directory: Node,
        now: UInt64,
        _ state: inout State
    ) -> Entry {
        if let known = state.inodes.current(node) { supersede(known, by: presence, &state) }
        let inode = state.inodes.lookUp(node, number: presence.number, in: parent)
        let isForgettable =
            node.isVolatile || isPending(node, state)
            || isRecent(node, in: directory, now: now, state)
        let attributes = tree.attributes(of: node, presence)
        tell(inode, presence, attributes, &state)
        return Entry(
            inode: inode,
            attributes: attributes,
            entrySeconds: isForgettable ? 0 : options.cacheSeconds,
            attributeSeconds: attributeSeconds(node, now: now, state)
        )
    }

    /// How long attributes may be believed.
    ///
    /// Those of a directory also just after a change in it: every lookup below it asks for them,
    /// and an answer that crossed with a change is called back (``raced(since:inode:)``).
    func attributeSeconds(_ node: Node, now: UInt64, _ state: borrowing State) -> Double {
        let isForgettable =
            node.isVolatile || !node.isListingCacheable || isPending(node, state)
            || state.recent.isRecent(.node(node), now: now)
        return isForgettable ? 0 : options.cacheSeconds
    }

    /// Whether the name of a node in a directory changed a moment ago.
    func isRecent(
        _ node: Node,
        in directory: Node,
        now: UInt64,
        _ state: borrowing State
    ) -> Bool {
        state.recent.isRecent(.node(node), now: now)
            || state.recent.isRecent(.names(directory), now: now)
    }
}
