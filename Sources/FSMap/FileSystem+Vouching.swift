// SPDX-License-Identifier: Apache-2.0

import Identity
import Synchronization

/// What a mount shows while nobody vouches for its state: only what does not depend on it.
extension FileSystem {
    /// Whether answers about an inode depend on the state; true of one that is not known.
    package func needsVouching(_ inode: UInt64) -> Bool {
        let node = state.withLock { $0.inodes[inode]?.node }
        return node.map { !$0.isAlwaysShown } ?? true
    }

    /// The same for the answer to a lookup.
    package func needsVouching(_ name: String, in parent: UInt64) -> Bool {
        guard let directory = state.withLock({ $0.inodes[parent]?.node }) else { return true }
        guard directory == .root else { return !directory.isAlwaysShown }
        return !directory.fixedChildren.contains { $0.isAlwaysShown && $0.name == name }
    }

    /// Nobody vouches for the state any more: all that the kernel is to forget.
    ///
    /// Names go first, and with them the way to whatever is not open. None of it waits for the
    /// lock of a directory. An answer that crosses with this is called back like one that crosses
    /// with a change.
    package func forgetAll(now: UInt64) -> [Invalidation] {
        let known = state.withLock { state in
            state.recent.announce(nil, now: now)
            state.recent.settle()
            let known = state.inodes.known
            // What is open is in use now; the rest cannot be reached.
            let unused = known.filter { state.inodes[$0.inode]?.handles.isEmpty != false }
            return known.filter { state.inodes[$0.inode]?.handles.isEmpty == false } + unused
        }
        return [.everything] + known.map { $0.node.forgetting($0.inode) }
    }
}

extension Node {
    /// Whether a mount shows the node without anybody vouching for the state: an operator sees by
    /// it how the node stands.
    var isAlwaysShown: Bool {
        switch self {
        case .root, .readme, .cluster, .clusterFile, .clusterNodes, .clusterNode,
            .clusterNodeFile:
            true
        default: false
        }
    }
}
