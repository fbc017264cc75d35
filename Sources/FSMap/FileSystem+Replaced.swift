// SPDX-License-Identifier: Apache-2.0

import Identity
import Synchronization

/// Another state takes the place of the one that was shown.
///
/// What lies between the two is not known, so the kernel has to forget all it has.
extension FileSystem {
    /// To be called before; from here on no answer is to be believed for long.
    package func willReplace(now: UInt64) {
        state.withLock { $0.recent.announce(nil, now: now) }
    }

    /// What must be invalidated after it; whoever has open what is gone cannot read it any more.
    ///
    /// What is not open is found out when it is next asked for. `content` goes out before anything
    /// else is answered, `names` after it.
    package func replaced(
        view: any IdentityView
    ) -> (content: [Invalidation], names: [Invalidation]) {
        let (known, open) = state.withLock { state in
            state.recent.settle()
            let known = state.inodes.known
            let open = known.map(\.inode).filter { state.inodes[$0]?.handles.isEmpty == false }
            return (known, Set(open))
        }
        var content: [Invalidation] = []
        var listings: [Invalidation] = []
        for (inode, node) in known {
            if node.session != nil {
                endSession(inode, node, view: view)
            } else if open.contains(inode) {
                endOpen(inode, node, view: view)
            }
            if node.kind == .directory {
                listings.append(.listing(directory: inode))
            } else {
                content.append(.content(inode: inode))
            }
        }
        return (content, [.everything] + listings)
    }

    /// Ends a session's file where the state does not have the session; what cannot be looked up
    /// is not shown either.
    private func endSession(_ inode: UInt64, _ node: Node, view: any IdentityView) {
        guard let (type, id) = node.session else { return }
        guard let header = try? view.header(type, id) else {
            let isRevoked = (try? view.isRevoked(session: id)) ?? true
            return state.withLock { $0.inodes.removeAll(node, isRevoked ? .revoked : .gone) }
        }
        end(inode, unlessNumbered: node.number(ofObject: header.number))
    }

    /// The same for any other file or directory; what cannot be read now is answered with that.
    private func endOpen(_ inode: UInt64, _ node: Node, view: any IdentityView) {
        if case .scratch = node { return }
        do throws(FSError) {
            end(inode, unlessNumbered: try presence(of: node, view: view)?.number)
        } catch {
            return
        }
    }

    private func end(_ inode: UInt64, unlessNumbered number: UInt64?) {
        state.withLock { state in
            guard let entry = state.inodes[inode], !entry.isUncommitted else { return }
            if let number, state.inodes.isSame(entry.number, number) { return }
            state.inodes.remove(inode, .gone)
        }
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
