// SPDX-License-Identifier: Apache-2.0

import Identity

/// What a machine says that wants to join.
struct JoinRequest: Equatable, Sendable {
    var secret: [UInt8]
    var name: String
    var address: String
    /// PEM; what its certificate is to be for.
    var publicKey: String
}

/// What a machine is told that has joined.
struct JoinGrant: Equatable, Sendable {
    var identity: ClusterIdentity
    /// PEM.
    var authority: String
    var certificate: String
    /// Who was in the group at the beginning of its log.
    var founders: [GroupMember]
    /// Who is in it now, the newcomer among them.
    var group: [GroupMember]
    var timers: GroupTimers
}

/// The timers that all members of a group should share.
package struct GroupTimers: Equatable, Sendable {
    package var electionTimeoutMilliseconds: Int
    package var heartbeatMilliseconds: Int
    package var stalenessMaxMilliseconds: Int

    /// Joins three times; the defaults are those of a new group.
    package init(
        electionTimeoutMilliseconds: Int = 300,
        heartbeatMilliseconds: Int = 50,
        stalenessMaxMilliseconds: Int = 1000
    ) {
        self.electionTimeoutMilliseconds = electionTimeoutMilliseconds
        self.heartbeatMilliseconds = heartbeatMilliseconds
        self.stalenessMaxMilliseconds = stalenessMaxMilliseconds
    }
}
