// SPDX-License-Identifier: Apache-2.0

import Identity
import NIOCore
import NIOSSL
import NIOTLS
import Node
import Raft

/// The end of a connection that this member dialed: hello, then messages and questions go out, and
/// only answers come in.
final class OutgoingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private enum Phase {
        /// TLS is under way.
        case securing
        /// The hello is out.
        case greeting
        case established
        case ended
    }

    private let link: PeerLink
    private let number: UInt64
    private let generation: UInt64
    private var phase = Phase.securing
    private var wasEstablished = false
    private var reason: String?
    private var deadline: Scheduled<Void>?
    private var isReported = false

    init(_ link: PeerLink, number: UInt64, generation: UInt64) {
        self.link = link
        self.number = number
        self.generation = generation
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let limits = link.context.limits
        deadline = context.eventLoop.scheduleTask(in: .nanoseconds(limits.handshakeNanoseconds)) {
            let (handler, context) = bound.value
            handler.end(context, "the handshake took too long")
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted = event as? TLSUserEvent, case .securing = phase {
            greet(context)
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func greet(_ context: ChannelHandlerContext) {
        let peer = link.context
        do throws(PeerRefusal) {
            try peer.handshake.check(
                certificate: context.peerIdentity,
                of: link.member
            )
        } catch {
            return refuse(context, error)
        }
        phase = .greeting
        let hello = peer.handshake.hello(to: link.id.rawValue, purpose: .consensus)
        context.channel.write(.hello(hello), limits: peer.limits)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do throws(PeerCodingError) {
            let frame = try PeerFraming.decode(unwrapInboundIn(data))
            switch (phase, frame) {
            case (.greeting, .welcome(let welcome)): receive(welcome, context)
            case (.greeting, .refusal(let refusal)): refuse(context, PeerRefusal(refusal))
            case (.established, .answer(let answer)):
                link.answered(answer.number, try PeerAnswer(answer))
            case (.established, .renew): link.dial()
            case (.ended, _): break
            default: throw .unexpected("a frame that only whoever dials sends")
            }
        } catch {
            end(context, "\(error)")
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
        phase = .established
        wasEstablished = true
        link.established(number, context.channel, generation: generation)
    }

    private func refuse(_ context: ChannelHandlerContext, _ refusal: PeerRefusal) {
        link.refused(refusal)
        end(context, refusal.text)
    }

    private func end(_ context: ChannelHandlerContext, _ reason: String) {
        phase = .ended
        if self.reason == nil { self.reason = reason }
        context.close(promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { link.drain() }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(context, "\(error)")
    }

    func channelInactive(context: ChannelHandlerContext) {
        report()
        context.fireChannelInactive()
    }

    /// Where the connection had ended before this handler came, nothing else says so.
    func handlerRemoved(context: ChannelHandlerContext) {
        report()
    }

    private func report() {
        guard !isReported else { return }
        isReported = true
        deadline?.cancel()
        phase = .ended
        link.ended(
            number,
            wasEstablished: wasEstablished,
            error: reason ?? "the peer closed the connection"
        )
    }
}

extension ChannelHandlerContext {
    /// Who the other end's certificate says it is, once TLS stands.
    var peerIdentity: ClusterIdentity? {
        guard let certificate = try? pipeline.syncOperations.nioSSL_peerCertificate(),
            let bytes = try? certificate.toDERBytes()
        else { return nil }
        return ClusterIdentity(certificate: bytes)
    }
}
