// SPDX-License-Identifier: Apache-2.0

import Identity
import NIOCore
import NIOSSL
import Node
import Raft
import Replica

/// The end of a connection that another member dialed: messages and questions come in, and only
/// answers go out.
final class IncomingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private enum Phase {
        /// TLS, and the hello behind it.
        case securing
        case consensus(PeerLink)
        /// Frames go on to the handler behind this one.
        case snapshot(PeerLink)
        case ended
    }

    private let network: PeerNetwork
    private var phase = Phase.securing
    private var deadline: Scheduled<Void>?
    /// Questions of this connection that have no answer yet.
    private var asksCount = 0

    init(_ network: PeerNetwork) {
        self.network = network
    }

    private var limits: PeerLimits { network.context.limits }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: .nanoseconds(limits.handshakeNanoseconds)) {
            bound.value.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .snapshot = phase { return context.fireChannelRead(data) }
        let bytes = unwrapInboundIn(data)
        do throws(PeerCodingError) {
            switch (phase, try PeerFraming.decode(bytes)) {
            case (.securing, .hello(let hello)): receive(hello, context)
            case (.securing, .join(let join)): admit(join, context)
            case (.consensus(let link), .raft(let message)):
                link.heard(bytes: bytes.readableBytes)
                let message = try Raft.Message(message, from: link.id, to: network.context.own)
                network.context.host.deliver(.receive(message))
            case (.consensus(let link), .ask(let ask)):
                link.heard(bytes: bytes.readableBytes)
                answer(ask.number, try PeerRequest(ask), context)
            case (.ended, _): break
            default: throw .unexpected("a frame that nobody who dials sends now")
            }
        } catch {
            end(context, "\(error)")
        }
    }

    private func receive(_ hello: Brokerfs_Peer_Hello, _ context: ChannelHandlerContext) {
        let handshake = network.context.handshake
        do throws(PeerRefusal) {
            let (member, purpose, version) = try handshake.judge(
                hello,
                certificate: context.peerIdentity,
                members: network.members
            )
            guard let link = network.link(to: MemberID(member.id)) else {
                throw PeerRefusal(.unknownMember, "\(member.name) is not in the group")
            }
            try link.admit(incarnation: hello.incarnation)
            try addHandlers(for: purpose, link, context)
            deadline?.cancel()
            for old in network.incoming.name(context.channel, member.id, purpose) {
                old.close(promise: nil)
            }
            if purpose == .consensus { link.incomingChanged(by: 1) }
            phase = purpose == .consensus ? .consensus(link) : .snapshot(link)
            context.channel.write(.welcome(handshake.welcome(version: version)), limits: limits)
        } catch {
            phase = .ended
            network.context.refusals.note(context.peerName, error)
            let channel = context.channel
            channel.write(.refusal(Brokerfs_Peer_Refusal(error)), limits: limits)
            channel.close(promise: nil)
        }
    }

    /// Somebody with a token wants to be a member; this connection ends with the answer.
    private func admit(_ join: Brokerfs_Peer_Join, _ context: ChannelHandlerContext) {
        phase = .ended
        deadline?.cancel()
        let (channel, peer) = (context.channel, context.peerName)
        let (limits, refusals) = (limits, network.context.refusals)
        let answer: @Sendable (Result<JoinGrant, PeerRefusal>) -> Void = { result in
            switch result {
            case .success(let grant):
                channel.write(.joined(Brokerfs_Peer_Joined(grant)), limits: limits)
            case .failure(let refusal):
                refusals.note(peer, refusal)
                channel.write(.refusal(Brokerfs_Peer_Refusal(refusal)), limits: limits)
            }
            channel.close(promise: nil)
        }
        do throws(PeerRefusal) {
            guard let admission = network.context.host.admission else {
                throw PeerRefusal(.token, "this node admits nobody")
            }
            admission.admit(try JoinRequest(join), completion: answer)
        } catch {
            answer(.failure(error))
        }
    }

    private func addHandlers(
        for purpose: PeerPurpose,
        _ link: PeerLink,
        _ context: ChannelHandlerContext
    ) throws(PeerRefusal) {
        guard purpose == .snapshot else { return }
        let silence = TimeAmount.nanoseconds(limits.snapshots.stallNanoseconds)
        do {
            try context.pipeline.syncOperations.addHandlers([
                IdleStateHandler(readTimeout: silence), SnapshotIncomingHandler(network, link),
            ])
        } catch {
            throw PeerRefusal(.busy, "\(error)")
        }
    }

    private func answer(
        _ number: UInt64,
        _ request: PeerRequest,
        _ context: ChannelHandlerContext
    ) {
        let channel = context.channel
        guard asksCount < limits.asksMax else {
            return channel.write(.answer(.init(.failed(.busy), number: number)), limits: limits)
        }
        asksCount += 1
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        network.context.host.answer(request) { answer in
            channel.eventLoop.execute {
                let handler = bound.value
                handler.asksCount -= 1
                channel.write(
                    .answer(Brokerfs_Peer_Answer(answer, number: number)),
                    limits: handler.limits
                )
            }
        }
    }

    private func end(_ context: ChannelHandlerContext, _ reason: String) {
        if case .ended = phase { return }
        let peer =
            if case .consensus(let link) = phase { link.member.name } else { context.peerName }
        leave()
        network.context.refusals.note(peer, PeerRefusal(.unknown, reason))
        context.close(promise: nil)
    }

    private func leave() {
        if case .consensus(let link) = phase { link.incomingChanged(by: -1) }
        phase = .ended
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .snapshot = phase { return context.fireErrorCaught(error) }
        switch (phase, error) {
        case (.consensus, is NIOSSLError), (.consensus, is IOError), (.consensus, is ChannelError):
            // The connection is gone, which the other end explains, if anybody.
            context.close(promise: nil)
        default: end(context, "\(error)")
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }
}

extension ChannelHandlerContext {
    /// Whom to name where a peer is refused: what its certificate says, or where it comes from.
    fileprivate var peerName: String {
        peerIdentity.map { $0.uri } ?? channel.remoteAddress?.ipAddress ?? "unknown"
    }
}
