// SPDX-License-Identifier: Apache-2.0

import Identity
import NIOCore
import NIOExtras
import SwiftProtobuf

/// Frames: a 32-bit big-endian length, then one `Frame` of Protos/brokerfs/peer.proto.
enum PeerFraming {
    private static let lengthBytes = 4

    /// What cuts the bytes of a connection into frames; a longer frame is an error.
    static func decoder(
        frameBytesMax: Int
    ) -> ByteToMessageHandler<LengthFieldBasedFrameDecoder> {
        ByteToMessageHandler(
            LengthFieldBasedFrameDecoder(lengthFieldBitLength: .fourBytes),
            maximumBufferSize: frameBytesMax + lengthBytes
        )
    }

    /// Appends a frame; throws where it is longer than the other side takes.
    static func append(
        _ kind: Brokerfs_Peer_Frame.OneOf_Kind,
        to buffer: inout ByteBuffer,
        frameBytesMax: Int
    ) throws(PeerCodingError) {
        var frame = Brokerfs_Peer_Frame()
        frame.kind = kind
        // Serialization fails only beyond 2 GiB; proto3 has no required fields.
        guard let bytes: [UInt8] = try? frame.serializedBytes() else {
            throw .tooLarge(bytes: .max)
        }
        guard bytes.count <= frameBytesMax else { throw .tooLarge(bytes: bytes.count) }
        buffer.writeInteger(UInt32(bytes.count))
        buffer.writeBytes(bytes)
    }

    static func decode(
        _ frame: ByteBuffer
    ) throws(PeerCodingError) -> Brokerfs_Peer_Frame.OneOf_Kind {
        guard let frame = try? Brokerfs_Peer_Frame(serializedBytes: Array(frame.readableBytesView))
        else { throw .undecodable }
        guard let kind = frame.kind else { throw .missing("kind of frame") }
        return kind
    }
}

extension Channel {
    /// Writes one small frame.
    func write(_ kind: Brokerfs_Peer_Frame.OneOf_Kind, limits: PeerLimits) {
        var buffer = allocator.buffer(capacity: 256)
        do throws(PeerCodingError) {
            try PeerFraming.append(kind, to: &buffer, frameBytesMax: limits.frameBytesMax)
        } catch {
            return pipeline.fireErrorCaught(error)
        }
        writeAndFlush(buffer, promise: nil)
    }
}
