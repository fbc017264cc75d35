// SPDX-License-Identifier: Apache-2.0

import Identity

/// Who is in the Raft group from an entry of the log on; members by their numbers.
///
/// A restart needs it: the log may begin behind the entry that says it.
package struct GroupConfiguration: Equatable, Sendable {
    /// Where in the log it stands; 0 for what the group began with.
    package var index: UInt64
    package var voters: [UInt64]
    package var learners: [UInt64]

    /// Joins a place and the members named there.
    package init(index: UInt64, voters: [UInt64], learners: [UInt64] = []) {
        self.index = index
        self.voters = voters
        self.learners = learners
    }

    /// Reads what ``encoded()`` wrote.
    package init(decoding bytes: [UInt8]) throws(StoreError) {
        self.init(try Row.decode(Brokerfs_State_Configuration.self, bytes))
    }

    /// The bytes of an entry of the log.
    package func encoded() -> [UInt8] { Row.encode(row) }

    init(_ row: Brokerfs_State_Configuration) {
        self.init(index: row.index, voters: row.voters, learners: row.learners)
    }

    var row: Brokerfs_State_Configuration {
        var row = Brokerfs_State_Configuration()
        row.index = index
        row.voters = voters
        row.learners = learners
        return row
    }
}
