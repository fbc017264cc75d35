// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOTLS

/// Bounds what somebody without a certificate may send: one small frame, with a token.
final class StrangerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// More than a join has.
    static let bytesMax = 16 << 10

    /// What may still come; nil for a member.
    private var rest: Int? = bytesMax

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted = event as? TLSUserEvent, context.peerIdentity != nil {
            rest = nil
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if let rest {
            let bytes = unwrapInboundIn(data).readableBytes
            guard bytes <= rest else { return context.close(promise: nil) }
            self.rest = rest - bytes
        }
        context.fireChannelRead(data)
    }
}
