// SPDX-License-Identifier: Apache-2.0

import Identity
import Synchronization

/// Another state takes the place of the one that was shown, or nobody vouches for it any more.
///
/// What lies between the two is not known, so the kernel has to forget all it has.
extension FileSystem {
    /// To be called before; from here on no answer is to be believed for long.
    package func willReplace(now: UInt64) {
        state.withLock { $0.recent.announce(nil, now: now) }
    }

    /// What must be invalidated after it; sessions that are gone cannot be read by whoever has
    /// them open.
    ///
    /// `content` goes out before anything else is answered, `names` after it.
    package func replaced(
        view: any IdentityView
    ) -> (content: [Invalidation], names: [Invalidation]) {
        let known = state.withLock { state in
            state.recent.settle()
            return state.inodes.known
        }
        for case (_, let node) in known where node.kind == .regular {
            guard let (type, id) = node.session else { continue }
            // What cannot be looked up is not shown either.
            if (try? view.header(type, id)) != .some(nil) { continue }
            state.withLock { $0.inodes.removeAll(node, .revoked) }
        }
        var content: [Invalidation] = []
        var listings: [Invalidation] = []
        for (inode, node) in known {
            if node.kind == .directory {
                listings.append(.listing(directory: inode))
            } else {
                content.append(.content(inode: inode))
            }
        }
        return (content, [.everything] + listings)
    }
}

extension Node {
    /// The session a file shows as it is; nil for any other file.
    fileprivate var session: (RecordType, String)? {
        switch self {
        case .session(let id): (.session, id)
        case .record(.session, let id): (.session, id)
        default: nil
        }
    }
}
