// SPDX-License-Identifier: Apache-2.0

import Identity
import Synchronization

/// What playing changes again needs to know of inodes and names.
extension FileSystem {
    /// The inode the kernel knows a node by; nil where it does not know it.
    package func knownInode(of node: Node) -> UInt64? {
        state.withLock { $0.inodes.current(node) }
    }

    /// Whether the state still is what a replay would tell.
    ///
    /// Throws where it cannot be read.
    package func isCurrent(_ replay: Replay, view: any IdentityView) throws(FSError) -> Bool {
        let found = try tree.presence(of: replay.node, in: replay.directory, view: view)
        return (found == nil) == (replay.kind == .removed)
    }

    /// The removal of a name, as its unlink asks for it; nil where that is refused anyway.
    package func removal(of name: String, in parent: UInt64, view: any IdentityView) -> OwnChange? {
        guard let (node, directory) = try? existing(name, in: parent, view: view) else {
            return nil
        }
        return .removal(node, in: directory)
    }

    /// A change of a file, as a write through the kernel asks for it.
    package func writing(_ inode: UInt64) -> OwnChange? {
        state.withLock { $0.inodes[inode] }.map { .writing($0.node) }
    }

    /// A file that stands for one that is gone, for as long as its unlink is played again.
    ///
    /// Nobody but who plays is ever told of it, and nothing about it may be kept.
    package static func ghost(_ count: UInt64, of kind: FileKind) -> Entry {
        let number = ghostBase + count
        let attributes = Attributes(
            number: number,
            kind: kind,
            mode: 0o600,
            uid: 0,
            gid: 0,
            sizeBytes: 0,
            modifiedAt: .epoch
        )
        return Entry(
            inode: number,
            attributes: attributes,
            entrySeconds: 0,
            attributeSeconds: 0
        )
    }

    /// Above all inodes that a mount can ever give.
    private static let ghostBase: UInt64 = 1 << 62
}
