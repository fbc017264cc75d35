// SPDX-License-Identifier: Apache-2.0

import Identity
import NIOCore
import NIOSSL
import NIOTLS

/// The end of a connection of whoever joins: says who it is once TLS stands, and hears one answer.
final class JoinHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let request: JoinRequest
    private let address: String
    private let seconds: Int64
    private var promise: EventLoopPromise<JoinGrant>?
    private var isSecure = false
    private var deadline: Scheduled<Void>?

    init(
        _ request: JoinRequest,
        to address: String,
        within seconds: Int64,
        _ promise: EventLoopPromise<JoinGrant>
    ) {
        self.request = request
        self.address = address
        self.seconds = seconds
        self.promise = promise
    }

    func channelActive(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        deadline = context.eventLoop.scheduleTask(in: .seconds(seconds)) {
            let (handler, context) = bound.value
            handler.end(context, .failure(.noAnswer(address: handler.address)))
        }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted = event as? TLSUserEvent {
            isSecure = true
            context.channel.write(.join(Brokerfs_Peer_Join(request)), limits: PeerLimits())
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do throws(PeerCodingError) {
            switch try PeerFraming.decode(unwrapInboundIn(data)) {
            case .joined(let joined):
                end(context, .success(try JoinGrant(joined, name: request.name)))
            case .refusal(let refusal):
                end(context, .failure(.refused(PeerRefusal(refusal))))
            default: throw .unexpected("a frame that is no answer to a join")
            }
        } catch {
            end(context, .failure(.answer("\(error)")))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if !isSecure, case .handshakeFailed(.sslError)? = error as? NIOSSLError {
            end(context, .failure(.notTheGroup(address: address)))
        } else if !isSecure {
            end(context, .failure(.unreachable(address: address, reason: "\(error)")))
        } else {
            // With TLS 1.3 the node says only behind the handshake that it wants a certificate.
            end(context, .failure(.closed(address: address)))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let reason = "the connection ended before TLS stood"
        end(
            context,
            .failure(
                isSecure
                    ? .noAnswer(address: address) : .unreachable(address: address, reason: reason)
            )
        )
        context.fireChannelInactive()
    }

    private func end(_ context: ChannelHandlerContext, _ result: Result<JoinGrant, JoinError>) {
        deadline?.cancel()
        promise?.completeWith(result.mapError { $0 as any Error })
        promise = nil
        context.close(promise: nil)
    }
}
