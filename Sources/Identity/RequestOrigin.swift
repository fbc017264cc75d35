// SPDX-License-Identifier: Apache-2.0

/// Who wants a change, and which of its changes it is: said twice, it happens once (thesis
/// section 6.3).
package struct RequestOrigin: Equatable, Hashable, Sendable {
    /// Drawn by chance for every run of a node.
    package var client: UInt64
    /// Ascending for each client, without gaps where nothing was given up.
    package var sequence: UInt64

    /// Joins a client and the number of its request.
    package init(client: UInt64, sequence: UInt64) {
        self.client = client
        self.sequence = sequence
    }
}
