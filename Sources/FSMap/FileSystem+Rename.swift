// SPDX-License-Identifier: Apache-2.0

package import Identity
import Synchronization

/// A scratch file that becomes a record's content, once that is committed.
package struct Renaming: Equatable, Sendable {
    let scratch: UInt64
    let parent: UInt64
    let name: String
    let node: Node

    /// What the kernel tells its watchers by itself.
    package var own: OwnChange { .writing(node) }
}

/// What a rename asks for.
package enum RenameStep: Equatable, Sendable {
    /// Done here; the kernel is to forget this after the reply.
    case done([Invalidation])
    case commit(Command.Kind, Renaming)
}

/// Renaming (PRODUCT section 2): onto a record it is an update, never a revocation.
extension FileSystem {
    /// Moves a scratch file, makes it a record's content, or copies a record to a backup name.
    ///
    /// Throws ``FSError/notPermitted`` for everything else: ids are immutable.
    package func rename(
        _ name: String,
        in parent: UInt64,
        to newName: String,
        in newParent: UInt64,
        caller: Caller = .root,
        now: UInt64 = 0,
        view: any IdentityView
    ) throws(FSError) -> RenameStep {
        let source = try directory(parent)
        let target = try directory(newParent)
        let record = try? existing(name, in: parent, view: view)
        if let record {
            return try copy(record.node, to: newName, in: newParent, target, caller, now, view)
        }
        guard let scratch = state.withLock({ $0.scratch.find(name, in: source) }) else {
            throw .notFound
        }
        let named = try tree.resolve(newName, in: target, view: view)
        if case .node(let node) = named {
            let exists = try presence(of: node, in: target, view: view) != nil
            if exists || !ScratchName.matches(newName) {
                return try complete(scratch, as: node, exists, newName, newParent, target, view)
            }
        }
        guard ScratchName.matches(newName), ScratchName.areAllowed(in: target) else {
            throw Self.refusal(named, in: target)
        }
        state.withLock { $0.scratch.move(scratch, to: newName, in: target) }
        return .done([])
    }

    private func complete(
        _ scratch: UInt64,
        as node: Node,
        _ exists: Bool,
        _ name: String,
        _ parent: UInt64,
        _ directory: Node,
        _ view: any IdentityView
    ) throws(FSError) -> RenameStep {
        guard var target = WriteTarget(node) else { throw .notPermitted }
        if !exists { try checkCreation(of: node, in: directory, &target, view: view) }
        try refuseRevoked(node, target: target, view: view)
        let bytes = state.withLock { $0.scratch[scratch]?.bytes }
        guard let bytes else { throw .notFound }
        let command = try target.command(bytes, .whole, in: view)
        return .commit(command, Renaming(scratch: scratch, parent: parent, name: name, node: node))
    }

    /// The content is committed: the scratch file's name is the record's now.
    ///
    /// The kernel has moved the scratch inode to the record's name, and counts a link less on the
    /// record's own.
    package func renamed(_ renaming: Renaming) -> [Invalidation] {
        state.withLock { state in
            if let file = state.scratch[renaming.scratch], let name = file.name {
                state.scratch.unlink(name, in: file.directory)
            }
            let inodes = state.inodes.all(renaming.node)
            return [.entry(parent: renaming.parent, name: renaming.name)]
                + inodes.map { .content(inode: $0) }
        }
    }

    /// A record keeps its name when it is moved to a backup's.
    private func copy(
        _ node: Node,
        to name: String,
        in parent: UInt64,
        _ directory: Node,
        _ caller: Caller,
        _ now: UInt64,
        _ view: any IdentityView
    ) throws(FSError) -> RenameStep {
        guard ScratchName.isBackup(name), ScratchName.areAllowed(in: directory),
            WriteTarget(node) != nil,
            let snapshot = try tree.snapshot(of: node, isNeeded: true, in: view)
        else { throw .notPermitted }
        let fileBytesMax = state.withLock { $0.scratch.limits.fileBytesMax }
        guard snapshot.sizeBytes <= fileBytesMax else { throw .tooLarge }
        let bytes = try snapshot.content.bytes()
        try state.withLock { state throws(FSError) in
            let id = try state.scratch.create(
                name,
                in: directory,
                owner: caller,
                mode: 0o600,
                now: now
            )
            try state.scratch.write(id, bytes, at: 0, now: now)
        }
        return .done([.entry(parent: parent, name: name)])
    }
}
