// SPDX-License-Identifier: Apache-2.0

import Identity
import Synchronization

/// Scratch files: what tools write before a name becomes a record's (PRODUCT section 2).
extension FileSystem {
    /// The entry of a scratch file, counted as looked up; nil where the name has none.
    func scratchEntry(
        _ name: String,
        in parent: UInt64,
        _ directory: Node,
        now: UInt64
    ) -> Entry? {
        guard ScratchName.matches(name), ScratchName.areAllowed(in: directory) else { return nil }
        return state.withLock { state in
            state.scratch.sweep(now: now)
            guard let id = state.scratch.find(name, in: directory) else { return nil }
            state.scratch.touch(id, now: now)
            return entry(ofScratch: id, in: parent, &state)
        }
    }

    /// Nothing of a scratch file is cached by name, because a rename makes its name a record's.
    private func entry(ofScratch id: UInt64, in parent: UInt64, _ state: inout State) -> Entry? {
        guard let file = state.scratch[id] else { return nil }
        let node = Node.scratch(id)
        let number = node.number(ofLocal: id)
        return Entry(
            inode: state.inodes.lookUp(node, number: number, in: parent),
            attributes: attributes(ofScratch: id, file),
            entrySeconds: 0,
            attributeSeconds: 0
        )
    }

    private func attributes(ofScratch id: UInt64, _ file: ScratchFiles.File) -> Attributes {
        let elapsed = file.modifiedAt &- options.mountedNanoseconds
        var attributes = Attributes(
            number: Node.scratch(id).number(ofLocal: id),
            kind: .regular,
            mode: file.mode,
            uid: file.owner.uid,
            gid: file.owner.gid,
            sizeBytes: UInt64(file.bytes.count),
            modifiedAt: options.mountedAt.adding(
                seconds: Int64(clamping: elapsed / 1_000_000_000),
                nanoseconds: Int32(elapsed % 1_000_000_000)
            )
        )
        attributes.links = file.name == nil ? 0 : 1
        return attributes
    }

    /// What `stat` shows of a scratch file.
    ///
    /// Throws ``FSError/stale`` once it is gone.
    func scratchAttributes(_ id: UInt64) throws(FSError) -> Attributes {
        let file = state.withLock { $0.scratch[id] }
        guard let file else { throw .stale }
        return attributes(ofScratch: id, file)
    }

    /// Creates a scratch file, or opens the one there is; adds one lookup.
    func createScratch(
        _ name: String,
        in parent: UInt64,
        _ directory: Node,
        _ request: CreateRequest
    ) throws(FSError) -> (Entry, Opened) {
        let entry = try state.withLock { state throws(FSError) in
            let known = state.scratch.find(name, in: directory)
            guard known == nil || !request.flags.contains(.exclusive) else { throw .exists }
            let id: UInt64
            if let known {
                id = known
            } else {
                id = try state.scratch.create(
                    name,
                    in: directory,
                    owner: request.caller,
                    mode: request.mode,
                    now: request.now
                )
            }
            guard let entry = self.entry(ofScratch: id, in: parent, &state) else { throw .stale }
            return entry
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

    /// Opens a scratch file; what is written is there at once.
    func openScratch(
        _ id: UInt64,
        _ inode: UInt64,
        flags: OpenFlags,
        by user: UInt32
    ) throws(FSError) -> Opened {
        guard state.withLock({ $0.scratch[id] }) != nil else { throw .stale }
        let opened = try add(inode, .scratch(id), flags, by: user, (nil, nil, nil))
        try state.withLock { state throws(FSError) in
            state.scratch.opened(id)
            if flags.contains(.truncate) { try state.scratch.resize(id, to: 0, now: 0) }
        }
        return opened
    }

    /// Writes to a scratch file; false where the handle is another file's.
    func writeScratch(
        _ handle: UInt64,
        offset: UInt64,
        bytes: [UInt8],
        now: UInt64
    ) throws(FSError) -> Bool {
        try state.withLock { state throws(FSError) in
            guard let file = state.files[handle], case .scratch(let id) = file.node else {
                return false
            }
            guard file.flags.contains(.write) else { throw .badHandle }
            let size = UInt64(state.scratch[id]?.bytes.count ?? 0)
            let start = file.flags.contains(.append) ? size : offset
            try state.scratch.write(id, bytes, at: start, now: now)
            return true
        }
    }

    /// Sets the size of a scratch file; false where the inode is another file's.
    func truncateScratch(_ inode: UInt64, to sizeBytes: UInt64) throws(FSError) -> Bool {
        try state.withLock { state throws(FSError) in
            guard case .scratch(let id)? = state.inodes[inode]?.node else { return false }
            let usedAt = state.scratch[id]?.usedAt ?? 0
            try state.scratch.resize(id, to: Int(clamping: sizeBytes), now: usedAt)
            return true
        }
    }

    /// Changes mode and owner of a scratch file; false for everything else.
    package func changeScratch(
        _ inode: UInt64,
        mode: UInt32?,
        user: UInt32?,
        group: UInt32?
    ) -> Bool {
        state.withLock { state in
            guard case .scratch(let id)? = state.inodes[inode]?.node else { return false }
            state.scratch.change(id, mode: mode, user: user, group: group)
            return true
        }
    }

    /// Removes a scratch file; false where the name has none.
    func unlinkScratch(_ name: String, in directory: Node) -> Bool {
        state.withLock { $0.scratch.unlink(name, in: directory) }
    }
}
