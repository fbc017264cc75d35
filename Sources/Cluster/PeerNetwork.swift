// SPDX-License-Identifier: Apache-2.0

import Identity
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Raft
import Synchronization

/// What runs between start and stop: event loops, the listening socket, the ways to the others.
final class PeerNetwork: Sendable {
    let context: PeerContext
    let incoming: IncomingConnections
    private let group: MultiThreadedEventLoopGroup
    private let state: Mutex<State>

    private struct State {
        /// In the order of the members.
        var links: [PeerLink] = []
        var members: [GroupMember] = []
        var listener: (any Channel)?
        var certificateCheck: RepeatedTask?
        /// Of the certificates that all connections were last renewed for.
        var generation: UInt64
        var isClosed = false
    }

    init(_ context: PeerContext) {
        self.context = context
        incoming = IncomingConnections(context.limits)
        group = MultiThreadedEventLoopGroup(numberOfThreads: context.limits.eventLoopsCount)
        state = Mutex(State(generation: context.tls.current().generation))
    }

    var members: [GroupMember] { state.withLock { $0.members } }
    var links: [PeerLink] { state.withLock { $0.links } }

    func link(to id: MemberID) -> PeerLink? {
        state.withLock { state in state.links.first { $0.id == id } }
    }

    /// Listens; others are dialed once ``change(_:)`` names them.
    func listen() throws(PeersError) {
        let text = context.configuration.listen
        guard let address = PeerAddress(text) else { throw .address(text) }
        var bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { [self] channel in
                channel.eventLoop.makeCompletedFuture { try accept(channel) }
            }
        for (option, value) in PeerSockets.options(timeout: context.sendTimeout) {
            bootstrap = bootstrap.childChannelOption(option, value: value)
        }
        do {
            let listener = try bootstrap.bind(host: address.host, port: address.port).wait()
            state.withLock { $0.listener = listener }
        } catch {
            throw .listen(address: text, reason: "\(error)")
        }
        let interval = TimeAmount.nanoseconds(context.limits.certificateCheckNanoseconds)
        let check = group.any().scheduleRepeatedTask(initialDelay: interval, delay: interval) {
            [weak self] _ in self?.renew()
        }
        state.withLock { $0.certificateCheck = check }
    }

    /// Where it listens; the port is the kernel's choice where the configuration says 0.
    var listeningPort: Int? { state.withLock { $0.listener?.localAddress?.port } }

    private func accept(_ channel: any Channel) throws {
        let contexts = context.tls.current()
        guard incoming.add(channel, generation: contexts.generation) else {
            context.refusals.note(
                channel.remoteAddress?.ipAddress ?? "unknown",
                PeerRefusal(.busy, "there are too many connections already")
            )
            return channel.close(promise: nil)
        }
        channel.closeFuture.whenComplete { [incoming] _ in incoming.remove(channel) }
        try channel.pipeline.syncOperations.addHandlers([
            StalledWriteHandler(timeout: context.sendTimeout),
            NIOSSLServerHandler(context: contexts.server),
            PeerFraming.decoder(frameBytesMax: context.limits.frameBytesMax),
            IncomingHandler(self),
        ])
    }

    /// Makes the links those to these members; this member itself has none.
    func change(_ members: [GroupMember]) {
        let others = members.filter { $0.id != context.configuration.member.id }
            .sorted { $0.id < $1.id }
        typealias Moved = [(PeerLink, String)]
        let (added, removed, moved) = state.withLock { state -> ([PeerLink], [PeerLink], Moved) in
            guard !state.isClosed else { return ([], [], []) }
            state.members = members
            let removed = state.links.filter { link in
                !others.contains { $0.id == link.id.rawValue && $0.name == link.member.name }
            }
            var links = state.links.filter { link in !removed.contains { $0 === link } }
            let added = others.filter { member in
                !links.contains { $0.id.rawValue == member.id }
            }.map { PeerLink($0, context, on: group.next()) }
            let moved = links.compactMap { link in
                others.first { $0.id == link.id.rawValue }.map { (link, $0.address) }
            }
            links += added
            state.links = links.sorted { $0.id < $1.id }
            return (added, removed, moved)
        }
        for link in removed { link.close() }
        for (link, address) in moved { link.move(to: address) }
        for channel in incoming.strangers(to: members) { channel.close(promise: nil) }
        for link in added { link.dial() }
    }

    /// Makes all connections anew where the certificates are others than before.
    func renew() {
        let generation = context.tls.current().generation
        let isNew = state.withLock { state in
            defer { state.generation = generation }
            return state.generation < generation && !state.isClosed
        }
        guard isNew else { return }
        for link in links { link.renew(generation: generation) }
        for channel in incoming.made(before: generation) {
            channel.write(.renew(Brokerfs_Peer_Renew()), limits: context.limits)
            let drain = TimeAmount.nanoseconds(context.limits.drainNanoseconds)
            channel.eventLoop.scheduleTask(in: drain) { channel.close(promise: nil) }
        }
    }

    /// Ends everything; on no event loop.
    func close() {
        let (links, listener, check) = state.withLock { state in
            state.isClosed = true
            defer { state.links = [] }
            return (state.links, state.listener, state.certificateCheck)
        }
        check?.cancel()
        try? listener?.close().wait()
        for link in links { link.close() }
        for channel in incoming.close() { channel.close(promise: nil) }
        try? group.syncShutdownGracefully()
    }
}
