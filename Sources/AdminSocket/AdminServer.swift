// SPDX-License-Identifier: Apache-2.0

import FSMap
import Glibc
import Identity
package import Logging
import NIOCore
import NIOPosix
package import Node

/// The unix socket through which the command line reaches a running node.
package final class AdminServer: Sendable {
    /// The socket of a data directory.
    package static func path(inData directory: String) -> String { directory + "/brokerfs.sock" }

    private let group: MultiThreadedEventLoopGroup
    private let channel: any Channel
    private let responder: AdminResponder

    /// Listens; the socket gets mode 0660 before anybody can connect.
    ///
    /// Throws where the path is too long for a socket (unix(7): 107 bytes) or not writable. A
    /// socket left by a node that crashed is replaced: the directory's lock is ours. `tokens` nil:
    /// nobody joins through this node.
    package init(
        _ node: LocalNode,
        path: String,
        status: AdminStatus,
        tokens: IssueToken? = nil,
        log: Logger
    ) throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let responder = AdminResponder(node: node, status: status, tokens: tokens)
        let seats = WatchSeats()
        let bootstrap = ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try AdminFraming.add(
                        to: channel,
                        inbound: Brokerfs_Admin_Request.self,
                        outbound: Brokerfs_Admin_Response.self
                    )
                    try channel.pipeline.syncOperations.addHandler(
                        AdminConnection(responder, seats, log: log)
                    )
                }
            }
        let mask = umask(0o117)
        defer { umask(mask) }
        do {
            channel = try bootstrap.bind(
                unixDomainSocketPath: path,
                cleanupExistingSocketFile: true
            )
            .wait()
        } catch {
            try? group.syncShutdownGracefully()
            throw error
        }
        self.group = group
        self.responder = responder
    }

    /// Stops listening and removes the socket; who is connected is still answered.
    ///
    /// Idempotent.
    package func stopListening() {
        if case .unixDomainSocket? = channel.localAddress.map(Self.kind),
            let path = channel.localAddress?.pathname
        {
            unlink(path)
        }
        try? channel.close().wait()
    }

    /// Ends the connections, after the node has answered all it will answer.
    ///
    /// Idempotent.
    package func close() {
        stopListening()
        responder.finish()
        try? group.syncShutdownGracefully()
    }

    private enum Kind { case unixDomainSocket, other }

    private static func kind(_ address: SocketAddress) -> Kind {
        if case .unixDomainSocket = address { .unixDomainSocket } else { .other }
    }
}

/// One connection: answers in the order of the requests, also where they overlap.
private final class AdminConnection: ChannelInboundHandler {
    typealias InboundIn = Brokerfs_Admin_Request
    typealias OutboundOut = Brokerfs_Admin_Response

    private let responder: AdminResponder
    private let seats: WatchSeats
    private let log: Logger
    private var answers: [Brokerfs_Admin_Response?] = []
    private var firstNumber = 0
    private var stream: WatchStream?
    private var isReading = true
    /// How many requests of one connection may wait for their answers.
    private static let requestsMax = 16

    init(_ responder: AdminResponder, _ seats: WatchSeats, log: Logger) {
        self.responder = responder
        self.seats = seats
        self.log = log
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let request = unwrapInboundIn(data)
        // Nothing comes after a watch, and nothing that waits may be answered in the middle of it.
        guard stream == nil else { return context.close(promise: nil) }
        if case .watch(let watch)? = request.kind, answers.isEmpty {
            return follow(watch, context)
        }
        let number = firstNumber + answers.count
        answers.append(nil)
        limitReading(context)
        let (eventLoop, connection) = (
            context.eventLoop, NIOLoopBound((self, context), eventLoop: context.eventLoop)
        )
        responder.respond(to: request) { response in
            eventLoop.execute {
                let (handler, context) = connection.value
                handler.answer(number, with: response, context: context)
            }
        }
    }

    private func answer(
        _ number: Int,
        with response: Brokerfs_Admin_Response,
        context: ChannelHandlerContext
    ) {
        answers[number - firstNumber] = response
        while let first = answers.first, let response = first {
            answers.removeFirst()
            firstNumber += 1
            context.write(wrapOutboundOut(response), promise: nil)
        }
        context.flush()
        limitReading(context)
    }

    /// Whoever sends faster than it is answered waits, instead of filling the memory.
    private func limitReading(_ context: ChannelHandlerContext) {
        let isReading = answers.count < Self.requestsMax
        guard isReading != self.isReading else { return }
        self.isReading = isReading
        context.channel.setOption(.autoRead, value: isReading).whenFailure { _ in
            // The channel is closed; nothing is read from it in any case.
        }
    }

    private func follow(_ watch: Brokerfs_Admin_Watch, _ context: ChannelHandlerContext) {
        let refusal: Brokerfs_Admin_Response
        do throws(ViewError) {
            stream = try WatchStream(
                watch,
                node: responder.node,
                seats: seats,
                channel: context.channel
            )
            guard stream == nil else { return }
            refusal = .failure(.busy, "\(Limits.watchersMax) others watch already")
        } catch {
            refusal = .failure(.io, "\(error)")
        }
        context.writeAndFlush(wrapOutboundOut(refusal), promise: nil)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        stream?.close()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        log.warning("admin connection closed", metadata: ["error": "\(error)"])
        context.close(promise: nil)
    }
}
