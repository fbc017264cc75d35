// SPDX-License-Identifier: Apache-2.0

import Identity
import NIOCore

/// Ends a connection whose node owes an answer and gives none for too long.
///
/// A node that is stopped or stuck still has its socket: without this whoever asks would wait for
/// ever, a login gate or an operator in an emergency among them.
final class AnswerDeadline: ChannelDuplexHandler {
    typealias InboundIn = Brokerfs_Admin_Response
    typealias InboundOut = Brokerfs_Admin_Response
    typealias OutboundIn = Brokerfs_Admin_Request
    typealias OutboundOut = Brokerfs_Admin_Request

    private let limit: TimeAmount
    private var owed = 0
    private var timer: Scheduled<Void>?

    init(seconds: Int) {
        limit = .seconds(Int64(seconds))
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        owed += 1
        if timer == nil { startTimer(context) }
        context.write(data, promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        owed -= 1
        timer?.cancel()
        timer = nil
        if owed > 0 { startTimer(context) }
        context.fireChannelRead(data)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        context.fireChannelInactive()
    }

    private func startTimer(_ context: ChannelHandlerContext) {
        let connection = NIOLoopBound(context, eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: limit) {
            let context = connection.value
            context.fireErrorCaught(AdminClientError.silent)
            context.close(promise: nil)
        }
    }
}
