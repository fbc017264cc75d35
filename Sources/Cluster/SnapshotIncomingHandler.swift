// SPDX-License-Identifier: Apache-2.0

import Identity
import Logging
import NIOCore
import NIOPosix
import Node

/// The receiving end of a snapshot's connection: one frame at a time goes to the disk, and nothing
/// more is read than a few chunks ahead of it.
final class SnapshotIncomingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let network: PeerNetwork
    private let link: PeerLink
    private var transfer: (IncomingSnapshot, claim: UInt64)?
    private var waiting: [Brokerfs_Peer_Frame.OneOf_Kind] = []
    private var isBusy = false
    private var isReading = true
    private var hasEnded = false
    /// Nothing more is expected; the node decides.
    private var isHandedOver = false

    init(_ network: PeerNetwork, _ link: PeerLink) {
        self.network = network
        self.link = link
    }

    private enum Work {
        case offer(Brokerfs_Peer_SnapshotOffer)
        case chunk(IncomingSnapshot, UInt64, Brokerfs_Peer_SnapshotChunk)
        case done(IncomingSnapshot, UInt64)
    }

    private enum Outcome {
        case reception(SnapshotReceiver.Reception)
        case stored
        /// The node has the copy; its verdict follows.
        case handedOver
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !hasEnded else { return }
        let bytes = unwrapInboundIn(data)
        link.heard(bytes: bytes.readableBytes)
        do throws(PeerCodingError) {
            waiting.append(try PeerFraming.decode(bytes))
        } catch {
            return end(context, "\(error)")
        }
        work(context)
    }

    private func work(_ context: ChannelHandlerContext) {
        limitReading(context)
        guard !isBusy, !waiting.isEmpty, !hasEnded else { return }
        let work: Work
        switch (waiting.removeFirst(), transfer) {
        case (.snapshotOffer(let offer), nil): work = .offer(offer)
        case (.snapshotChunk(let chunk), let (transfer, claim)?):
            work = .chunk(transfer, claim, chunk)
        case (.snapshotDone, let (transfer, claim)?): work = .done(transfer, claim)
        default: return end(context, "a frame that no snapshot has here")
        }
        isBusy = true
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let (receiver, sender) = (network.receiver, link.id)
        let channel = context.channel
        let limits = network.context.limits
        receiver.pool.runIfActive(eventLoop: context.eventLoop) { () -> Outcome in
            switch work {
            case .offer(let offer): return .reception(try receiver.receive(offer, from: sender))
            case .chunk(let transfer, let claim, let chunk):
                try transfer.write(chunk, claim)
                return .stored
            case .done(let transfer, let claim):
                try receiver.finish(transfer, claim) { verdict in
                    channel.write(.snapshotReceived(verdict), limits: limits)
                }
                return .handedOver
            }
        }.whenComplete { result in
            let (handler, context) = bound.value
            handler.isBusy = false
            handler.worked(context, result)
        }
    }

    private func worked(_ context: ChannelHandlerContext, _ result: Result<Outcome, any Error>) {
        let (channel, limits) = (context.channel, network.context.limits)
        switch result {
        case .success(.reception(.resume(let transfer, let claim, let resume))):
            self.transfer = (transfer, claim)
            if hasEnded { return detach() }
            channel.write(.snapshotResume(resume), limits: limits)
        case .success(.reception(.finished(let verdict))):
            channel.write(.snapshotReceived(verdict), limits: limits)
        case .success(.handedOver):
            transfer = nil
            isHandedOver = true
        case .success(.stored): break
        case .failure(let error as SnapshotError): return fail(context, error)
        case .failure(let error): return end(context, "\(error)")
        }
        work(context)
    }

    /// Tells the sender, where another try makes no sense, and ends the connection.
    private func fail(_ context: ChannelHandlerContext, _ error: SnapshotError) {
        if !error.isTransient {
            if let (transfer, _) = transfer {
                self.transfer = nil
                let receiver = network.receiver
                receiver.pool.submit { _ in receiver.abandon(transfer) }
            }
            var verdict = Brokerfs_Peer_SnapshotReceived()
            verdict.reason = PeerBounds.shortened("\(error)")
            context.channel.write(.snapshotReceived(verdict), limits: network.context.limits)
        }
        end(context, "\(error)")
    }

    /// Whoever sends faster than the disk takes it waits.
    private func limitReading(_ context: ChannelHandlerContext) {
        let isReading = waiting.count < network.context.limits.snapshots.chunksInFlightMax
        guard isReading != self.isReading else { return }
        self.isReading = isReading
        context.channel.setOption(.autoRead, value: isReading).whenFailure { _ in
            // The channel is closed; nothing is read from it in any case.
        }
    }

    private func end(_ context: ChannelHandlerContext, _ reason: String) {
        guard !hasEnded else { return }
        hasEnded = true
        waiting = []
        network.context.log.notice(
            "a snapshot's connection ends",
            metadata: ["from": "\(link.member.name)", "reason": "\(reason)"]
        )
        context.close(promise: nil)
    }

    private func detach() {
        if let (transfer, claim) = transfer {
            transfer.detach(claim, now: Clock.monotonicNanoseconds())
        }
        transfer = nil
    }

    /// A sender that is stopped must not keep others from sending.
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .read = event as? IdleStateHandler.IdleStateEvent, !isBusy, waiting.isEmpty,
            !isHandedOver
        {
            end(context, "the sender is silent")
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(context, "\(error)")
    }

    func channelInactive(context: ChannelHandlerContext) {
        hasEnded = true
        waiting = []
        detach()
        context.fireChannelInactive()
    }
}
