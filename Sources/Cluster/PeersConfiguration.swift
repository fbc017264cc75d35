// SPDX-License-Identifier: Apache-2.0

package import Identity

/// What the connections of a member are started with.
package struct PeersConfiguration: Sendable {
    /// Names the group for ever; a peer of another one is refused.
    package var clusterID: String
    /// This member; its number and name stand in its certificate.
    package var member: GroupMember
    /// The members to begin with, with or without this one.
    ///
    /// They are spoken to until the group's log has come to this member.
    package var group: [GroupMember]
    /// Where to listen: `host:port`; the address in `member` is where others dial.
    package var listen: String
    package var tls: TLSFiles
    /// Holds `outgoing/` and `incoming/`, where snapshots are kept on their way.
    package var dataDirectory: String
    /// T of the Raft core: timeouts and pauses here are parts or multiples of it.
    package var electionTimeoutNanoseconds: UInt64 = 300_000_000
    package var limits = PeerLimits()

    /// The defaults for a member of a group.
    package init(
        clusterID: String,
        member: GroupMember,
        group: [GroupMember],
        listen: String,
        tls: TLSFiles,
        dataDirectory: String
    ) {
        self.clusterID = clusterID
        self.member = member
        self.group = group
        self.listen = listen
        self.tls = tls
        self.dataDirectory = dataDirectory
    }

    /// Who this member's own certificate has to say it is.
    package var identity: ClusterIdentity {
        ClusterIdentity(clusterID: clusterID, member: member.id, name: member.name)
    }
}

/// What bounds the connections of a member.
package struct PeerLimits: Sendable {
    /// One frame: the largest command or batch of the replica (4 MiB), and room around it.
    package var frameBytesMax = (4 << 20) + (256 << 10)
    /// What may wait for one peer; beyond it messages are dropped and counted.
    package var queuedMessagesMax = 4096
    package var queuedBytesMax = 16 << 20
    /// What is encoded for one peer before it is written.
    package var writeBytesMax = 1 << 20
    /// Questions to one peer without an answer, and of one connection.
    package var asksMax = 1024
    /// Connections from others; newer ones are closed at once.
    package var incomingConnectionsMax = 128
    /// Connections of one member for one purpose; the oldest goes.
    package var incomingPerMemberMax = 2
    package var eventLoopsCount = 2
    /// TLS and hello together.
    package var handshakeNanoseconds: Int64 = 3_000_000_000
    /// The first pause before a redial; doubled each time.
    package var backoffNanosecondsMin: UInt64 = 10_000_000
    /// The longest; a third of the election timeout where that is shorter.
    package var backoffNanosecondsMax: UInt64 = 100_000_000
    /// How often the files of the certificates are looked at, and what is left of snapshots.
    package var checkNanoseconds: Int64 = 5_000_000_000
    /// How long a connection that was replaced may still bring answers.
    package var drainNanoseconds: Int64 = 5_000_000_000
    package var snapshots = SnapshotLimits()

    /// The defaults.
    package init() {}
}

/// What bounds snapshots on their way.
package struct SnapshotLimits: Sendable {
    /// Bytes of a file in one frame.
    package var chunkBytes = 256 << 10
    /// Chunks that are read and not written yet, or received and not stored yet.
    package var chunksInFlightMax = 4
    /// Snapshots sent, and received, at the same time.
    package var concurrentMax = 2
    package var filesMax = 16_384
    package var bytesMax: UInt64 = 1 << 40
    /// A transfer that comes no further for so long is given up.
    package var stallNanoseconds: Int64 = 10_000_000_000
    /// How long the receiver may take to open what it has received.
    package var installNanoseconds: Int64 = 60_000_000_000
    /// How long what is left of a broken transfer is kept, to go on with it.
    package var keptNanoseconds: UInt64 = 600_000_000_000

    /// The defaults.
    package init() {}
}

/// Why the connections of a member do not start.
package enum PeersError: Error, Equatable, Sendable {
    /// A file of the certificates cannot be used.
    case certificates(path: String, reason: String)
    /// It is no `host:port`.
    case address(String)
    case listen(address: String, reason: String)
    case directory(path: String, reason: String)
    /// Cluster id or name have characters that no certificate carries.
    case name(String)
    case stopped
}

extension PeersError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .certificates(let path, let reason): "\(path): \(reason)"
        case .address(let text):
            "\(text) is no address: host:port, with brackets around an IPv6 address"
        case .listen(let address, let reason): "cannot listen on \(address): \(reason)"
        case .directory(let path, let reason): "\(path): \(reason)"
        case .name(let text):
            "\"\(text)\" names no cluster or node: 1 to 64 letters, digits, '-', '_' and '.'"
        case .stopped: "the connections to the group have been stopped"
        }
    }
}
