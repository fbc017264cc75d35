// SPDX-License-Identifier: Apache-2.0

import Identity
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Node
import Raft
import Synchronization

/// What runs between start and stop: event loops, the listening socket, the ways to the others.
final class PeerNetwork: Sendable {
    let context: PeerContext
    let incoming: IncomingConnections
    let receiver: SnapshotReceiver
    let sender: SnapshotSender
    private let table: LinkTable
    private let group: MultiThreadedEventLoopGroup
    private let state: Mutex<State>

    private struct State {
        var listener: (any Channel)?
        var check: RepeatedTask?
        /// Of the certificates that all connections were last renewed for.
        var generation: UInt64
    }

    init(_ context: PeerContext) {
        self.context = context
        let table = LinkTable()
        self.table = table
        incoming = IncomingConnections(context.limits)
        receiver = SnapshotReceiver(context)
        sender = SnapshotSender(context) { table.link(to: $0) }
        group = MultiThreadedEventLoopGroup(numberOfThreads: context.limits.eventLoopsCount)
        state = Mutex(State(generation: context.tls.current().generation))
    }

    var members: [GroupMember] { table.members }
    var links: [PeerLink] { table.links }

    func link(to id: MemberID) -> PeerLink? { table.link(to: id) }

    /// Listens; others are dialed once ``change(_:)`` names them.
    func listen() throws(PeersError) {
        let text = context.configuration.listen
        guard let address = PeerAddress(text) else { throw .address(text) }
        try receiver.start()
        try sender.start()
        var bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try PeerSockets.closeOnExec(channel) }
            }
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
        let interval = TimeAmount.nanoseconds(context.limits.checkNanoseconds)
        let check = group.any().scheduleRepeatedTask(initialDelay: interval, delay: interval) {
            [weak self] _ in self?.check()
        }
        state.withLock { $0.check = check }
    }

    /// Where it listens; the port is the kernel's choice where the configuration says 0.
    var listeningPort: Int? { state.withLock { $0.listener?.localAddress?.port } }

    private func accept(_ channel: any Channel) throws {
        try PeerSockets.closeOnExec(channel)
        let contexts = context.tls.current()
        guard incoming.add(channel, generation: contexts.generation) else {
            context.refusals.note(
                channel.remoteAddress?.ipAddress ?? "unknown",
                PeerRefusal(.busy, "there are too many connections already")
            )
            return channel.close(promise: nil)
        }
        channel.closeFuture.whenComplete { [incoming] _ in incoming.remove(channel) }
        let isAdmitting = context.host.admission?.isOpen ?? false
        try channel.pipeline.syncOperations.addHandlers([
            StalledWriteHandler(timeout: context.sendTimeout),
            NIOSSLServerHandler(context: isAdmitting ? contexts.admission : contexts.server),
            StrangerHandler(),
            PeerFraming.decoder(frameBytesMax: context.limits.frameBytesMax),
            IncomingHandler(self),
        ])
    }

    /// Makes the links those to these members; this member itself has none.
    func change(_ members: [GroupMember]) {
        let difference = table.change(members, without: context.configuration.member.id) {
            PeerLink($0, context, on: group.next())
        }
        for link in difference.removed { link.close() }
        for (link, address) in difference.moved { link.move(to: address) }
        for channel in incoming.strangers(to: members) { channel.close(promise: nil) }
        for link in difference.added { link.dial() }
    }

    /// What is to be done now and then.
    private func check() {
        renew()
        let (members, now) = (members, Clock.monotonicNanoseconds())
        // Removing files takes time, which event loops do not have.
        receiver.pool.submit { [receiver, sender] state in
            guard case .active = state else { return }
            receiver.expire(members: members, now: now)
            sender.expire(members: members, now: now)
        }
    }

    /// Makes all connections anew where the certificates are others than before.
    private func renew() {
        let generation = context.tls.current().generation
        let isNew = state.withLock { state in
            defer { state.generation = generation }
            return state.generation < generation
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
        let (listener, check) = state.withLock { ($0.listener, $0.check) }
        check?.cancel()
        try? listener?.close().wait()
        let links = table.close()
        sender.close()
        for link in links { link.close() }
        for channel in incoming.close() { channel.close(promise: nil) }
        receiver.close()
        try? group.syncShutdownGracefully()
    }
}
