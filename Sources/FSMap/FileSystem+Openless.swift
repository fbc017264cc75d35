// SPDX-License-Identifier: Apache-2.0

import Identity
import Synchronization

/// Reading files that were never opened (``MountKind/isOpenless``).
///
/// Without handles the kernel takes the size from one answer and the pages from another. If an
/// inode's content changed between them, a reader would see the new content cut at the old size,
/// in the middle of a name if need be. So it does not change: new content is a new inode.
///
/// The old one is *superseded*. Who has it open goes on reading what it was, as far as that is
/// known; who comes by its name is answered ``FSError/stale``, upon which the kernel looks the
/// name up again by itself.
///
/// INVARIANT: pages are of the version whose size the kernel was told, or the read fails.
/// INVARIANT: only `events/all.jsonl` changes in place: it grows by whole lines.
extension FileSystem {
    /// Reads by inode; `before` gives the states that were current until a moment ago, newest
    /// first.
    ///
    /// Every view must be one moment. Throws ``FSError/stale`` for pages that were never read of
    /// a version that is gone.
    package func read(
        inode: UInt64,
        offset: UInt64,
        count: Int,
        view: any IdentityView,
        before: () -> [any IdentityView]
    ) throws(FSError) -> ArraySlice<UInt8> {
        guard let entry = state.withLock({ $0.inodes[inode] }) else { throw .stale }
        if let removal = entry.removal, removal != .superseded { throw removal.error }
        guard entry.node.kind == .regular else { throw .isDirectory }
        guard let told = entry.told else { throw .stale }
        if let bytes = told.bytes { return Self.slice(bytes, offset: offset, count: count) }
        if entry.node == .allEvents {
            let events = view.events
            // The file has been started anew: whoever follows it opens it again.
            guard events.generation == told.version.first else { return [] }
            return events.bytes(from: offset, count: count)[...]
        }
        let bytes = try content(of: entry, inode, told.version, view: view, before: before)
        if offset > 0 || count < bytes.count {
            state.withLock { $0.rendered.keep(bytes, of: inode, told.version) }
        }
        return Self.slice(bytes, offset: offset, count: count)
    }

    private func content(
        of entry: InodeTable.Inode,
        _ inode: UInt64,
        _ version: ContentVersion,
        view: any IdentityView,
        before: () -> [any IdentityView]
    ) throws(FSError) -> [UInt8] {
        guard let now = try tree.presence(of: entry.node, in: view) else {
            throw try missing(entry.node, view: view)
        }
        guard state.withLock({ $0.inodes.isSame(entry.number, now.number) }) else { throw .stale }
        if let known = state.withLock({ $0.rendered.bytes(of: inode, version) }) { return known }
        for view in now.version == version ? [view] : before() {
            guard let snapshot = try tree.snapshot(of: entry.node, isNeeded: true, in: view),
                snapshot.version == version
            else { continue }
            return try snapshot.content.bytes()
        }
        throw .stale
    }

    /// What the kernel was told of a superseded file, for whoever has it open; nil where who asks
    /// may come by a name.
    func attributesTold(of inode: UInt64, isOpen: Bool) -> Attributes? {
        guard options.kind.isOpenless else { return nil }
        return state.withLock { state in
            guard let entry = state.inodes[inode], entry.removal == .superseded,
                isOpen || entry.parents.isEmpty
            else { return nil }
            return entry.told?.attributes
        }
    }

    /// The kernel has forgotten something; no name leads to a superseded inode any more.
    package func forgot(_ invalidation: Invalidation) {
        guard options.kind.isOpenless else { return }
        state.withLock { state in
            state.superseded.removeAll { inode in
                guard let entry = state.inodes[inode] else { return true }
                let parents = entry.parents.filter { parent in
                    switch invalidation {
                    case .everything: false
                    case .entry(parent, entry.node.name): false
                    default: true
                    }
                }
                state.inodes.update(inode) { $0.parents = parents }
                return parents.isEmpty
            }
        }
    }

    /// Supersedes an inode whose content is not any more what the kernel was told.
    func supersede(_ inode: UInt64, by presence: Presence, _ state: inout State) {
        guard options.kind.isOpenless, let entry = state.inodes[inode], entry.removal == nil,
            let told = entry.told, entry.node != .allEvents,
            told.version != presence.version || told.bytes != presence.bytes
        else { return }
        state.inodes.remove(inode, .superseded)
        guard entry.node.isVolatile else { return state.superseded.append(inode) }
        // Its names are looked up whenever they are used.
        state.inodes.update(inode) { $0.parents = [] }
    }

    /// Notes what the kernel is told of a file.
    func tell(
        _ inode: UInt64,
        _ presence: Presence,
        _ attributes: Attributes,
        _ state: inout State
    ) {
        guard options.kind.isOpenless, attributes.kind == .regular else { return }
        let told = ToldContent(
            version: presence.version,
            bytes: presence.bytes,
            attributes: attributes
        )
        state.inodes.update(inode) { $0.told = told }
    }
}

/// A file as the kernel was told of it.
///
/// An object, so that the inodes of other kinds of mounts have no room for it.
final class ToldContent: Sendable {
    let version: ContentVersion
    /// The content itself, where nothing keeps it.
    let bytes: [UInt8]?
    let attributes: Attributes

    init(version: ContentVersion, bytes: [UInt8]?, attributes: Attributes) {
        self.version = version
        self.bytes = bytes
        self.attributes = attributes
    }
}

/// Files that are read in several pieces, the newest last.
///
/// INVARIANT: at most `bytesMax` bytes, or one file.
struct RenderedFiles {
    private var files: [(inode: UInt64, version: ContentVersion, bytes: [UInt8])] = []
    private var sizeBytes = 0
    private let bytesMax: Int

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    func bytes(of inode: UInt64, _ version: ContentVersion) -> [UInt8]? {
        files.last { $0.inode == inode && $0.version == version }?.bytes
    }

    mutating func keep(_ bytes: [UInt8], of inode: UInt64, _ version: ContentVersion) {
        guard self.bytes(of: inode, version) == nil else { return }
        files.append((inode, version, bytes))
        sizeBytes += bytes.count
        while sizeBytes > bytesMax, files.count > 1 {
            sizeBytes -= files.removeFirst().bytes.count
        }
    }
}
