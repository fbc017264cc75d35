// SPDX-License-Identifier: Apache-2.0

import Foundation
import Identity
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Raft
import Synchronization

@testable import Cluster

/// An end of a connection that says what the test wants, and no more.
final class RawPeer: Sendable {
    struct State {
        var frames: [Brokerfs_Peer_Frame.OneOf_Kind] = []
        var hasEnded = false
        var channel: (any Channel)?
        /// A server that takes the hello and reads nothing behind it.
        var isDeaf = false
    }

    let state = Mutex(State())
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let listener = Mutex<(any Channel)?>(nil)
    private let client: NIOSSLContext
    private let server: NIOSSLContext
    private let identity: ClusterIdentity

    init(_ identity: ClusterIdentity, _ files: TLSFiles) throws {
        self.identity = identity
        var log = Logger(label: "test")
        log.logLevel = .critical
        let contexts = try TLSSource(files, identity: identity, log: log).current()
        (client, server) = (contexts.client, contexts.server)
    }

    /// Somebody without a certificate, who takes any, and says what it likes of itself.
    init(stranger identity: ClusterIdentity) throws {
        self.identity = identity
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        client = try NIOSSLContext(configuration: configuration)
        server = client
    }

    /// Dials, with TLS or without.
    func connect(to port: Int, isSecure: Bool = true) throws {
        let context = client
        let channel = try ClientBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if isSecure {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: context, serverHostname: nil)
                        )
                    }
                    try self.addHandlers(channel)
                }
            }
            .connect(host: "127.0.0.1", port: port).wait()
        state.withLock { $0.channel = channel }
    }

    /// Listens, and welcomes whoever dials; answers the port.
    func listen() throws -> Int {
        let context = server
        let channel = try ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        NIOSSLServerHandler(context: context)
                    )
                    try self.addHandlers(channel)
                    self.state.withLock { $0.channel = channel }
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        listener.withLock { $0 = channel }
        return channel.localAddress?.port ?? 0
    }

    private func addHandlers(_ channel: any Channel) throws {
        try channel.pipeline.syncOperations.addHandlers([
            PeerFraming.decoder(frameBytesMax: PeerLimits().frameBytesMax), Handler(self),
        ])
    }

    func send(_ kind: Brokerfs_Peer_Frame.OneOf_Kind) {
        state.withLock { $0.channel }?.write(kind, limits: PeerLimits())
    }

    func send(bytes: [UInt8]) {
        state.withLock { $0.channel }?.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }

    func hello(
        to member: UInt64,
        change: (inout Brokerfs_Peer_Hello) -> Void = { _ in }
    ) {
        let handshake = Handshake(own: identity, incarnation: 77, history: 0)
        var hello = handshake.hello(to: member, purpose: .consensus)
        change(&hello)
        send(.hello(hello))
    }

    var frames: [Brokerfs_Peer_Frame.OneOf_Kind] { state.withLock { $0.frames } }
    var hasEnded: Bool { state.withLock { $0.hasEnded } }

    /// Why it was refused, once it was.
    var refusal: PeerRefusal.Reason? {
        for case .refusal(let refusal) in frames { return PeerRefusal(refusal).reason }
        return nil
    }

    func close() {
        state.withLock { $0.channel }?.close(promise: nil)
    }

    func end() {
        try? listener.withLock { $0 }?.close().wait()
        try? group.syncShutdownGracefully()
    }

    fileprivate func receive(_ kind: Brokerfs_Peer_Frame.OneOf_Kind, _ channel: any Channel) {
        let isDeaf = state.withLock { state in
            state.frames.append(kind)
            return state.isDeaf
        }
        guard case .hello = kind else { return }
        let handshake = Handshake(own: identity, incarnation: 77, history: 0)
        if isDeaf { channel.setOption(.autoRead, value: false).whenFailure { _ in } }
        channel.write(.welcome(handshake.welcome(version: 1)), limits: PeerLimits())
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let peer: RawPeer

        init(_ peer: RawPeer) {
            self.peer = peer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard let kind = try? PeerFraming.decode(unwrapInboundIn(data)) else { return }
            peer.receive(kind, context.channel)
        }

        func channelInactive(context: ChannelHandlerContext) {
            peer.state.withLock { $0.hasEnded = true }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}
