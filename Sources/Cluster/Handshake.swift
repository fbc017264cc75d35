// SPDX-License-Identifier: Apache-2.0

import Identity
import SwiftProtobuf

/// Why a peer is not spoken to.
package struct PeerRefusal: Error, Equatable, Sendable {
    /// What is wrong, as far as programs are concerned; Protos/brokerfs/peer.proto.
    package enum Reason: CaseIterable, Sendable {
        case version, cluster, unknownMember, wrongNode, certificate, sameMember, incarnation
        case history, purpose, busy
        /// Of a join.
        case token, newcomer
        /// A reason of a version to come.
        case unknown
    }

    package var reason: Reason
    /// The same for people.
    package var text: String

    /// Joins a reason and its words.
    package init(_ reason: Reason, _ text: String) {
        self.reason = reason
        self.text = text
    }
}

/// What a connection is for.
enum PeerPurpose: Equatable, Sendable {
    case consensus, snapshot

    init?(_ purpose: Brokerfs_Peer_Purpose) {
        switch purpose {
        case .consensus: self = .consensus
        case .snapshot: self = .snapshot
        case .unspecified, .UNRECOGNIZED: return nil
        }
    }

    var message: Brokerfs_Peer_Purpose {
        switch self {
        case .consensus: .consensus
        case .snapshot: .snapshot
        }
    }
}

/// Who may speak to this member, decided from what both sides say and their certificates prove.
struct Handshake: Sendable {
    /// The versions of the protocol that this program speaks.
    static let versions: ClosedRange<UInt32> = 1...1

    /// This member.
    var own: ClusterIdentity
    var incarnation: UInt64
    var history: UInt64

    func hello(to member: UInt64, purpose: PeerPurpose) -> Brokerfs_Peer_Hello {
        .with {
            $0.versionMin = Self.versions.lowerBound
            $0.versionMax = Self.versions.upperBound
            $0.clusterID = own.clusterID
            $0.memberID = own.member
            $0.toMemberID = member
            $0.incarnation = incarnation
            $0.serverVersion = history
            $0.purpose = purpose.message
        }
    }

    func welcome(version: UInt32) -> Brokerfs_Peer_Welcome {
        .with {
            $0.version = version
            $0.memberID = own.member
            $0.incarnation = incarnation
            $0.serverVersion = history
        }
    }

    /// What may be said before anything was: whose certificate it is.
    func check(certificate: ClusterIdentity?, of member: GroupMember) throws(PeerRefusal) {
        guard let certificate else {
            throw PeerRefusal(.certificate, "its certificate names no member of a cluster")
        }
        guard certificate.clusterID == own.clusterID else {
            throw PeerRefusal(
                .cluster,
                "its certificate is of cluster \(certificate.clusterID), not \(own.clusterID)"
            )
        }
        guard certificate.member == member.id, certificate.name == member.name else {
            throw PeerRefusal(
                .wrongNode,
                """
                at \(member.address) is \(certificate.name) (\(certificate.member)), \
                not \(member.name) (\(member.id))
                """
            )
        }
    }

    /// Who said hello, what for, and the version to speak.
    func judge(
        _ hello: Brokerfs_Peer_Hello,
        certificate: ClusterIdentity?,
        members: [GroupMember]
    ) throws(PeerRefusal) -> (member: GroupMember, purpose: PeerPurpose, version: UInt32) {
        guard let certificate else {
            throw PeerRefusal(.certificate, "the certificate names no member of a cluster")
        }
        guard certificate.clusterID == own.clusterID, hello.clusterID == own.clusterID else {
            throw PeerRefusal(.cluster, "this is cluster \(own.clusterID)")
        }
        guard hello.memberID == certificate.member else {
            throw PeerRefusal(
                .certificate,
                "the hello is of member \(hello.memberID), the certificate of another"
            )
        }
        guard certificate.member != own.member else {
            throw PeerRefusal(.sameMember, "this is member \(own.member) itself")
        }
        guard hello.toMemberID == own.member else {
            throw PeerRefusal(
                .wrongNode,
                "this is \(own.name) (\(own.member)), not member \(hello.toMemberID)"
            )
        }
        let version = min(hello.versionMax, Self.versions.upperBound)
        guard version >= max(hello.versionMin, Self.versions.lowerBound) else {
            throw PeerRefusal(
                .version,
                """
                this speaks versions \(Self.versions.lowerBound) to \
                \(Self.versions.upperBound) of the protocol
                """
            )
        }
        guard
            let member = members.first(where: { member in
                member.id == certificate.member && member.name == certificate.name
            })
        else {
            throw PeerRefusal(
                .unknownMember,
                "\(certificate.name) (\(certificate.member)) is not in the group"
            )
        }
        try check(history: hello.serverVersion)
        guard let purpose = PeerPurpose(hello.purpose) else {
            throw PeerRefusal(.purpose, "unknown purpose")
        }
        return (member, purpose, version)
    }

    /// Whether the answer to our hello is one.
    func check(_ welcome: Brokerfs_Peer_Welcome, of member: GroupMember) throws(PeerRefusal) {
        guard Self.versions.contains(welcome.version) else {
            throw PeerRefusal(.version, "version \(welcome.version) was not offered")
        }
        guard welcome.memberID == member.id else {
            throw PeerRefusal(.wrongNode, "it is member \(welcome.memberID)")
        }
        try check(history: welcome.serverVersion)
    }

    /// Two histories never meet: one of them is of another cluster, or of an older restore.
    private func check(history other: UInt64) throws(PeerRefusal) {
        guard other != 0, history != 0, other != history else { return }
        throw PeerRefusal(.history, "histories \(history) and \(other) do not go together")
    }
}

extension Brokerfs_Peer_Refusal {
    init(_ refusal: PeerRefusal) {
        self.init()
        reason =
            switch refusal.reason {
            case .version: .version
            case .cluster: .cluster
            case .unknownMember: .unknownMember
            case .wrongNode: .wrongNode
            case .certificate: .certificate
            case .sameMember: .sameMember
            case .incarnation: .incarnation
            case .history: .history
            case .purpose: .purpose
            case .busy: .busy
            case .token: .token
            case .newcomer: .newcomer
            case .unknown: .unspecified
            }
        text = PeerBounds.shortened(refusal.text)
    }
}

extension PeerRefusal {
    init(_ message: Brokerfs_Peer_Refusal) {
        let reason: Reason =
            switch message.reason {
            case .version: .version
            case .cluster: .cluster
            case .unknownMember: .unknownMember
            case .wrongNode: .wrongNode
            case .certificate: .certificate
            case .sameMember: .sameMember
            case .incarnation: .incarnation
            case .history: .history
            case .purpose: .purpose
            case .busy: .busy
            case .token: .token
            case .newcomer: .newcomer
            case .unspecified, .UNRECOGNIZED: .unknown
            }
        self.init(reason, PeerBounds.shortened(message.text))
    }
}
