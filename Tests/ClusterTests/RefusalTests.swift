// SPDX-License-Identifier: Apache-2.0

@testable import Cluster
import Foundation
import Identity
import Raft
import Testing

/// Who does not belong here gets no word in, over real connections.
@Suite struct RefusalTests {
    private func port(_ group: TestGroup) throws -> Int {
        try #require(try group.peers(1).listeningPort)
    }

    /// A group of 1 and 2 where only 1 runs; a test plays 2.
    private func withMember(_ body: (TestGroup) throws -> Void) throws {
        let group = try TestGroup()
        defer { group.end() }
        let seat = try group.start(1)
        seat.peers.groupChanged([
            seat.member, GroupMember(id: 2, name: "n2", address: "127.0.0.1:1"),
        ])
        try body(group)
    }

    private func raw(
        _ group: TestGroup,
        _ identity: ClusterIdentity,
        authority: TestAuthority? = nil
    ) throws -> RawPeer {
        let files = try (authority ?? group.authority).write(
            identity,
            to: group.directory + "/raw-\(UUID().uuidString)"
        )
        return try RawPeer(identity, files)
    }

    @Test("a member is heard once it has said hello, and not before")
    func hello() throws {
        try withMember { group in
            let raw = try raw(group, group.identity(2))
            defer { raw.end() }
            try raw.connect(to: port(group))
            raw.hello(to: 1)
            let message = Raft.Message.heartbeat(from: 2, to: 1, round: 1)
            raw.send(.raft(Brokerfs_Peer_Raft(message)))
            let host = try group.host(1)
            #expect(eventually { host.received == [message] })

            let rude = try self.raw(group, group.identity(2))
            defer { rude.end() }
            try rude.connect(to: port(group))
            rude.send(.raft(Brokerfs_Peer_Raft(message)))
            #expect(eventually { rude.hasEnded })
            #expect(host.received == [message])
        }
    }

    @Test("another cluster, an unknown member, a borrowed name: refused with a reason")
    func refusals() throws {
        try withMember { group in
            var other = group.identity(2)
            other.clusterID = "another-cluster"
            var renamed = group.identity(2)
            renamed.name = "n3"
            let cases: [(ClusterIdentity, PeerRefusal.Reason)] = [
                (other, .cluster), (group.identity(3), .unknownMember), (renamed, .unknownMember),
                (group.identity(1), .sameMember),
            ]
            for (identity, reason) in cases {
                let raw = try raw(group, identity)
                defer { raw.end() }
                try raw.connect(to: port(group))
                raw.hello(to: 1)
                #expect(eventually { raw.refusal == reason && raw.hasEnded }, "\(identity)")
            }
            let raw = try raw(group, group.identity(2))
            defer { raw.end() }
            try raw.connect(to: port(group))
            raw.hello(to: 1) { $0.memberID = 3 }
            #expect(eventually { raw.refusal == .certificate && raw.hasEnded })
        }
    }

    @Test("a member that comes with another data directory is refused")
    func incarnation() throws {
        try withMember { group in
            for (incarnation, isWelcome) in [(7, true), (8, false), (0, false), (7, true)] {
                let raw = try raw(group, group.identity(2))
                defer { raw.end() }
                try raw.connect(to: port(group))
                raw.hello(to: 1) { $0.incarnation = UInt64(incarnation) }
                #expect(eventually { !raw.frames.isEmpty })
                #expect((raw.refusal == nil) == isWelcome)
            }
        }
    }

    @Test("a certificate of another authority, an expired one and none at all do not get in")
    func certificates() throws {
        try withMember { group in
            let host = try group.host(1)
            let stranger = try raw(group, group.identity(2), authority: try TestAuthority())
            let plain = try raw(group, group.identity(2))
            let directory = group.directory + "/expired"
            let files = try group.authority.write(
                uris: [group.identity(2).uri],
                to: directory,
                validSeconds: -60
            )
            let expired = try RawPeer(group.identity(2), files)
            defer { for peer in [stranger, plain, expired] { peer.end() } }
            try stranger.connect(to: port(group))
            try expired.connect(to: port(group))
            try plain.connect(to: port(group), isSecure: false)
            for peer in [stranger, plain, expired] {
                peer.hello(to: 1)
                #expect(eventually { peer.hasEnded })
                #expect(peer.frames.isEmpty)
            }
            #expect(host.received.isEmpty)
        }
    }

    @Test("messages in another's name, an oversized frame and noise end the connection")
    func noise() throws {
        try withMember { group in
            let forged = Raft.Message.heartbeat(from: 3, to: 1, round: 1)
            let attacks: [(RawPeer) -> Void] = [
                { $0.send(.raft(Brokerfs_Peer_Raft(forged))) },
                { $0.send(.answer(Brokerfs_Peer_Answer())) },
                { $0.send(bytes: [0, 0, 0, 3, 255, 255, 255]) },
                { raw in
                    raw.send(bytes: [0x7f, 0xff, 0xff, 0xff])
                    let part = [UInt8](repeating: 0, count: 1 << 20)
                    for _ in 0..<8 { raw.send(bytes: part) }
                },
            ]
            for attack in attacks {
                let raw = try raw(group, group.identity(2))
                defer { raw.end() }
                try raw.connect(to: port(group))
                raw.hello(to: 1)
                #expect(eventually { !raw.frames.isEmpty })
                attack(raw)
                #expect(eventually { raw.hasEnded })
            }
            #expect(try group.host(1).received.isEmpty)
        }
    }

    @Test("who dials checks whom it reaches: another member there is not spoken to")
    func wrongNode() throws {
        let group = try TestGroup()
        defer { group.end() }
        for id in 1...3 as ClosedRange<UInt64> { try group.start(id) }
        var members = group.members
        // 1 is told that 2 is where 3 is.
        members[1].address = members[2].address
        try group.peers(1).groupChanged([members[0], members[1]])
        #expect(
            eventually { (try? group.status(1, of: 2)?.lastError?.contains("is n3 (3)")) == true }
        )
        #expect(try group.status(1, of: 2)?.isConnected == false)
    }

    @Test("more connections than the bound are closed at once")
    func tooMany() throws {
        let group = try TestGroup()
        defer { group.end() }
        let seat = try group.start(1) { $0.limits.incomingConnectionsMax = 2 }
        seat.peers.groupChanged([
            seat.member, GroupMember(id: 2, name: "n2", address: "127.0.0.1:1"),
        ])
        let raws = try (0..<3).map { _ in try raw(group, group.identity(2)) }
        defer { for raw in raws { raw.end() } }
        for raw in raws {
            try raw.connect(to: port(group))
            raw.hello(to: 1)
            #expect(eventually { !raw.frames.isEmpty || raw.hasEnded })
        }
        #expect(raws[2].hasEnded && raws[2].frames.isEmpty)
    }
}
