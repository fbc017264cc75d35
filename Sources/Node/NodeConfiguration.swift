// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Identity
package import Log
package import Raft
package import Replica
package import Store

/// What a node is started with.
package struct NodeConfiguration: Sendable {
    /// Holds the log, the state, the lock and the socket; mode 0700.
    package var dataDirectory: String
    /// Shown as `cluster/nodes/<name>`.
    package var name: String
    /// This node's number in the group, for ever.
    package var member = MemberID(1)
    /// Who founded the group, this node included where it did; empty: a node on its own.
    ///
    /// Only a new directory takes it; afterwards the state says who is in the group.
    package var founders: [GroupMember] = []
    /// Names the group among all others; empty for a node on its own.
    package var clusterID = ""
    /// How old what a mount shows may be in a group, before it refuses to (G2).
    package var stalenessMaxNanoseconds: UInt64 = 1_000_000_000
    package var raft = Options()
    package var store = RocksOptions()
    package var log = LogLimits()
    package var replica = ReplicaLimits()
    /// Below this much free space only revocations are accepted, bytes.
    package var diskReserveBytes: UInt64 = 64 << 20
    /// How often the free space is looked at.
    package var spaceCheckNanoseconds: UInt64 = 50_000_000
    /// The state is flushed, and the log behind it dropped, after this many bytes of commands.
    package var flushBytes = 32 << 20
    /// Retained bytes of `events/all.jsonl`; beyond it the older half goes.
    package var eventBytesMax = Limits.eventBytesMax

    /// Whether the node has others beside it, or may get some.
    package var isInGroup: Bool { !clusterID.isEmpty }

    /// The voters that a new directory begins with.
    var foundingVoters: [MemberID] {
        founders.isEmpty ? [member] : founders.map { MemberID($0.id) }
    }

    /// The defaults for a directory.
    package init(dataDirectory: String, name: String) {
        self.dataDirectory = dataDirectory
        self.name = name
    }
}

/// Why a node does not start.
package enum NodeError: Error, Sendable {
    /// Another process serves this directory.
    case locked(directory: String)
    case directory(path: String, errno: Int32)
    case store(StoreError)
    case recovery(RecoveryError)
    /// The node failed before it had caught up with its log.
    case notReady(reason: String)
}

extension NodeError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .locked(let directory):
            "\(directory) is in use by another brokerfs process; a data directory has one node"
        case .directory(let path, let errno): "\(path): \(String(cString: strerror(errno)))"
        case .recovery(.log(.corrupt(let path, let offset, let reason))):
            """
            the log is damaged: \(path) at byte \(offset): \(reason). The node does not start, \
            because what it would forget was acknowledged. Keep the directory, and restore it \
            from another node or a backup
            """
        case .recovery(.log(let error)): "the log cannot be opened: \(error)"
        case .store(.corrupt(let path, let reason)):
            """
            the state is damaged: \(path): \(reason). Keep the directory, and restore it from \
            another node or a backup
            """
        case .store(let error): "the state cannot be opened: \(error)"
        case .recovery(.gap(let applied, let first, let last)):
            """
            the state ends at entry \(applied), but the log holds entries \(first) to \(last): \
            acknowledged entries are missing. Restore the directory from another node or a backup
            """
        case .recovery(.wrongMember(let found, let expected)):
            """
            the directory is that of member \(found) of the group, and this node is member \
            \(expected); a member keeps its directory and its number
            """
        case .recovery(.doubted):
            """
            the disk has lost what this member had acknowledged, its vote perhaps included: a \
            leader has shown it. Remove the member from the group, and let this machine join \
            anew with an empty directory
            """
        case .recovery(let error): "recovery failed: \(error)"
        case .notReady(let reason): "the node stopped while it caught up with its log: \(reason)"
        }
    }
}
