// SPDX-License-Identifier: Apache-2.0

import Crypto
import Identity
import NIOCore
import NIOPosix
import NIOSSL
import SwiftASN1
import X509

/// Joins a group with a token: asks a node of it, and makes the folder of the new one.
package struct JoinClient: Sendable {
    private let address: HostPort
    private let token: JoinToken

    private static let connectSeconds: Int64 = 10
    /// Longer than a node takes for its answer, whatever it is.
    private static let answerSeconds: Int64 = 40
    private static let frameBytesMax = 1 << 20
    /// How often it asks, where an answer was lost; the node tells the same key the same again.
    private static let attemptsMax = 3

    /// Will ask the node at this address.
    package init(_ address: HostPort, _ token: JoinToken) {
        self.address = address
        self.token = token
    }

    /// Joins as this member, whose number the group gives.
    ///
    /// The key is drawn here and stays here. Throws ``JoinError``.
    package func join(name: String, address own: HostPort) async throws(JoinError) -> NodeFolder {
        let key = P256.Signing.PrivateKey()
        let request = JoinRequest(
            secret: token.secret,
            name: name,
            address: own.text,
            publicKey: key.publicKey.pemRepresentation
        )
        let grant = try await ask(request)
        try await check(grant, request)
        return NodeFolder(
            founding: Founding(
                clusterID: grant.identity.clusterID,
                member: grant.identity.member,
                name: grant.identity.name,
                incarnation: Founding.newIncarnation(),
                founders: grant.founders,
                group: grant.group
            ),
            members: grant.group,
            listen: own.anywhere,
            authority: grant.authority,
            pair: .init(certificate: grant.certificate, key: key.pemRepresentation + "\n"),
            authorityKey: nil,
            timers: grant.timers
        )
    }

    /// The address of this machine from which the node is reached.
    package func localAddress() async throws(JoinError) -> String {
        let channel: any Channel
        do {
            channel = try await bootstrap.connect(host: address.host, port: address.port).get()
        } catch {
            throw .unreachable(address: address.text, reason: "\(error)")
        }
        defer { channel.close(promise: nil) }
        guard let own = channel.localAddress?.ipAddress else {
            throw .unreachable(address: address.text, reason: "the connection has no address")
        }
        return own
    }

    private var bootstrap: ClientBootstrap {
        ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(Self.connectSeconds))
    }

    private func ask(_ request: JoinRequest) async throws(JoinError) -> JoinGrant {
        var attempt = 1
        while true {
            do throws(JoinError) {
                return try await askOnce(request)
            } catch {
                guard case .noAnswer = error, attempt < Self.attemptsMax else { throw error }
                attempt += 1
            }
        }
    }

    private func askOnce(_ request: JoinRequest) async throws(JoinError) -> JoinGrant {
        let (trust, address) = (ServerTrust(token), address.text)
        let promise = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: JoinGrant.self)
        let connected = bootstrap.channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let tls = try NIOSSLClientHandler(
                    context: NIOSSLContext(configuration: ServerTrust.configuration),
                    serverHostname: nil,
                    customVerificationCallback: trust.verify
                )
                try channel.pipeline.syncOperations.addHandlers([
                    tls,
                    PeerFraming.decoder(frameBytesMax: Self.frameBytesMax),
                    JoinHandler(request, to: address, within: Self.answerSeconds, promise),
                ])
            }
        }.connect(host: self.address.host, port: self.address.port)
        connected.whenFailure { error in
            promise.fail(JoinError.unreachable(address: address, reason: "\(error)"))
        }
        do {
            return try await promise.futureResult.get()
        } catch let error as JoinError {
            throw error
        } catch {
            throw .answer("\(error)")
        }
    }

    /// Trusts the node no further than it has to: what it sent must be of use to this machine.
    private func check(_ grant: JoinGrant, _ request: JoinRequest) async throws(JoinError) {
        let isSound: Bool
        do {
            let certificate = try Certificate(pemEncoded: grant.certificate)
            let own = try Certificate.PublicKey(pemEncoded: request.publicKey)
            isSound =
                try await ServerTrust(token).isIssued(certificate, by: grant.authority)
                && certificate.publicKey == own
                && ClusterIdentity(pem: grant.certificate) == grant.identity
        } catch {
            throw .answer("\(error)")
        }
        guard isSound else { throw .answer("the certificate is not one for this node") }
        guard grant.group.contains(where: { $0.id == grant.identity.member }) else {
            throw .answer("the group it tells of is without this node")
        }
    }
}
