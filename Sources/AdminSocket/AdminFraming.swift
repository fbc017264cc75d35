// SPDX-License-Identifier: Apache-2.0

import Identity
import NIOCore
import NIOExtras
import SwiftProtobuf

/// Frames of the admin socket: a 32-bit big-endian length, then one protobuf message.
enum AdminFraming {
    /// Adds the length framing and the codec to a pipeline.
    static func add<In: Message, Out: Message>(
        to channel: any Channel,
        inbound: In.Type,
        outbound: Out.Type
    ) throws {
        try channel.pipeline.syncOperations.addHandlers([
            ByteToMessageHandler(
                LengthFieldBasedFrameDecoder(lengthFieldBitLength: .fourBytes),
                maximumBufferSize: Limits.adminFrameBytesMax
            ),
            LengthFieldPrepender(lengthFieldBitLength: .fourBytes),
            MessageCodec<In, Out>(),
        ])
    }
}

/// Turns frames into messages and back; anything else closes the connection.
private final class MessageCodec<In: Message, Out: Message>: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = In
    typealias OutboundIn = Out
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        do {
            let message = try In(serializedBytes: Array(buffer.readableBytesView))
            context.fireChannelRead(wrapInboundOut(message))
        } catch {
            context.fireErrorCaught(error)
            context.close(promise: nil)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        do {
            let bytes: [UInt8] = try unwrapOutboundIn(data).serializedBytes()
            context.write(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: promise)
        } catch {
            promise?.fail(error)
        }
    }
}
