// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import Synchronization

/// Stands between a member and those who dial it: passes bytes on, and cuts connections where the
/// test says so.
final class CuttingProxy: Sendable {
    struct State {
        /// Bytes from the dialing end, for each connection in the order they were made.
        var forwarded: [Int] = []
        /// After how many of them a connection is cut.
        var cutAfter: [Int: Int] = [:]
        var channels: [any Channel] = []
    }

    let state = Mutex(State())
    let port: Int
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let listener: any Channel

    init(to target: Int) throws {
        let state = Reference()
        listener = try ServerBootstrap(group: group)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { inbound in
                guard let proxy = state.proxy else { return inbound.close() }
                return proxy.join(inbound, to: target)
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        port = listener.localAddress?.port ?? 0
        state.set(self)
    }

    /// Handed to the listening socket before there is a proxy.
    private final class Reference: Sendable {
        private let value = Mutex<CuttingProxy?>(nil)
        var proxy: CuttingProxy? { value.withLock { $0 } }
        func set(_ proxy: CuttingProxy) { value.withLock { $0 = proxy } }
    }

    private func join(_ inbound: any Channel, to target: Int) -> EventLoopFuture<Void> {
        ClientBootstrap(group: inbound.eventLoop).connect(host: "127.0.0.1", port: target)
            .flatMapThrowing { outbound in
                let number = self.state.withLock { state in
                    state.forwarded.append(0)
                    state.channels += [inbound, outbound]
                    return state.forwarded.count - 1
                }
                try outbound.pipeline.syncOperations.addHandler(Forward(to: inbound) { _ in true })
                try inbound.pipeline.syncOperations.addHandler(
                    Forward(to: outbound) { self.mayPass($0, number) }
                )
                inbound.setOption(.autoRead, value: true).whenFailure { _ in }
            }
    }

    private func mayPass(_ bytes: Int, _ number: Int) -> Bool {
        state.withLock { state in
            state.forwarded[number] += bytes
            return state.forwarded[number] <= state.cutAfter[number] ?? .max
        }
    }

    var forwarded: [Int] { state.withLock { $0.forwarded } }

    /// Ends all connections there are.
    func cut() {
        for channel in state.withLock({ $0.channels }) { channel.close(promise: nil) }
    }

    func stop() {
        try? listener.close().wait()
        cut()
        try? group.syncShutdownGracefully()
    }

    private final class Forward: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let partner: any Channel
        private let mayPass: (Int) -> Bool

        init(to partner: any Channel, mayPass: @escaping (Int) -> Bool) {
            self.partner = partner
            self.mayPass = mayPass
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = unwrapInboundIn(data)
            guard mayPass(buffer.readableBytes) else { return context.close(promise: nil) }
            partner.writeAndFlush(buffer, promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            partner.close(promise: nil)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}
