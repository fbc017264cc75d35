// SPDX-License-Identifier: Apache-2.0

/// What only the process knows of its mount and `status` shows.
package struct AdminStatus: Sendable {
    package let version: String
    /// The mounted directory.
    package let mount: String
    /// How often the kernel asked, and how often for what a warm cache answers by itself.
    package let requests: @Sendable () -> (all: UInt64, cacheable: UInt64)

    /// Joins what is known; `requests` is called for every `status`.
    package init(
        version: String,
        mount: String,
        requests: @escaping @Sendable () -> (all: UInt64, cacheable: UInt64)
    ) {
        self.version = version
        self.mount = mount
        self.requests = requests
    }
}
