// SPDX-License-Identifier: Apache-2.0

import Foundation
import Identity
import SwiftProtobuf

/// A join and its answer, as frames; Protos/brokerfs/peer.proto.
extension Brokerfs_Peer_Join {
    init(_ request: JoinRequest) {
        self = .with {
            $0.versionMin = Handshake.versions.lowerBound
            $0.versionMax = Handshake.versions.upperBound
            $0.secret = .init(request.secret)
            $0.name = request.name
            $0.address = request.address
            $0.publicKey = request.publicKey
        }
    }
}

extension JoinRequest {
    /// Reads what anybody may have sent; ``Admission`` looks at what it says.
    init(_ message: Brokerfs_Peer_Join) throws(PeerRefusal) {
        let versions = Handshake.versions
        guard message.versionMax >= versions.lowerBound, message.versionMin <= versions.upperBound
        else {
            throw PeerRefusal(
                .version,
                "this speaks versions \(versions.lowerBound) to \(versions.upperBound)"
            )
        }
        self.init(
            secret: Array(message.secret),
            name: message.name,
            address: message.address,
            publicKey: message.publicKey
        )
    }
}

extension Brokerfs_Peer_Joined {
    init(_ grant: JoinGrant) {
        self = .with {
            $0.version = Handshake.versions.upperBound
            $0.clusterID = grant.identity.clusterID
            $0.memberID = grant.identity.member
            $0.authority = grant.authority
            $0.certificate = grant.certificate
            $0.founders = grant.founders.map { Brokerfs_Peer_Member($0) }
            $0.group = grant.group.map { Brokerfs_Peer_Member($0) }
            $0.timers.electionTimeoutMs = UInt32(grant.timers.electionTimeoutMilliseconds)
            $0.timers.heartbeatMs = UInt32(grant.timers.heartbeatMilliseconds)
            $0.timers.maxStalenessMs = UInt32(grant.timers.stalenessMaxMilliseconds)
        }
    }
}

extension JoinGrant {
    /// Reads the answer to the request of `name`.
    init(_ message: Brokerfs_Peer_Joined, name: String) throws(PeerCodingError) {
        let identity = ClusterIdentity(
            clusterID: message.clusterID,
            member: try PeerBounds.member(message.memberID),
            name: name
        )
        guard ClusterIdentity(uri: identity.uri) == identity else { throw .malformed("cluster id") }
        self.init(
            identity: identity,
            authority: message.authority,
            certificate: message.certificate,
            founders: try Self.members(message.founders),
            group: try Self.members(message.group),
            timers: GroupTimers(
                electionTimeoutMilliseconds: Int(message.timers.electionTimeoutMs),
                heartbeatMilliseconds: Int(message.timers.heartbeatMs),
                stalenessMaxMilliseconds: Int(message.timers.maxStalenessMs)
            )
        )
    }

    private static func members(
        _ messages: [Brokerfs_Peer_Member]
    ) throws(PeerCodingError) -> [GroupMember] {
        guard (1...PeerBounds.membersMax).contains(messages.count) else {
            throw .outOfBounds("members")
        }
        return try messages.map { (message) throws(PeerCodingError) in
            _ = try PeerBounds.member(message.id)
            return try GroupMember(message)
        }
    }
}

extension Brokerfs_Peer_Member {
    init(_ member: GroupMember) {
        self = .with {
            $0.id = member.id
            $0.name = member.name
            $0.address = member.address
        }
    }
}

extension GroupMember {
    /// Reads a member; its number may be 0, for the next free one.
    init(_ message: Brokerfs_Peer_Member) throws(PeerCodingError) {
        guard ClusterIdentity.isName(message.name) else { throw .malformed("name") }
        guard message.address.utf8.count <= PeerBounds.addressBytesMax,
            PeerAddress(message.address) != nil
        else { throw .malformed("address") }
        self.init(
            id: try PeerBounds.count(message.id, "member"),
            name: message.name,
            address: message.address
        )
    }
}
