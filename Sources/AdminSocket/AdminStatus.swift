// SPDX-License-Identifier: Apache-2.0

package import FSMap

/// What only the process knows of its mounts and `status` shows.
package struct AdminStatus: Sendable {
    package let version: String
    /// The mounts there are now, in the order of the configuration.
    package let mounts: @Sendable () -> [AdminMount]

    /// Joins what is known; `mounts` is called for every `status`.
    package init(version: String, mounts: @escaping @Sendable () -> [AdminMount]) {
        self.version = version
        self.mounts = mounts
    }
}

/// One mount as `status` shows it.
package struct AdminMount: Sendable {
    package var directory: String
    package var kind: MountKind
    /// How often the kernel asked, and how often for what a warm cache answers by itself.
    package var requests: UInt64
    package var cacheableRequests: UInt64
    package var openHandles: Int
    /// Files the kernel knows.
    package var inodes: Int

    /// Makes it from its parts.
    package init(
        directory: String,
        kind: MountKind,
        requests: UInt64,
        cacheableRequests: UInt64,
        openHandles: Int,
        inodes: Int
    ) {
        self.directory = directory
        self.kind = kind
        self.requests = requests
        self.cacheableRequests = cacheableRequests
        self.openHandles = openHandles
        self.inodes = inodes
    }
}
