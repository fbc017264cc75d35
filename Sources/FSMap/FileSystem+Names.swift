// SPDX-License-Identifier: Apache-2.0

package import Identity
import Synchronization

/// Removing, making and renaming (PRODUCT section 2): which command each of them is.
extension FileSystem {
    /// The command that removes a file; nil for a scratch file, which is gone.
    ///
    /// Throws ``FSError/notPermitted`` where no command does, and ``FSError/braked`` for one
    /// session or service account too many.
    package func unlink(
        _ name: String,
        in parent: UInt64,
        caller: Caller = .root,
        now: UInt64 = 0,
        view: any IdentityView
    ) throws(FSError) -> Command.Kind? {
        let directory = try directory(parent)
        guard let node = try found(name, in: directory, view: view) else {
            guard unlinkScratch(name, in: directory) else { throw .notFound }
            return nil
        }
        switch node {
        case .session(let id):
            let user = try tree.header(.session, id, in: view)?.facts.userID ?? ""
            try brake(principal: user.isEmpty ? id : user, caller, now: now)
            return .revoke(.session(id), reason: "")
        case .serviceAccountFile(let account, .record):
            try brake(principal: account, caller, now: now)
            return .revoke(.serviceAccount(account), reason: "")
        case .record(let type, let id) where !type.hasFace:
            return .put([RecordWrite(delete: type, id: id)])
        case .contextValue:
            guard let (type, id) = node.record else { throw .notPermitted }
            return .put([RecordWrite(delete: type, id: id)])
        default: throw node.kind == .directory ? .isDirectory : .notPermitted
        }
    }

    /// Throws ``FSError/braked`` where the caller revokes what too many principals have.
    private func brake(
        principal: String,
        _ caller: Caller,
        now: UInt64
    ) throws(FSError) {
        let isAdmitted = state.withLock {
            $0.brake.admits(caller.uid, principal: principal, now: now)
        }
        guard isAdmitted else { throw .braked }
    }

    /// The command that removes a directory; nil where only this mount knew it and it is gone.
    package func removeDirectory(
        _ name: String,
        in parent: UInt64,
        view: any IdentityView
    ) throws(FSError) -> Command.Kind? {
        let (node, directory) = try existing(name, in: parent, view: view)
        guard node.kind == .directory else { throw .notDirectory }
        switch node {
        case .userSessions(let user), .serviceAccountSessions(let user):
            return .revoke(.user(user), reason: "")
        case .groupSessions(let group): return .revoke(.group(group), reason: "")
        case .group(let group): return .deleteGroup(group)
        default: break
        }
        let isReal = try tree.presence(of: node, in: directory, view: view) != nil
        guard isReal else {
            state.withLock { $0.pending.remove(node) }
            directoryRemoved(name, in: parent)
            return nil
        }
        if case .contextSource(let source) = node {
            let statistics = try Tree.ask { () throws(ViewError) in
                try view.statistics(of: .contextKeys(source: source))
            }
            // A source without values vanishes by itself.
            guard statistics?.count ?? 0 == 0 else { throw .notEmpty }
            directoryRemoved(name, in: parent)
            return nil
        }
        throw .notPermitted
    }

    /// The kernel has killed the directory's dentry: its node is a new inode from now on.
    package func directoryRemoved(_ name: String, in parent: UInt64) {
        state.withLock { state in
            guard let directory = state.inodes[parent]?.node else { return }
            let fixed = directory.fixedChildren.first { $0.name == name }
            if let fixed, let inode = state.inodes.current(fixed) {
                state.inodes.remove(inode, .gone)
                return
            }
            // A cut name does not say its id: the inode is the one that was looked up by it.
            guard case .id(let id)? = FileName.decode(name) else {
                for inode in state.inodes.children(of: parent, named: name) {
                    state.inodes.remove(inode, .gone)
                }
                return
            }
            if let node = directory.child(id), let inode = state.inodes.current(node) {
                state.inodes.remove(inode, .gone)
            }
        }
    }

    /// Makes a group for everybody, or a directory for a record to come in this mount alone.
    package func makeDirectory(
        _ name: String,
        in parent: UInt64,
        now: UInt64,
        view: any IdentityView
    ) throws(FSError) -> DirectoryStep {
        let directory = try directory(parent)
        guard Self.takesDirectories(directory) else {
            let exists = (try? existing(name, in: parent, view: view)) != nil
            throw exists ? .exists : .notPermitted
        }
        let named = try tree.resolve(name, in: directory, view: view)
        guard case .node(let node) = named else { throw Self.refusal(named, in: directory) }
        guard try presence(of: node, in: directory, view: view) == nil else { throw .exists }
        try Self.validate(node)
        if case .group(let id) = node {
            let record = Record(
                type: .directoryGroup,
                id: id,
                payload: DirectoryGroup(id: id).payload
            )
            do {
                return .commit(.put([try Document.write(record, expectedVersion: 0)]))
            } catch {
                throw FSError(error)
            }
        }
        return .done(try makePending(node, in: parent, directory, now: now))
    }

    private func makePending(
        _ node: Node,
        in parent: UInt64,
        _ directory: Node,
        now: UInt64
    ) throws(FSError) -> Entry {
        try state.withLock { state throws(FSError) in
            try state.pending.insert(node)
            guard let number = state.pending.number(of: node) else { throw .noSpace }
            let presence = Presence(number: number, modifiedAt: options.mountedAt)
            return entry(node, presence, in: parent, directory, now: now, &state)
        }
    }

    private static func takesDirectories(_ directory: Node) -> Bool {
        switch directory {
        case .groups, .users, .serviceAccounts, .context: true
        default: false
        }
    }
}
