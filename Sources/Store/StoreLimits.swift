// SPDX-License-Identifier: Apache-2.0

import Identity

/// What bounds the state; the same on every member, because it decides what a command does.
package struct StoreLimits: Sendable {
    /// Sessions that one step of a revocation takes.
    package var revokedTogetherMax: Int
    /// How long outcomes are remembered by their origins, and how many of them.
    package var originRetentionSeconds = Limits.originRetentionSeconds
    package var originsMin = Limits.originsMin
    package var originsMax = Limits.originsMax
    /// How long receipts of revocations are kept, and how many of them.
    package var revocationRetentionSeconds = Limits.revocationRetentionSeconds
    package var revocationsMax = Limits.revocationsMax

    /// The defaults, but for what a test has to reach.
    package init(revokedTogetherMax: Int = Limits.revokedTogetherMax) {
        self.revokedTogetherMax = revokedTogetherMax
    }
}
