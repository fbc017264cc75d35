// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore
import NIOPosix

/// How sockets between members are set.
enum PeerSockets {
    /// A connection that is idle is asked after this many seconds whether it still stands.
    private static let keepAliveSeconds: Int = 1
    private static let keepAliveProbes: Int = 3

    /// The options of both ends of a connection.
    ///
    /// `timeout`: what is sent and not acknowledged for so long ends the connection (tcp(7),
    /// TCP_USER_TIMEOUT), so that a cut that has healed is not followed by the long pauses of
    /// retransmission.
    static func options(timeout: TimeAmount) -> [(ChannelOptions.Types.SocketOption, Int)] {
        let milliseconds = max(1, timeout.nanoseconds / 1_000_000)
        return [
            (.init(level: .tcp, name: .tcp_nodelay), 1),
            (.init(level: .socket, name: .so_keepalive), 1),
            (.init(level: .tcp, name: .init(rawValue: TCP_KEEPIDLE)), keepAliveSeconds),
            (.init(level: .tcp, name: .init(rawValue: TCP_KEEPINTVL)), keepAliveSeconds),
            (.init(level: .tcp, name: .init(rawValue: TCP_KEEPCNT)), keepAliveProbes),
            (.init(level: .tcp, name: .init(rawValue: TCP_USER_TIMEOUT)), Int(milliseconds)),
        ]
    }

    /// Keeps the socket out of programs that this process starts: there a connection, or the
    /// listening socket, would outlive the process, and nobody would be refused.
    static func closeOnExec(_ channel: any Channel) throws {
        let isSet = try channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { descriptor in fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 }
        guard isSet == true else { throw IOError(errnoCode: errno, reason: "fcntl") }
    }

    /// Whether all addresses of the host have refused: no process listens there, and the host
    /// itself said so.
    static func isRefused(_ error: any Error) -> Bool {
        if let error = error as? IOError { return error.errnoCode == ECONNREFUSED }
        guard let error = error as? NIOConnectionError else { return false }
        return !error.connectionErrors.isEmpty
            && error.connectionErrors.allSatisfy { isRefused($0.error) }
    }
}

extension PeerContext {
    /// Dials a member; names are resolved anew each time.
    ///
    /// Nothing is read before the first write, so handlers may be added when the connection stands.
    func connect(
        to address: PeerAddress,
        on eventLoop: any EventLoop,
        timeout: TimeAmount
    ) -> EventLoopFuture<any Channel> {
        var bootstrap = ClientBootstrap(group: eventLoop).connectTimeout(connectTimeout)
        for (option, value) in PeerSockets.options(timeout: timeout) {
            bootstrap = bootstrap.channelOption(option, value: value)
        }
        let connected: EventLoopFuture<any Channel>
        // An address needs no resolver, and no thread of one.
        if let literal = try? SocketAddress(ipAddress: address.host, port: address.port) {
            connected = bootstrap.connect(to: literal)
        } else {
            connected = bootstrap.connect(host: address.host, port: address.port)
        }
        return connected.flatMapThrowing { channel in
            try PeerSockets.closeOnExec(channel)
            return channel
        }
    }
}
