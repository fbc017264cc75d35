// SPDX-License-Identifier: Apache-2.0

import Identity
import Synchronization

/// What a mount has to know that takes no changes, or not all.
extension FileSystem {
    /// Whether removing a name revokes something: a session, a principal's or a group's sessions,
    /// or a service account.
    package func isRevocation(
        ofName name: String,
        in parent: UInt64,
        view: any IdentityView
    ) -> Bool {
        // A name that is not there, or cannot be found out about, revokes nothing.
        guard let (node, _) = try? existing(name, in: parent, view: view) else { return false }
        return switch node {
        case .session, .userSessions, .serviceAccountSessions, .groupSessions,
            .serviceAccountFile(_, .record):
            true
        default: false
        }
    }

    /// Drops what a handle has staged; whether there was anything to commit.
    package func dropStaged(_ handle: UInt64) -> Bool {
        let pending = state.withLock { $0.files[handle]?.stage?.pending } ?? .nothing
        guard pending != .nothing else { return false }
        commitFailed(handle)
        return true
    }
}
