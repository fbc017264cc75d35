// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What only the process knows of itself and `status` shows.
package final class AdminStatus: Sendable {
    private let mountPoint = Mutex("")
    package let version: String

    /// Starts without a mount.
    package init(version: String) {
        self.version = version
    }

    /// The mounted directory; empty while there is none.
    package var mount: String {
        get { mountPoint.withLock { $0 } }
        set { mountPoint.withLock { $0 = newValue } }
    }
}
