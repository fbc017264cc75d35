// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// The peer took nothing of what waited for it.
struct StalledWriteError: Error, CustomStringConvertible {
    var description: String { "the peer takes nothing" }
}

/// Closes a connection whose peer takes nothing although something waits for it.
///
/// It stands next to the socket: what it sees written is what TLS made of it, and what of that
/// is not buffered any more the kernel has taken.
final class StalledWriteHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let timeout: TimeAmount
    private var writtenBytes = 0
    private var takenBytes = 0
    private var check: RepeatedTask?
    private static let checksPerTimeout: Int64 = 2
    /// Checks without progress until the connection ends.
    private var stalledChecks: Int64 = 0

    init(timeout: TimeAmount) {
        self.timeout = timeout
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let interval = TimeAmount.nanoseconds(timeout.nanoseconds / Self.checksPerTimeout)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        check = context.eventLoop.scheduleRepeatedTask(
            initialDelay: interval,
            delay: interval
        ) { _ in
            let (handler, context) = bound.value
            handler.look(context)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        check?.cancel()
        check = nil
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        writtenBytes += unwrapOutboundIn(data).readableBytes
        context.write(data, promise: promise)
    }

    private func look(_ context: ChannelHandlerContext) {
        guard
            let buffered = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)
        else { return }
        let taken = writtenBytes - buffered
        defer { takenBytes = taken }
        guard buffered > 0, taken == takenBytes else {
            stalledChecks = 0
            return
        }
        stalledChecks += 1
        guard stalledChecks >= Self.checksPerTimeout else { return }
        check?.cancel()
        context.fireErrorCaught(StalledWriteError())
        context.close(promise: nil)
    }
}
