// SPDX-License-Identifier: Apache-2.0

import Identity
import Synchronization

/// Extended attributes: the metadata of records, and why a change was refused.
extension FileSystem {
    private static let lastErrorName = "user.brokerfs.last_error"

    /// The value of an extended attribute, without a line feed.
    package func extendedAttribute(
        _ name: String,
        of inode: UInt64,
        caller uid: UInt32,
        view: any IdentityView
    ) throws(FSError) -> [UInt8] {
        let node = try entry(of: inode).node
        guard !Metadata.isForeign(name) else { throw .unsupported }
        if name == Self.lastErrorName {
            guard let reason = lastError(uid, in: node) else { throw .noAttribute }
            return Array(reason.utf8)
        }
        guard let key = Metadata(name: name) else { throw .noAttribute }
        let value = try tree.metadata(of: node, in: view).first { $0.key == key }?.value
        guard let value else { throw .noAttribute }
        return Array(value.utf8)
    }

    /// The names of the extended attributes.
    package func extendedAttributes(
        of inode: UInt64,
        caller uid: UInt32,
        view: any IdentityView
    ) throws(FSError) -> [String] {
        let node = try entry(of: inode).node
        let names = try tree.metadata(of: node, in: view).map(\.key.name)
        return names + (lastError(uid, in: node) == nil ? [] : [Self.lastErrorName])
    }

    private func lastError(_ uid: UInt32, in node: Node) -> String? {
        state.withLock { $0.lastErrors.reason(for: uid, in: node) }
    }

    /// Keeps the reason of a refused change for whoever wanted it, in the directory of the name.
    package func noteRefusal(_ reason: String, to uid: UInt32, in directory: UInt64) {
        state.withLock { state in
            guard let node = state.inodes[directory]?.node else { return }
            state.lastErrors.note(reason, for: uid, in: node)
        }
    }

    /// The same for a change of a file: in every directory where it was looked up.
    package func noteRefusal(_ reason: String, to uid: UInt32, of inode: UInt64) {
        state.withLock { state in
            for parent in state.inodes[inode]?.parents ?? [] {
                guard let node = state.inodes[parent]?.node else { continue }
                state.lastErrors.note(reason, for: uid, in: node)
            }
        }
    }
}
