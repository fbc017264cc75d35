// SPDX-License-Identifier: Apache-2.0

import Identity
import Synchronization

/// Listing directories.
extension FileSystem {
    /// Opens a directory.
    ///
    /// The sessions of a group are collected here; all else is read as it is when it is listed.
    package func openDirectory(
        _ inode: UInt64,
        by user: UInt32 = 0,
        view: any IdentityView
    ) throws(FSError) -> Opened {
        let node = try onPath(inode, view: view) { () throws(FSError) in try directory(inode) }
        guard let found = try presence(of: node, view: view) else { throw .notFound }
        var open = OpenDirectory(inode: inode, node: node, user: user)
        if case .groupSessions(let group) = node {
            open.collected = try tree.sessions(ofGroup: group, in: view)
        }
        return try state.withLock { state throws(FSError) in
            guard let entry = state.inodes[inode] else { throw .stale }
            guard state.inodes.isSame(entry.number, found.number) else { throw .stale }
            try state.countOpen(by: user, options)
            let handle = state.nextHandle()
            state.directories[handle] = open
            state.inodes.update(inode) { $0.handles.append(handle) }
            let keepCache = node.isListingCacheable && !isPending(node, state)
            return Opened(handle: handle, directIO: false, keepCache: keepCache)
        }
    }

    /// Lists a directory from the cookie `offset` (0: from the start) until `body` says it is full.
    package func readDirectory(
        _ inode: UInt64,
        handle: UInt64,
        after offset: UInt64,
        view: any IdentityView,
        _ body: (DirectoryEntry) -> Bool
    ) throws(FSError) {
        try list(inode, handle, after: offset, view: view) { entry, _, _ throws(FSError) in
            body(entry)
        }
    }

    /// Lists a directory with attributes; counts one lookup for each entry that `body` accepts,
    /// except for `.` and `..`, which come without an entry.
    package func readDirectoryPlus(
        _ inode: UInt64,
        handle: UInt64,
        after offset: UInt64,
        now: UInt64,
        view: any IdentityView,
        _ body: (DirectoryEntry, Entry?) -> Bool
    ) throws(FSError) {
        let directory = try openDirectory(inode)
        try list(inode, handle, after: offset, view: view) { listed, node, known throws(FSError) in
            guard let node else { return body(listed, nil) }
            var found = known
            if found == nil { found = try presence(of: node, in: directory, view: view) }
            guard let found else { return true }
            let entry = state.withLock { state in
                self.entry(node, found, in: inode, directory, now: now, &state)
            }
            let isTaken = body(listed, entry)
            if !isTaken { undoLookup(entry.inode) }
            return isTaken
        }
    }

    /// Closes a directory.
    package func releaseDirectory(_ handle: UInt64) {
        state.withLock { state in
            guard let open = state.directories.removeValue(forKey: handle) else { return }
            state.uncountOpen(by: open.user)
            state.inodes.update(open.inode) { $0.handles.removeAll { $0 == handle } }
        }
    }

    /// The node of a directory that somebody has open; ENOENT where it is gone, as readdir(3) says.
    private func openDirectory(_ inode: UInt64) throws(FSError) -> Node {
        do {
            return try directory(inode)
        } catch .stale {
            throw .notFound
        }
    }

    private typealias Body = (DirectoryEntry, Node?, Presence?) throws(FSError) -> Bool

    private func list(
        _ inode: UInt64,
        _ handle: UInt64,
        after offset: UInt64,
        view: any IdentityView,
        _ body: Body
    ) throws(FSError) {
        guard let open = state.withLock({ $0.directories[handle] }), open.inode == inode else {
            throw .badHandle
        }
        let node = try openDirectory(inode)
        guard let own = try presence(of: node, view: view) else { throw .notFound }
        if offset < 1 {
            let dot = DirectoryEntry(name: ".", number: own.number, kind: .directory, offset: 1)
            guard try body(dot, nil, nil) else { return }
        }
        if offset < 2 {
            let number = try presence(of: node.parent, view: view)?.number ?? own.number
            let dots = DirectoryEntry(name: "..", number: number, kind: .directory, offset: 2)
            guard try body(dots, nil, nil) else { return }
        }
        for entry in try tree.fixedEntries(of: node, after: offset, view: view) {
            guard try give(entry.node, entry.presence.number, entry.offset, entry.presence, body)
            else { return }
        }
        if let collected = open.collected {
            try listCollected(collected, of: node, after: offset, view: view, body)
        } else {
            try listObjects(of: node, after: offset, view: view, body)
        }
    }

    private func give(
        _ node: Node,
        _ number: UInt64,
        _ offset: UInt64,
        _ presence: Presence?,
        _ body: Body
    ) throws(FSError) -> Bool {
        let entry = DirectoryEntry(
            name: node.name,
            number: number,
            kind: node.kind,
            offset: offset
        )
        return try body(entry, node, presence)
    }

    private func listObjects(
        of directory: Node,
        after offset: UInt64,
        view: any IdentityView,
        _ body: Body
    ) throws(FSError) {
        var last = offset
        while true {
            let page = try tree.listedEntries(of: directory, after: last, view: view)
            for listed in page {
                last = listed.number + Tree.objectCookie
                guard let node = directory.child(listed.id) else { continue }
                let number = node.number(ofObject: listed.number)
                guard try give(node, number, last, nil, body) else { return }
            }
            guard page.count == Tree.pageEntries else { break }
        }
        let pending = state.withLock { $0.pending.entries(in: directory, after: offset) }
        for entry in pending {
            guard try tree.presence(of: entry.node, in: view) == nil,
                let found = try presence(of: entry.node, view: view)
            else { continue }
            guard try give(entry.node, found.number, entry.offset, found, body) else { return }
        }
    }

    private func listCollected(
        _ collected: [CollectionEntry],
        of directory: Node,
        after offset: UInt64,
        view: any IdentityView,
        _ body: Body
    ) throws(FSError) {
        var low = 0
        var high = collected.count
        while low < high {
            let middle = (low + high) / 2
            if collected[middle].number + Tree.objectCookie <= offset {
                low = middle + 1
            } else {
                high = middle
            }
        }
        for listed in collected[low...] {
            let node = Node.session(listed.id)
            guard let found = try tree.presence(of: node, in: directory, view: view) else {
                continue
            }
            let cookie = listed.number + Tree.objectCookie
            guard try give(node, found.number, cookie, found, body) else { return }
        }
    }
}
