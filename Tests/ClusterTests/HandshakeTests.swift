// SPDX-License-Identifier: Apache-2.0

@testable import Cluster
import Identity
import Testing

/// Who may speak to whom, as values.
@Suite struct HandshakeTests {
    private let members = (1...3).map { id in
        GroupMember(id: id, name: "n\(id)", address: "n\(id):7400")
    }

    private func handshake(_ id: UInt64, history: UInt64 = 0) -> Handshake {
        Handshake(own: identity(id), incarnation: 100 + id, history: history)
    }

    private func identity(_ id: UInt64, cluster: String = "c") -> ClusterIdentity {
        ClusterIdentity(clusterID: cluster, member: id, name: "n\(id)")
    }

    private func refusal(
        certificate: ClusterIdentity?,
        history: UInt64 = 0,
        _ change: (inout Brokerfs_Peer_Hello) -> Void = { _ in }
    ) -> PeerRefusal.Reason? {
        var hello = handshake(1).hello(to: 2, purpose: .consensus)
        change(&hello)
        do {
            _ = try handshake(2, history: history).judge(
                hello,
                certificate: certificate,
                members: members
            )
            return nil
        } catch {
            return error.reason
        }
    }

    @Test("a member that says who it is, and is in the group, is welcome")
    func welcome() throws {
        let hello = handshake(1).hello(to: 2, purpose: .snapshot)
        let judged = try handshake(2).judge(hello, certificate: identity(1), members: members)
        #expect(judged.member == members[0] && judged.purpose == .snapshot && judged.version == 1)
        try handshake(1).check(handshake(2).welcome(version: 1), of: members[1])
        try handshake(1).check(certificate: identity(2), of: members[1])
    }

    @Test("everybody else is refused, with a reason")
    func refusals() {
        #expect(refusal(certificate: identity(1)) == nil)
        #expect(refusal(certificate: nil) == .certificate)
        #expect(refusal(certificate: identity(1, cluster: "d")) == .cluster)
        #expect(refusal(certificate: identity(1)) { $0.clusterID = "d" } == .cluster)
        #expect(refusal(certificate: identity(3)) == .certificate)
        #expect(refusal(certificate: identity(2)) { $0.memberID = 2 } == .sameMember)
        #expect(refusal(certificate: identity(1)) { $0.toMemberID = 3 } == .wrongNode)
        #expect(refusal(certificate: identity(4)) { $0.memberID = 4 } == .unknownMember)
        var renamed = identity(1)
        renamed.name = "n9"
        #expect(refusal(certificate: renamed) == .unknownMember)
        #expect(refusal(certificate: identity(1)) { $0.purpose = .unspecified } == .purpose)
        #expect(
            refusal(certificate: identity(1)) { ($0.versionMin, $0.versionMax) = (2, 9) }
                == .version
        )
        #expect(refusal(certificate: identity(1)) { $0.versionMax = 0 } == .version)
        #expect(
            refusal(certificate: identity(1)) { ($0.versionMin, $0.versionMax) = (0, 9) } == nil
        )
    }

    @Test("two histories do not meet; one that is not known yet meets any")
    func histories() {
        #expect(refusal(certificate: identity(1), history: 5) { $0.serverVersion = 6 } == .history)
        #expect(refusal(certificate: identity(1), history: 5) { $0.serverVersion = 5 } == nil)
        #expect(refusal(certificate: identity(1), history: 5) { $0.serverVersion = 0 } == nil)
        #expect(refusal(certificate: identity(1), history: 0) { $0.serverVersion = 6 } == nil)
    }

    @Test("whoever dials checks whom it has reached")
    func dialer() {
        func reason(_ body: () throws -> Void) -> PeerRefusal.Reason? {
            do {
                try body()
                return nil
            } catch {
                return (error as? PeerRefusal)?.reason
            }
        }
        let own = handshake(1, history: 5)
        #expect(reason { try own.check(certificate: nil, of: members[1]) } == .certificate)
        #expect(reason { try own.check(certificate: identity(3), of: members[1]) } == .wrongNode)
        #expect(
            reason { try own.check(certificate: identity(2, cluster: "d"), of: members[1]) }
                == .cluster
        )
        let other = handshake(2, history: 6)
        #expect(reason { try own.check(other.welcome(version: 1), of: members[1]) } == .history)
        #expect(
            reason { try own.check(handshake(3).welcome(version: 1), of: members[1]) } == .wrongNode
        )
        #expect(
            reason { try own.check(handshake(2).welcome(version: 2), of: members[1]) } == .version
        )
    }

    @Test("every reason survives the wire", arguments: PeerRefusal.Reason.allCases)
    func reasons(_ reason: PeerRefusal.Reason) {
        let refusal = PeerRefusal(reason, "because")
        #expect(PeerRefusal(Brokerfs_Peer_Refusal(refusal)) == refusal)
    }
}
