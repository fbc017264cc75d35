// SPDX-License-Identifier: Apache-2.0

package import Identity
import NIOCore
import NIOPosix

/// Why the command line got no answer.
package enum AdminClientError: Error, CustomStringConvertible {
    /// No node listens there: it is not running, or serves another directory.
    case noNode(path: String)
    /// The node went away before it answered: a change may or may not have happened.
    case closed
    /// The node owes an answer and gave none in time.
    case silent

    package var description: String {
        switch self {
        case .noNode(let path):
            "no node answers on \(path): is brokerfs running? (--data DIR or BROKERFS_DATA)"
        case .closed: "the node closed the connection before it answered; the outcome is unknown"
        case .silent:
            "the node is there and does not answer; what it was asked for may still happen"
        }
    }
}

/// A connection to a running node.
package struct AdminClient {
    private typealias Connection = NIOAsyncChannel<Brokerfs_Admin_Response, Brokerfs_Admin_Request>

    /// Sends requests and gives each its answer, in order; at most `window` are under way.
    ///
    /// `next` returns nil at the end. The node may take `timeoutSeconds` for each answer.
    ///
    /// Throws ``AdminClientError``.
    package static func exchange(
        path: String,
        timeoutSeconds: Int,
        window: Int = 4,
        next: () throws -> Brokerfs_Admin_Request?,
        answer: (Brokerfs_Admin_Response) throws -> Void
    ) async throws {
        let connection = try await connect(path, timeoutSeconds: timeoutSeconds)
        try await use(connection) { inbound, outbound in
            var responses = inbound.makeAsyncIterator()
            var underWay = 0
            var isDone = false
            while !isDone || underWay > 0 {
                while !isDone, underWay < window {
                    guard let request = try next() else {
                        isDone = true
                        break
                    }
                    try await outbound.write(request)
                    underWay += 1
                }
                guard underWay > 0 else { break }
                guard let response = try await responses.next() else {
                    throw AdminClientError.closed
                }
                underWay -= 1
                try answer(response)
            }
        }
    }

    /// Sends one request.
    package static func ask(
        path: String,
        timeoutSeconds: Int,
        _ request: Brokerfs_Admin_Request
    ) async throws -> Brokerfs_Admin_Response {
        var requests = [request]
        var answers: [Brokerfs_Admin_Response] = []
        try await exchange(
            path: path,
            timeoutSeconds: timeoutSeconds,
            next: { requests.popLast() },
            answer: { answers.append($0) }
        )
        guard let answer = answers.first else { throw AdminClientError.closed }
        return answer
    }

    /// Sends one request, and gives `answer` whatever comes until the node ends it.
    ///
    /// `answer` holds the node up while it runs: what it has not taken stays in the node.
    package static func follow(
        path: String,
        _ request: Brokerfs_Admin_Request,
        answer: (Brokerfs_Admin_Response) throws -> Void
    ) async throws {
        let connection = try await connect(path)
        try await use(connection) { inbound, outbound in
            try await outbound.write(request)
            for try await response in inbound { try answer(response) }
        }
    }

    /// A node that is killed resets the connection: its end, as good as any other.
    private static func use(
        _ connection: Connection,
        _ body: (
            NIOAsyncChannelInboundStream<Brokerfs_Admin_Response>,
            NIOAsyncChannelOutboundWriter<Brokerfs_Admin_Request>
        ) async throws -> Void
    ) async throws {
        do {
            try await connection.executeThenClose { try await body($0, $1) }
        } catch is IOError {
            throw AdminClientError.closed
        } catch is ChannelError {
            throw AdminClientError.closed
        }
    }

    /// `timeoutSeconds` nil: whoever follows has nothing to wait for.
    private static func connect(
        _ path: String,
        timeoutSeconds: Int? = nil
    ) async throws -> Connection {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        do {
            return try await bootstrap.connect(unixDomainSocketPath: path) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try AdminFraming.add(
                        to: channel,
                        inbound: Brokerfs_Admin_Response.self,
                        outbound: Brokerfs_Admin_Request.self
                    )
                    if let timeoutSeconds {
                        try channel.pipeline.syncOperations.addHandler(
                            AnswerDeadline(seconds: timeoutSeconds)
                        )
                    }
                    return try Connection(wrappingChannelSynchronously: channel)
                }
            }
        } catch {
            throw AdminClientError.noNode(path: path)
        }
    }
}
