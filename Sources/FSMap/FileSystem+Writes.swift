// SPDX-License-Identifier: Apache-2.0

import Identity
import Synchronization

/// Creating, writing and committing (PRODUCT section 2).
extension FileSystem {
    /// Creates a file that nobody else sees before it is committed; adds one lookup.
    ///
    /// Throws ``FSError/notPermitted`` where the contract lets nothing be created and
    /// ``FSError/revoked`` for the id of a revoked session.
    package func create(
        _ name: String,
        in parent: UInt64,
        _ request: CreateRequest
    ) throws(FSError) -> (Entry, Opened) {
        let (flags, view) = (request.flags, request.view)
        let directory = try directory(parent)
        guard try presence(of: directory, view: view) != nil else { throw .stale }
        let named = try tree.resolve(name, in: directory, view: view)
        if case .node(let node) = named,
            let found = try presence(of: node, in: directory, view: view)
        {
            return try openExisting(node, found, in: parent, directory, request)
        }
        if ScratchName.matches(name), ScratchName.areAllowed(in: directory) {
            return try createScratch(name, in: parent, directory, request)
        }
        guard case .node(let node) = named else { throw Self.refusal(named, in: directory) }
        guard var target = WriteTarget(node) else { throw .notPermitted }
        guard target.form != .document || !flags.contains(.append) else { throw .notPermitted }
        try checkCreation(of: node, in: directory, &target, view: view)
        target.isExclusive = flags.contains(.exclusive)
        let stage = StagedDocument(emptyWithMax: target.stagedBytesMax)
        let (inode, number) = state.withLock { state in
            let number = node.number(ofLocal: state.pending.nextCount())
            return (state.inodes.create(node, number: number, in: parent), number)
        }
        let opened: Opened
        do {
            opened = try add(inode, node, flags, by: request.caller.uid, (nil, target, stage))
        } catch {
            forget(inode, lookups: 1)
            throw error
        }
        let presence = Presence(number: number, modifiedAt: options.mountedAt)
        let entry = Entry(
            inode: inode,
            attributes: tree.attributes(of: node, presence),
            entrySeconds: 0,
            attributeSeconds: 0
        )
        return (entry, opened)
    }

    /// Throws where a record may not appear; says in `target` what it must be like.
    func checkCreation(
        of node: Node,
        in directory: Node,
        _ target: inout WriteTarget,
        view: any IdentityView
    ) throws(FSError) {
        guard Self.canCreate(node, in: directory) else { throw .notPermitted }
        try refuseRevoked(node, target: target, view: view)
        if case .session = node, try tree.presence(of: node, in: view) != nil {
            throw .invalid("the session belongs to somebody else")
        }
        try Self.validate(node)
        if case .userSessions(let user) = directory { target.requiredUser = user }
    }

    private func openExisting(
        _ node: Node,
        _ found: Presence,
        in parent: UInt64,
        _ directory: Node,
        _ request: CreateRequest
    ) throws(FSError) -> (Entry, Opened) {
        guard !request.flags.contains(.exclusive) else { throw .exists }
        let entry = state.withLock { state in
            self.entry(node, found, in: parent, directory, now: request.now, &state)
        }
        do {
            let opened = try open(
                entry.inode,
                flags: request.flags,
                by: request.caller.uid,
                view: request.view
            )
            return (entry, opened)
        } catch {
            forget(entry.inode, lookups: 1)
            throw error
        }
    }

    /// Why nothing of a name can be created.
    static func refusal(_ named: NamedNode, in directory: Node) -> FSError {
        let takesIDs = directory.child("x") != nil && directory != .clusterNodes
        return takesIDs ? .invalid("not the escaped form of an id") : .notPermitted
    }

    /// Where new files may appear.
    static func canCreate(_ node: Node, in directory: Node) -> Bool {
        switch (node, directory) {
        case (.session, .sessions), (.session, .userSessions): true
        case (.session, _): false
        default: true
        }
    }

    /// The id of a new node must be one that a record may have.
    static func validate(_ node: Node) throws(FSError) {
        do throws(DocumentError) {
            switch node {
            case .user(let id), .serviceAccount(let id), .group(let id):
                try RecordID.validate(id)
            case .contextSource(let source):
                try RecordID.validate(source)
                guard !source.utf8.contains(UInt8(ascii: "/")) else {
                    throw .invalidID("a context source must not contain a slash")
                }
            default:
                guard let id = node.record?.id else { return }
                try RecordID.validate(id)
                guard node.record?.type != .context || node.isContextValue(withID: id) else {
                    throw .invalidID("a context source must not contain a slash")
                }
            }
        } catch {
            throw FSError(error)
        }
    }

    /// Stages a write; asks for the commit at once where it completes the document.
    ///
    /// Throws ``FSError/invalid(_:)`` for a document that is complete and wrong, because shells
    /// do not look at what `close` says.
    package func write(
        _ handle: UInt64,
        offset: UInt64,
        bytes: [UInt8],
        now: UInt64 = 0,
        view: any IdentityView
    ) throws(FSError) -> WriteStep {
        if try writeScratch(handle, offset: offset, bytes: bytes, now: now) { return .staged }
        // Not the whole file: a second reference to what is staged would copy it with each write.
        let writer = state.withLock { state in
            state.files[handle].map { ($0.target, $0.flags, state.inodes[$0.inode]?.removal) }
        }
        guard let (target, flags, removal) = writer, let target else { throw .badHandle }
        if let removal { throw removal.error }
        // Where the end is, the handle knows: what the kernel takes for the size is the record's.
        let isAppend = flags.contains(.append)
        let staged = try changeStage(handle) { stage throws(FSError) in
            try stage.write(bytes, at: isAppend ? nil : offset)
        }
        guard let (stage, mayBeAll) = staged, mayBeAll,
            target.isComplete(stage.bytes, stage.mode)
        else { return .staged }
        return .commit(try beginCommit(handle, stage, target, view: view))
    }

    /// Commits what is staged; flush and fsync.
    ///
    /// A file that was emptied and never written is committed by its second flush: the first one
    /// is the shell closing its spare descriptor before the command has written anything, and
    /// gets ``FSError/invalid(_:)``, which shells ignore and everything else reports.
    package func flush(_ handle: UInt64, view: any IdentityView) throws(FSError) -> FlushStep {
        let file = try file(handle)
        guard let target = file.target, var stage = file.stage else { return .clean }
        switch stage.pending {
        case .nothing: return .clean
        case .document: break
        case .untouched:
            let counted = try changeStage(handle) { $0.isEmptiedForGood() }
            guard let counted, counted.1, target.form != .document else {
                throw .invalid("nothing has been written")
            }
            stage = counted.0
        }
        return .commit(try beginCommit(handle, stage, target, view: view))
    }

    /// The commit that a write, flush or truncate asked for succeeded.
    package func committed(_ handle: UInt64) {
        state.withLock { state in
            guard var file = state.files.removeValue(forKey: handle) else { return }
            let before = file.stagedBytes
            file.stage?.committed()
            file.target?.isExclusive = false
            state.stagedBytes += file.stagedBytes - before
            state.files[handle] = file
            state.inodes.commit(file.inode)
        }
    }

    /// The commit failed: what was staged is dropped, the record is as it was.
    package func commitFailed(_ handle: UInt64) {
        drop(handle)
    }

    /// Sets the size of the staged content, or, without a handle, of the file itself.
    ///
    /// Throws ``FSError/invalid(_:)`` where a descriptor that appends would cut the file in its
    /// middle.
    package func truncate(
        _ inode: UInt64,
        handle: UInt64?,
        sizeBytes: UInt64,
        view: any IdentityView
    ) throws(FSError) -> FlushStep {
        if try truncateScratch(inode, to: sizeBytes) { return .clean }
        if let handle {
            let file = try file(handle)
            guard file.target != nil else { throw .badHandle }
            // Of a file that is appended to only its size is known, which is as it is to be.
            let isUnchanged = file.stage?.mode == .append && file.sizeBytes == sizeBytes
            guard sizeBytes == 0 || !isUnchanged else { return .clean }
            _ = try changeStage(handle) { stage throws(FSError) in
                try stage.truncate(to: sizeBytes)
            }
            return .clean
        }
        let entry = try entry(of: inode)
        guard entry.node.kind == .regular else { throw .isDirectory }
        guard let target = WriteTarget(entry.node) else { throw .notPermitted }
        guard !entry.isUncommitted else { throw .busy }
        guard let snapshot = try tree.snapshot(of: entry.node, isNeeded: true, in: view) else {
            throw try missing(entry.node, view: view)
        }
        var stage = StagedDocument(
            editing: try snapshot.content.bytes(),
            bytesMax: target.stagedBytesMax
        )
        guard UInt64(stage.bytes.count) != sizeBytes else { return .clean }
        try stage.truncate(to: sizeBytes)
        return .commit(try target.command(stage.bytes, .whole, in: view))
    }

    /// Makes the command; what can never become one is dropped.
    private func beginCommit(
        _ handle: UInt64,
        _ stage: StagedDocument,
        _ target: WriteTarget,
        view: any IdentityView
    ) throws(FSError) -> Command.Kind {
        do {
            let command = try target.command(stage.bytes, stage.mode, in: view)
            _ = try changeStage(handle) { $0.beginCommit() }
            return command
        } catch {
            // A document that has only begun may still be finished through another descriptor.
            let isFinal = target.form != .document || JSONShape.isComplete(stage.bytes)
            if isFinal { drop(handle) }
            throw error
        }
    }

    private func drop(_ handle: UInt64) {
        state.withLock { state in
            guard var file = state.files.removeValue(forKey: handle) else { return }
            state.stagedBytes -= file.stagedBytes
            file.stage?.drop()
            state.files[handle] = file
        }
    }

    /// Changes the stage of a handle within the limit of all open files.
    private func changeStage<Result: Sendable>(
        _ handle: UInt64,
        _ change: (inout StagedDocument) throws(FSError) -> Result
    ) throws(FSError) -> (StagedDocument, Result)? {
        try state.withLock { state throws(FSError) in
            guard var file = state.files[handle], var stage = file.stage else { return nil }
            // The file gives its stage away, so that a write does not copy what is staged.
            file.stage = nil
            state.files[handle] = file
            let before = stage.bytes.count
            defer {
                file.stage = stage
                state.files[handle] = file
            }
            do throws(FSError) {
                let result = try change(&stage)
                try reserve(stage.bytes.count - before, &state)
                return (stage, result)
            } catch {
                // Half of what somebody wanted to write is never committed.
                stage.drop()
                state.stagedBytes -= before
                throw error
            }
        }
    }
}
