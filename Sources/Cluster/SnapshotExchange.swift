// SPDX-License-Identifier: Apache-2.0

import Identity
import Logging
import NIOCore
import NIOSSL
import NIOTLS
import Raft
import Synchronization

/// The sending end of a snapshot's connection, for a thread that waits for each step.
///
/// Not on an event loop.
final class SnapshotExchange: Sendable {
    let channel: any Channel
    private let resume: EventLoopPromise<Brokerfs_Peer_SnapshotResume>
    private let verdict: EventLoopPromise<Brokerfs_Peer_SnapshotReceived>
    private let early = Mutex<Brokerfs_Peer_SnapshotReceived?>(nil)

    init(_ channel: any Channel) {
        self.channel = channel
        resume = channel.eventLoop.makePromise()
        verdict = channel.eventLoop.makePromise()
    }

    /// Where the receiver wants to be sent from; throws where it has decided already.
    func waitForResume(nanoseconds: Int64) throws -> Brokerfs_Peer_SnapshotResume {
        try wait(resume.futureResult, nanoseconds: nanoseconds)
    }

    func waitForVerdict(nanoseconds: Int64) throws -> Brokerfs_Peer_SnapshotReceived {
        try wait(verdict.futureResult, nanoseconds: nanoseconds)
    }

    /// What the receiver said, whatever else went wrong.
    var saidVerdict: Brokerfs_Peer_SnapshotReceived? { early.withLock { $0 } }

    /// Waits, and ends the connection where nothing comes: that ends the waiting, too.
    func wait<Value: Sendable>(
        _ future: EventLoopFuture<Value>,
        nanoseconds: Int64
    ) throws -> Value {
        let channel = channel
        let timeout = channel.eventLoop.scheduleTask(in: .nanoseconds(nanoseconds)) {
            channel.close(promise: nil)
        }
        defer { timeout.cancel() }
        return try future.wait()
    }

    fileprivate func receive(_ message: Brokerfs_Peer_SnapshotResume) {
        resume.succeed(message)
    }

    fileprivate func receive(_ message: Brokerfs_Peer_SnapshotReceived) {
        early.withLock { $0 = message }
        verdict.succeed(message)
        resume.fail(SnapshotError.refused("decided already"))
    }

    /// Nothing more will be said; who waits is told why.
    func end(_ error: any Error) {
        resume.fail(error)
        verdict.fail(error)
    }
}

/// Speaks for a ``SnapshotExchange``: hello, then the offer, then what the worker writes.
final class SnapshotOutgoingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private enum Phase { case securing, greeting, offered, ended }

    private let exchange: SnapshotExchange
    private let link: PeerLink
    private let offer: SnapshotOffer
    private var phase = Phase.securing
    private var deadline: Scheduled<Void>?

    init(_ exchange: SnapshotExchange, _ link: PeerLink, _ offer: SnapshotOffer) {
        self.exchange = exchange
        self.link = link
        self.offer = offer
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        let limits = link.context.limits
        deadline = context.eventLoop.scheduleTask(in: .nanoseconds(limits.handshakeNanoseconds)) {
            bound.value.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted = event as? TLSUserEvent, case .securing = phase {
            greet(context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func greet(_ context: ChannelHandlerContext) {
        let handshake = link.context.handshake
        do throws(PeerRefusal) {
            try handshake.check(certificate: context.peerIdentity, of: link.member)
        } catch {
            return refuse(context, error)
        }
        phase = .greeting
        let hello = handshake.hello(to: link.id.rawValue, purpose: .snapshot)
        context.channel.write(.hello(hello), limits: link.context.limits)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do throws(PeerCodingError) {
            switch (phase, try PeerFraming.decode(unwrapInboundIn(data))) {
            case (.greeting, .welcome(let welcome)): receive(welcome, context)
            case (.greeting, .refusal(let refusal)): refuse(context, PeerRefusal(refusal))
            case (.offered, .snapshotResume(let resume)): exchange.receive(resume)
            case (.offered, .snapshotReceived(let verdict)): exchange.receive(verdict)
            // The next snapshot is sent with the new certificates.
            case (.offered, .renew), (.ended, _): break
            default: throw .unexpected("a frame that no receiver of a snapshot sends now")
            }
        } catch {
            end(context, error)
        }
    }

    private func receive(_ welcome: Brokerfs_Peer_Welcome, _ context: ChannelHandlerContext) {
        do throws(PeerRefusal) {
            try link.context.handshake.check(welcome, of: link.member)
            try link.admit(incarnation: welcome.incarnation)
        } catch {
            return refuse(context, error)
        }
        deadline?.cancel()
        phase = .offered
        context.channel.write(.snapshotOffer(offer.wire), limits: link.context.limits)
    }

    private func refuse(_ context: ChannelHandlerContext, _ refusal: PeerRefusal) {
        link.refused(refusal)
        end(context, refusal)
    }

    private func end(_ context: ChannelHandlerContext, _ error: any Error) {
        phase = .ended
        exchange.end(error)
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(context, error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        phase = .ended
        deadline?.cancel()
        exchange.end(ChannelError.ioOnClosedChannel)
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
        exchange.end(ChannelError.ioOnClosedChannel)
    }
}
