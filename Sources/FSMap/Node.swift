// SPDX-License-Identifier: Apache-2.0

package import Identity

/// One thing the tree can show, named by what it stands for and not by its path.
///
/// A session has one node under all its names. Ids are raw, never escaped.
package enum Node: Hashable, Sendable {
    case root
    case readme
    case sessions
    case session(String)
    case users
    case user(String)
    case userFile(String, UserFile)
    case userSessions(String)
    case serviceAccounts
    case serviceAccount(String)
    case serviceAccountFile(String, ServiceAccountFile)
    case serviceAccountSessions(String)
    case groups
    case group(String)
    case groupFile(String, GroupFile)
    case groupMembers(String)
    case member(group: String, user: String)
    case groupSessions(String)
    case context
    case contextSource(String)
    case contextValue(source: String, key: String)
    case records
    case recordType(RecordType)
    case record(RecordType, String)
    case events
    case allEvents
    case cluster
    case clusterFile(ClusterFile)
    case clusterNodes
    case clusterNode(String)
    case clusterNodeFile(String, ClusterNodeFile)
}

/// The files of `users/<user>/`; raw values are file names.
package enum UserFile: String, CaseIterable, Hashable, Sendable {
    case record = "user.json"
    case email, name, groups
}

/// The files of `service-accounts/<sa>/`; raw values are file names.
package enum ServiceAccountFile: String, CaseIterable, Hashable, Sendable {
    case record = "account.json"
    case owner
    case expiresAt = "expires_at"
}

/// The files of `groups/<group>/`; raw values are file names.
package enum GroupFile: String, CaseIterable, Hashable, Sendable {
    case record = "group.json"
    case name, count, members
}

/// The files of `cluster/`; raw values are file names.
package enum ClusterFile: String, CaseIterable, Hashable, Sendable {
    case role, leader, term, writable, applied, committed
    case lag = "lag_ms"
}

/// The files of `cluster/nodes/<node>/`; raw values are file names.
package enum ClusterNodeFile: String, CaseIterable, Hashable, Sendable {
    case address, role, state, applied
}
