// SPDX-License-Identifier: Apache-2.0

import CFuse3
import Glibc
import Synchronization

/// A process that aborts a mount's connection when this process is killed.
///
/// Without it a SIGKILL at the wrong moment leaves a process that cannot end and a mount that
/// answers nobody; see the comment in the shim of CFuse3.
final class ConnectionGuard: Sendable {
    private let process: Mutex<pid_t>

    /// Nil where the connection cannot be aborted by us: fusectl is not mounted, or not ours.
    init?(deviceMinor: UInt32?) {
        guard let deviceMinor, let descriptor = MountPoint.openAbort(deviceMinor) else {
            return nil
        }
        defer { close(descriptor) }
        let started = brokerfs_start_guard(descriptor)
        guard started > 0 else { return nil }
        process = Mutex(started)
    }

    /// Ends it, because the mount ends in good order.
    ///
    /// Idempotent.
    func stop() {
        process.withLock { process in
            guard process > 0 else { return }
            kill(process, SIGKILL)
            // A child that was killed is there to be waited for; a signal may come between.
            for _ in 0..<10 where waitpid(process, nil, 0) != process { continue }
            process = 0
        }
    }
}
