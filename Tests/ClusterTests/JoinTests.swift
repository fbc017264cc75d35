// SPDX-License-Identifier: Apache-2.0

import Foundation
import Identity
import Node
import Replica
import Synchronization
import Testing

@testable import Cluster

/// Joining a running group with a token.
@Suite("joining") struct JoinTests {
    @Test("a machine with a token gets a folder with which the others speak to it")
    func join() async throws {
        let node = try AdmittingNode()
        let folder = try await node.join(try node.token())
        #expect(folder.founding.identity == Sample.identity(4))
        #expect(folder.founding.founders == Sample.members)
        #expect(!folder.founding.isFounder)
        #expect(folder.members == node.state.group.withLock { $0.members })
        #expect(folder.founding.group == folder.members)
        #expect(folder.authorityKey == nil)
        #expect(folder.configuration.contains("election_timeout_ms: 500"))
        #expect(folder.listen == "0.0.0.0:7704")

        let path = node.directory.path + "/n4"
        let peers = try node.peers(of: folder, at: path)
        defer { peers.stop() }
        #expect(try node.directory.mode("n4/node.key") == 0o600)
        try peers.start(FakeHost().peerHost)
        let first = GroupMember(id: 1, name: "n1", address: try node.address.text)
        let own = GroupMember(
            id: 4,
            name: "n4",
            address: "127.0.0.1:\(peers.listeningPort ?? 0)"
        )
        for each in [node.peers, peers] { each.groupChanged([first, own]) }
        #expect(eventually { peers.statuses.contains { $0.isConnected && $0.isHeard } })
    }

    @Test("the founding file of whoever joined says whom to begin with, and with whom to speak")
    func founding() async throws {
        let node = try AdmittingNode()
        let founding = try await node.join(try node.token()).founding
        #expect(try Founding(decoding: founding.encoded(), at: "test") == founding)
        #expect(founding.group.count == founding.founders.count + 1)
    }

    @Test("a token admits one machine")
    func once() async throws {
        let node = try AdmittingNode()
        let token = try node.token()
        _ = try await node.join(token)
        // Another is good, so that the token is looked at and not just the certificate.
        _ = try node.token()
        await expectRefusal(.token) {
            try await node.join(token, name: "n5", address: "127.0.0.1:7705")
        }
        await expectRefusal(.token) { try await node.join(token) }
        #expect(node.state.group.withLock { $0.additionsCount } == 1)
    }

    @Test("the same key is told the same again, as its answer may have been lost")
    func again() async throws {
        let node = try AdmittingNode()
        let token = try node.token()
        let request = JoinRequest(
            secret: token.secret,
            name: "n4",
            address: "127.0.0.1:7704",
            publicKey: TestKey.pem
        )
        let first = try await node.admission.admitted(request)
        #expect(try await node.admission.admitted(request) == first)
        #expect(node.state.group.withLock { $0.additionsCount } == 1)
    }

    @Test("a refusal does not use the token up")
    func refusals() async throws {
        let node = try AdmittingNode()
        let token = try node.token(name: "n4")
        await expectRefusal(.token) { try await node.join(token, name: "n5") }
        await expectRefusal(.newcomer) {
            try await node.join(token, address: Sample.members[1].address)
        }
        let bound = try node.token(name: "n2")
        await expectRefusal(.newcomer) { try await node.join(bound, name: "n2") }
        #expect(node.state.group.withLock { $0.additionsCount } == 0)
        _ = try await node.join(token)
    }

    @Test("where the group cannot be changed now, the same token is good later")
    func laterAgain() async throws {
        let node = try AdmittingNode()
        let token = try node.token()
        node.state.group.withLock {
            $0.failure = .notWritable(reason: "nobody leads")
            $0.isCarriedOut = false
        }
        await expectRefusal(.busy) { try await node.join(token) }
        node.state.group.withLock {
            $0.failure = nil
            $0.isCarriedOut = true
        }
        _ = try await node.join(token)
    }

    @Test("an addition of which nobody knows what became is looked for, and not made twice")
    func uncertain() async throws {
        let node = try AdmittingNode()
        let token = try node.token()
        node.state.group.withLock {
            $0.failure = .timedOut
            $0.isCarriedOut = false
        }
        await expectRefusal(.busy) { try await node.join(token) }
        node.state.group.withLock {
            $0.members.append(GroupMember(id: 9, name: "n4", address: "127.0.0.1:7704"))
        }
        #expect(try await node.join(token).founding.member == 9)
        #expect(node.state.group.withLock { $0.additionsCount } == 1)
    }

    @Test("the token is told to nobody whom its authority does not vouch for")
    func otherCluster() async throws {
        let (node, other) = (try AdmittingNode(), try AdmittingNode())
        _ = try other.token()
        let client = JoinClient(try other.address, try node.token())
        await #expect(throws: JoinError.notTheGroup(address: try other.address.text)) {
            try await client.join(name: "n4", address: try HostPort("127.0.0.1:7704"))
        }
    }

    @Test("without a good token at the node, a stranger does not get past TLS")
    func closed() async throws {
        let node = try AdmittingNode()
        let token = JoinToken(secret: [UInt8](repeating: 7, count: 16), authority: [1])
        #expect(!node.admission.isOpen)
        let made = try node.token()
        #expect(node.admission.isOpen)
        // The book of this node does not know it, and there is none that is good.
        let stranger = JoinToken(secret: token.secret, authority: made.authority)
        await expectRefusal(.token) { try await node.join(stranger) }
        _ = try await node.join(made)
        // A used token stays known until its time is over; one that nobody made opens nothing.
        let shut = try AdmittingNode()
        let foreign = JoinToken(secret: token.secret, authority: try shut.authority())
        await #expect(throws: JoinError.self) { try await shut.join(foreign) }
        #expect(shut.state.group.withLock { $0.additionsCount } == 0)
    }

    @Test("a key that is not the authority's makes no token")
    func keys() throws {
        let (node, other) = (try AdmittingNode(), try AdmittingNode())
        let key = try DurableFile.text(other.directory.path + "/c/ca.key")
        #expect(throws: BootstrapError.self) {
            try node.admission.issue(name: "", seconds: 600, authorityKey: key)
        }
        let own = try DurableFile.text(node.directory.path + "/c/ca.key")
        _ = try node.admission.issue(name: "", seconds: 600, authorityKey: own)
    }

    @Test("a key for the certificate that is none is refused before the group is changed")
    func badKey() async throws {
        let node = try AdmittingNode()
        let token = try node.token()
        let request = JoinRequest(
            secret: token.secret,
            name: "n4",
            address: "127.0.0.1:7704",
            publicKey: "no key"
        )
        await expectRefusal(.newcomer) { try await node.admission.admitted(request) }
        #expect(node.state.group.withLock { $0.additionsCount } == 0)
    }

    private func expectRefusal<T>(
        _ reason: PeerRefusal.Reason,
        _ body: () async throws -> T,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        do {
            _ = try await body()
            Issue.record("it was not refused", sourceLocation: sourceLocation)
        } catch JoinError.refused(let refusal) {
            #expect(refusal.reason == reason, sourceLocation: sourceLocation)
        } catch {
            Issue.record("\(error)", sourceLocation: sourceLocation)
        }
    }
}

extension Admission {
    fileprivate func admitted(_ request: JoinRequest) async throws -> JoinGrant {
        let result = await withCheckedContinuation { continuation in
            admit(request) { continuation.resume(returning: $0) }
        }
        do {
            return try result.get()
        } catch {
            throw JoinError.refused(error)
        }
    }
}

extension AdmittingNode {
    /// The authority's fingerprint, without a token being made.
    fileprivate func authority() throws -> [UInt8] {
        let pem = try DurableFile.text(directory.path + "/c/n1/ca.pem")
        let key = try DurableFile.text(directory.path + "/c/n1/ca.key")
        let authority = try CertificateAuthority(
            clusterID: Sample.clusterID,
            certificates: pem,
            key: key
        )
        return try JoinToken(for: authority.certificate).authority
    }
}
