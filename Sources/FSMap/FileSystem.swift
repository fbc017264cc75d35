// SPDX-License-Identifier: Apache-2.0

import Identity
import Synchronization

/// The tree as a kernel meets it: inodes, open files, and what the kernel may remember.
///
/// Source: the tree and the operations of the product, and what Linux caches of a FUSE mount.
///
/// INVARIANT: nothing is answered that was not in the view the caller gave, and no lock is held
/// while the view is asked.
/// INVARIANT: a file whose session was revoked answers ``FSError/revoked`` to everything.
package final class FileSystem: Sendable {
    package static let rootInode: UInt64 = 1

    /// What changes from call to call.
    struct State {
        var inodes = InodeTable()
        var files: [UInt64: OpenFile] = [:]
        var directories: [UInt64: OpenDirectory] = [:]
        /// How many of both each user has open.
        var openCounts: [UInt32: Int] = [:]
        var recent: RecentChanges
        var pending: PendingDirectories
        var scratch: ScratchFiles
        var brake: UnlinkBrake
        var lastErrors = LastErrors()
        var stagedBytes = 0
        var rendered: RenderedFiles
        /// Superseded inodes to which names may still lead.
        var superseded: [UInt64] = []
        private var lastHandle: UInt64 = 0

        init(_ options: FileSystemOptions) {
            recent = RecentChanges(
                recentNanoseconds: options.recentNanoseconds,
                changesMax: options.recentChangesMax
            )
            pending = PendingDirectories(countMax: options.pendingDirectoriesMax)
            scratch = ScratchFiles(options.scratch)
            brake = UnlinkBrake(options.brake)
            rendered = RenderedFiles(bytesMax: options.renderedBytesMax)
        }

        mutating func nextHandle() -> UInt64 {
            lastHandle += 1
            return lastHandle
        }
    }

    let options: FileSystemOptions
    let tree: Tree
    let state: Mutex<State>

    /// An empty mount; nothing has been looked up but the root.
    package init(owners: Owners, options: FileSystemOptions) {
        self.options = options
        tree = Tree(
            owners: owners,
            version: options.version,
            mountedAt: options.mountedAt,
            kind: options.kind
        )
        state = Mutex(State(options))
    }

    /// A moment to ask ``raced(since:inode:)`` about; taken before the state is read.
    package func mark() -> CacheMark {
        state.withLock { $0.recent.mark }
    }

    /// Finds a name in a directory; adds one lookup when it is found.
    package func lookup(
        _ name: String,
        in parent: UInt64,
        now: UInt64,
        view: any IdentityView
    ) throws(FSError) -> LookupReply {
        let directory = try onPath(parent, view: view) { () throws(FSError) in
            try self.directory(parent)
        }
        let named = try tree.resolve(name, in: directory, view: view)
        guard case .node(let node) = named else {
            if let entry = scratchEntry(name, in: parent, directory, now: now) {
                return .found(entry)
            }
            // Which id a cut name will have is not known, so nobody can be told when it appears.
            let isCut = FileName.decode(name).map { if case .cut = $0 { true } else { false } }
            let isForgettable = directory.isVolatile || isCut == true
            return .missing(seconds: isForgettable ? 0 : options.cacheSeconds)
        }
        let found = try presence(of: node, in: directory, view: view)
        if found == nil, let entry = scratchEntry(name, in: parent, directory, now: now) {
            return .found(entry)
        }
        return state.withLock { state in
            guard let found else {
                let isForgettable =
                    directory.isVolatile || node.isVolatile || isPending(directory, state)
                    || isRecent(node, in: directory, now: now, state)
                return .missing(seconds: isForgettable ? 0 : options.cacheSeconds)
            }
            return .found(entry(node, found, in: parent, directory, now: now, &state))
        }
    }

    /// What a kernel is to forget after `lookups` more lookups, so that the table stays bounded.
    package func surplus(after lookups: Int) -> Invalidation? {
        let inodes = state.withLock {
            $0.inodes.surplus(above: options.inodesMax, lookups: lookups)
        }
        return inodes.isEmpty ? nil : .unused(inodes: inodes)
    }

    /// The names that lead to inodes, for a kernel that does not let go of inodes themselves.
    package func names(of inodes: [UInt64]) -> [Invalidation] {
        state.withLock { state in
            inodes.flatMap { inode -> [Invalidation] in
                guard let entry = state.inodes[inode] else { return [] }
                let name = entry.node.name
                return entry.parents.map { .entry(parent: $0, name: name) }
            }
        }
    }

    /// How many inodes the kernel knows; 1 with nothing looked up but the root.
    package var inodeCount: Int { state.withLock { $0.inodes.count } }

    /// Takes lookups back.
    package func forget(_ inode: UInt64, lookups: UInt64) {
        state.withLock { $0.inodes.forget(inode, lookups: lookups) }
    }

    /// Takes back the lookup of a reply that could not be delivered.
    package func undoLookup(_ inode: UInt64) {
        forget(inode, lookups: 1)
    }

    /// The path of an inode below the mount, for the log; nil where it is not known.
    package func path(of inode: UInt64) -> String? {
        state.withLock { $0.inodes[inode]?.node.path }
    }

    /// What `stat` shows and how long it may be believed.
    ///
    /// A handle shows the version it was opened with. Throws ``FSError/revoked`` for a revoked
    /// session; for anything else that is gone ``FSError/stale`` where another has its name, and
    /// ``FSError/notFound`` where none has.
    package func attributes(
        of inode: UInt64,
        handle: UInt64?,
        now: UInt64,
        view: any IdentityView
    ) throws(FSError) -> (Attributes, seconds: Double) {
        do throws(FSError) {
            return try onPath(inode, view: view) { () throws(FSError) in
                try currentAttributes(of: inode, handle: handle, now: now, view: view)
            }
        } catch {
            guard let told = attributesTold(of: inode, isOpen: handle != nil) else { throw error }
            return (told, 0)
        }
    }

    private func currentAttributes(
        of inode: UInt64,
        handle: UInt64?,
        now: UInt64,
        view: any IdentityView
    ) throws(FSError) -> (Attributes, seconds: Double) {
        let entry = try entry(of: inode)
        if case .scratch(let id) = entry.node { return (try scratchAttributes(id), 0) }
        let file = handle.flatMap { handle in state.withLock { $0.files[handle] } }
        guard !entry.isUncommitted else {
            let sizes = entry.handles.map { handle in
                state.withLock { $0.files[handle]?.sizeBytes ?? 0 }
            }
            let presence = Presence(
                number: entry.number,
                modifiedAt: options.mountedAt,
                sizeBytes: file?.sizeBytes ?? sizes.max() ?? 0
            )
            return (tree.attributes(of: entry.node, presence), 0)
        }
        guard let found = try presence(of: entry.node, view: view) else {
            throw try missing(entry.node, view: view)
        }
        let isSame = state.withLock { state in
            guard state.inodes.isSame(entry.number, found.number) else { return false }
            state.inodes.update(inode) { $0.number = found.number }
            return true
        }
        guard isSame else { throw .stale }
        var attributes = tree.attributes(of: entry.node, found)
        if let file, file.stage != nil || file.snapshot?.version != found.version,
            entry.node != .allEvents
        {
            attributes.sizeBytes = file.sizeBytes
            return (attributes, 0)
        }
        return try state.withLock { state throws(FSError) in
            supersede(inode, by: found, &state)
            guard state.inodes[inode]?.removal == nil else { throw .stale }
            tell(inode, found, attributes, &state)
            return (attributes, attributeSeconds(entry.node, now: now, state))
        }
    }

    /// Where a symbolic link points.
    package func target(of inode: UInt64, view: any IdentityView) throws(FSError) -> String {
        let node = try entry(of: inode).node
        guard case .member(_, let user) = node else {
            throw .invalid("\(node.path) is not a symbolic link")
        }
        guard try presence(of: node, view: view) != nil else { throw .stale }
        return Tree.linkTarget(ofMember: user)
    }

    /// Records and their payload bytes, for `statfs`.
    package func statistics(
        view: any IdentityView
    ) throws(FSError) -> (files: UInt64, bytes: UInt64) {
        try tree.totals(in: view)
    }
}
