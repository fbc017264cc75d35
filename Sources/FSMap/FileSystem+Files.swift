// SPDX-License-Identifier: Apache-2.0

import Identity
import Synchronization

/// Opening, reading and closing files.
extension FileSystem {
    /// Opens a file; the handle keeps the content there is now, so the view is of one moment.
    ///
    /// Throws ``FSError/notPermitted`` for writing what the contract does not let be written and
    /// ``FSError/tooManyOpen`` or ``FSError/tooManyOpenByUser`` beyond the options' limits.
    package func open(
        _ inode: UInt64,
        flags: OpenFlags,
        by user: UInt32 = 0,
        view: any IdentityView
    ) throws(FSError) -> Opened {
        let entry = try entry(of: inode)
        guard entry.node.kind != .directory else { throw .isDirectory }
        guard entry.node.kind == .regular else { throw .invalid("a symbolic link is not opened") }
        if case .scratch(let id) = entry.node {
            return try openScratch(id, inode, flags: flags, by: user)
        }
        let target = try writeTarget(of: entry.node, flags: flags)
        try refuseRevoked(entry.node, target: target, view: view)
        let isNeeded = flags.contains(.read) || (target != nil && flags.isDisjoint(with: .emptying))
        let snapshot = try tree.snapshot(of: entry.node, isNeeded: isNeeded, in: view)
        guard let snapshot else { throw try missing(entry.node, view: view) }
        guard state.withLock({ $0.inodes.isSame(entry.number, snapshot.number) }) else {
            throw .stale
        }
        let stage = try target.map { target throws(FSError) in
            try self.stage(for: target, flags: flags, snapshot: snapshot)
        }
        let content = (snapshot, target, stage)
        return try add(inode, entry.node, flags, by: user, content)
    }

    /// What a handle may write; nil for one that only reads.
    private func writeTarget(of node: Node, flags: OpenFlags) throws(FSError) -> WriteTarget? {
        guard flags.contains(.write) else {
            guard !flags.contains(.truncate) else { throw .notPermitted }
            return nil
        }
        guard let target = WriteTarget(node) else { throw .notPermitted }
        // Half a document at the end of a document is never a document.
        guard target.form != .document || !flags.contains(.append) else { throw .notPermitted }
        return target
    }

    func refuseRevoked(
        _ node: Node,
        target: WriteTarget?,
        view: any IdentityView
    ) throws(FSError) {
        guard target != nil, case .session(let id) = node else { return }
        let isRevoked = try Tree.ask { () throws(ViewError) in try view.isRevoked(session: id) }
        if isRevoked { throw .revoked }
    }

    private func stage(
        for target: WriteTarget,
        flags: OpenFlags,
        snapshot: Snapshot
    ) throws(FSError) -> StagedDocument {
        let bytesMax = target.stagedBytesMax
        if flags.contains(.truncate) { return StagedDocument(emptyWithMax: bytesMax) }
        if flags.contains(.append) { return StagedDocument(appendingWithMax: bytesMax) }
        return StagedDocument(editing: try snapshot.content.bytes(), bytesMax: bytesMax)
    }

    /// Gives an open file its handle and decides what the page cache may do.
    func add(
        _ inode: UInt64,
        _ node: Node,
        _ flags: OpenFlags,
        by user: UInt32,
        _ content: (snapshot: Snapshot?, target: WriteTarget?, stage: StagedDocument?)
    ) throws(FSError) -> Opened {
        let (snapshot, target, stage) = content
        return try state.withLock { state throws(FSError) in
            guard let entry = state.inodes[inode] else { throw .stale }
            if let removal = entry.removal { throw removal.error }
            try state.countOpen(by: user, options)
            do throws(FSError) {
                try reserve(stage?.bytes.count ?? 0, &state)
            } catch {
                state.uncountOpen(by: user)
                throw error
            }
            let version = snapshot?.version
            // A reader of another version fills the pages with its own: they are not for us.
            let isShared = entry.handles.contains { handle in
                guard let other = state.files[handle], !other.isDirectIO else { return false }
                return other.snapshot?.version != version
            }
            let isDirectIO =
                node.isVolatile || target != nil || isShared || options.kind == .reveal
            let handle = state.nextHandle()
            state.inodes.update(inode) {
                $0.handles.append(handle)
                $0.latestVersion = version ?? $0.latestVersion
                if !isDirectIO { $0.cachedVersion = version }
            }
            state.files[handle] = OpenFile(
                inode: inode,
                node: node,
                user: user,
                flags: flags,
                isDirectIO: isDirectIO,
                snapshot: snapshot,
                target: target,
                stage: stage
            )
            return Opened(
                handle: handle,
                directIO: isDirectIO,
                keepCache: !isDirectIO && entry.cachedVersion == version
            )
        }
    }

    /// Counts staged bytes that are more (or fewer) than before.
    ///
    /// Throws ``FSError/noSpace``.
    func reserve(_ more: Int, _ state: inout State) throws(FSError) {
        guard more <= 0 || state.stagedBytes + more <= options.stagedBytesMax else {
            throw .noSpace
        }
        state.stagedBytes += more
    }

    /// Reads through a handle: its own staged bytes, or the content it was opened with.
    ///
    /// Throws ``FSError/revoked`` once the session is, whatever was read before.
    package func read(
        _ handle: UInt64,
        offset: UInt64,
        count: Int,
        view: any IdentityView
    ) throws(FSError) -> ArraySlice<UInt8> {
        let file = try file(handle)
        guard file.flags.contains(.read) else { throw .badHandle }
        if case .scratch(let id) = file.node {
            let bytes = state.withLock { $0.scratch[id]?.bytes } ?? []
            return Self.slice(bytes, offset: offset, count: count)
        }
        try refuseGone(file, view: view)
        if let stage = file.stage, stage.mode == .whole {
            return Self.slice(stage.bytes, offset: offset, count: count)
        }
        if file.node == .allEvents {
            let events = view.events
            let number = file.node.number(ofGeneration: events.generation)
            // The file has been started anew: whoever follows it opens it again.
            guard number == file.snapshot?.number else { return [] }
            let bytes = events.bytes(from: offset, count: count)
            let end = offset &+ UInt64(bytes.count)
            state.withLock { state in
                let before = state.files[handle]?.readThrough ?? 0
                state.files[handle]?.readThrough = max(before, end)
            }
            return bytes[...]
        }
        if case .members(let text)? = file.snapshot?.content {
            var marks = file.marks
            let bytes = try text.read(offset: offset, count: count, marks: &marks)
            state.withLock { state in
                guard marks.count > state.files[handle]?.marks.count ?? .max else { return }
                state.files[handle]?.marks = marks
            }
            return bytes[...]
        }
        if offset == 0, file.node.isClusterValue {
            // Who begins again sees what is now: no moment of it is worth keeping.
            let bytes = try tree.bytes(of: file.node, in: view)
            state.withLock { $0.files[handle]?.rendered = bytes }
            return Self.slice(bytes, offset: offset, count: count)
        }
        return Self.slice(try rendered(file, handle), offset: offset, count: count)
    }

    /// Whether a handle of `events/all.jsonl` has not read all there is, and one of a value of
    /// `cluster/` not what it is now; nil for other files.
    ///
    /// A file that was started anew is news, too: its end.
    package func hasNews(_ handle: UInt64, view: any IdentityView) -> Bool? {
        guard let file = state.withLock({ $0.files[handle] }) else { return nil }
        if file.node.isToldClusterValue {
            // What cannot be read is found out by reading.
            return (try? tree.bytes(of: file.node, in: view)) != file.rendered
        }
        guard file.node == .allEvents else { return nil }
        let events = view.events
        return file.node.number(ofGeneration: events.generation) != file.snapshot?.number
            || UInt64(events.sizeBytes) > file.readThrough
    }

    static func slice(_ bytes: [UInt8], offset: UInt64, count: Int) -> ArraySlice<UInt8> {
        guard offset < UInt64(bytes.count), count > 0 else { return [] }
        let start = Int(offset)
        return bytes[start..<min(bytes.count, start + min(count, bytes.count))]
    }

    /// The content of the snapshot, rendered once.
    private func rendered(_ file: OpenFile, _ handle: UInt64) throws(FSError) -> [UInt8] {
        if let rendered = file.rendered { return rendered }
        let bytes = try file.snapshot?.content.bytes() ?? []
        state.withLock { state in
            state.files[handle]?.rendered = bytes
            // The moment of the opening is not needed any more.
            state.files[handle]?.snapshot?.content = .bytes(bytes)
        }
        return bytes
    }

    func file(_ handle: UInt64) throws(FSError) -> OpenFile {
        guard let file = state.withLock({ $0.files[handle] }) else { throw .badHandle }
        return file
    }

    /// Throws where what the handle was opened on is gone, even where nobody has told us yet.
    private func refuseGone(_ file: OpenFile, view: any IdentityView) throws(FSError) {
        let entry = state.withLock { $0.inodes[file.inode] }
        if let removal = entry?.removal { throw removal.error }
        // What its creator has not committed is in no state. Once it is, it may have been revoked
        // in the same batch, before its inode was one that could be told.
        guard file.snapshot != nil || entry?.isUncommitted == false else { return }
        let session: String
        switch file.node {
        case .session(let id), .record(.session, let id): session = id
        default: return
        }
        let header = try Tree.ask { () throws(ViewError) in try view.header(.session, session) }
        guard header == nil else { return }
        throw try missing(file.node, view: view)
    }

    /// Closes a file; what its pages may have spoilt is to be invalidated.
    package func release(_ handle: UInt64) -> [Invalidation] {
        state.withLock { state in
            guard let file = state.files.removeValue(forKey: handle) else { return [] }
            state.stagedBytes -= file.stagedBytes
            if case .scratch(let id) = file.node { state.scratch.released(id) }
            state.uncountOpen(by: file.user)
            guard let entry = state.inodes[file.inode] else { return [] }
            state.inodes.update(file.inode) { $0.handles.removeAll { $0 == handle } }
            // The kernel believes since the open that the file is empty, whatever came of that.
            let isEmptied = file.flags.isSuperset(of: [.write, .truncate])
            func isStale(_ file: OpenFile) -> Bool {
                !file.isDirectIO && file.snapshot?.version != entry.latestVersion
            }
            guard isStale(file) else { return isEmptied ? [.content(inode: file.inode)] : [] }
            let remaining = entry.handles.compactMap { $0 == handle ? nil : state.files[$0] }
            guard !remaining.contains(where: isStale) else { return [] }
            state.inodes.update(file.inode) { $0.cachedVersion = nil }
            return [.content(inode: file.inode)]
        }
    }
}

extension OpenFlags {
    /// Flags with which a writer does not start from what is there.
    static let emptying: OpenFlags = [.truncate, .append]
}

extension Node {
    /// Whether the file shows how the node stands in the cluster.
    fileprivate var isClusterValue: Bool {
        switch self {
        case .clusterFile, .clusterNodeFile: true
        default: false
        }
    }

    /// Whether somebody may wait for its change.
    fileprivate var isToldClusterValue: Bool {
        switch self {
        case .clusterFile(let file): file.isTold
        case .clusterNodeFile(_, let file): file.isTold
        default: false
        }
    }
}
