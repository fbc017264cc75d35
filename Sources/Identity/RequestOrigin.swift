// SPDX-License-Identifier: Apache-2.0

/// Who wants a change, and which of its changes it is: said twice, it happens once (thesis
/// section 6.3).
///
/// The state remembers what became of it: the newest ``Limits/originsMin`` always, more of them for
/// ``Limits/originRetentionSeconds`` of the history's time and up to ``Limits/originsMax``. Whoever
/// asks again gives up well before: what is not remembered any more happens again.
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
