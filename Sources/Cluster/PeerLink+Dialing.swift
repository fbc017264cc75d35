// SPDX-License-Identifier: Apache-2.0

import Identity
import Logging
import NIOCore
import NIOSSL
import Node
import Raft
import Replica
import Synchronization

/// Making the connection, and making it again.
extension PeerLink {
    /// Dials, unless that is under way.
    func dial() {
        let dial = state.withLock { state -> (number: UInt64, address: String)? in
            guard state.isOpen, state.dialing == nil else { return nil }
            state.dials += 1
            state.dialing = state.dials
            return (state.dials, state.member.address)
        }
        guard let (number, text) = dial else { return }
        guard let address = PeerAddress(text) else {
            return dialFailed(number, PeersError.address(text))
        }
        let contexts = context.tls.current()
        context.connect(to: address, on: eventLoop, timeout: context.sendTimeout)
            .flatMapThrowing { channel in try self.greet(channel, number, contexts) }
            .whenFailure { error in self.dialFailed(number, error) }
    }

    private func greet(
        _ channel: any Channel,
        _ number: UInt64,
        _ contexts: TLSSource.Contexts
    ) throws {
        let isWanted = state.withLock { state in
            guard state.isOpen else { return false }
            state.greeting = channel
            return true
        }
        guard isWanted else { return channel.close(promise: nil) }
        do {
            try channel.pipeline.syncOperations.addHandlers([
                StalledWriteHandler(timeout: context.sendTimeout),
                try NIOSSLClientHandler(context: contexts.client, serverHostname: nil),
                PeerFraming.decoder(frameBytesMax: context.limits.frameBytesMax),
                OutgoingHandler(self, number: number, generation: contexts.generation),
            ])
        } catch {
            channel.close(promise: nil)
            throw error
        }
    }

    /// A dial came to nothing before anything was said.
    private func dialFailed(_ number: UInt64, _ error: any Error) {
        let isRefused = PeerSockets.isRefused(error)
        let isEvidence = state.withLock { state in
            guard isRefused, let until = state.evidenceUntil else { return false }
            state.evidenceUntil = nil
            return Clock.monotonicNanoseconds() < until
        }
        if isEvidence {
            log.notice("connection refused right after it had ended: the peer's process has died")
            context.host.deliver(.suspectLeader(id))
        }
        retry(after: number, error: "\(error)")
    }

    /// The peer has taken the hello: what is sent from here on goes this way.
    func established(_ number: UInt64, _ channel: any Channel, generation: UInt64) {
        let now = Clock.wall()
        let replaced = state.withLock { state -> (isOpen: Bool, old: (any Channel)?) in
            guard state.isOpen else { return (false, nil) }
            let old = state.connection?.channel
            state.connection = Connection(
                number: number,
                channel: channel,
                address: state.member.address,
                establishedAt: Clock.monotonicNanoseconds(),
                generation: generation
            )
            state.dialing = nil
            state.greeting = nil
            state.failures = 0
            state.isLossTold = false
            state.evidenceUntil = nil
            state.loggedError = nil
            state.status.connectedSince = now
            state.status.lastError = nil
            return (true, old)
        }
        guard replaced.isOpen else { return channel.close(promise: nil) }
        context.refusals.forget(member.name)
        log.info("connected", metadata: ["address": "\(member.address)"])
        if let old = replaced.old { retire(old) }
        drain()
    }

    /// Leaves a connection that was replaced the time to bring the answers it owes.
    private func retire(_ channel: any Channel) {
        eventLoop.scheduleTask(in: .nanoseconds(context.limits.drainNanoseconds)) {
            channel.close(promise: nil)
        }
    }

    /// A connection has ended, established or not.
    func ended(_ number: UInt64, wasEstablished: Bool, error: String) {
        guard wasEstablished else { return retry(after: number, error: error) }
        let now = Clock.monotonicNanoseconds()
        let (asks, lasted, isCurrent) = state.withLock { state in
            var asks = state.asks.failedAll(on: number)
            guard let connection = state.connection, connection.number == number else {
                return (asks, UInt64(0), false)
            }
            state.connection = nil
            state.status.connectedSince = nil
            state.status.lastError = error
            state.status.messagesDropped += UInt64(state.outbox.removeAll())
            asks += state.asks.failedUnsent()
            // A member that has moved is expected not to be there any more.
            let isThere = connection.address == state.member.address
            state.evidenceUntil = isThere ? now + context.evidenceNanoseconds : nil
            state.isLossTold = true
            return (asks, now - connection.establishedAt, state.isOpen)
        }
        for (completion, failure) in asks { completion(.failure(failure)) }
        guard isCurrent else { return }
        log.notice("connection ended", metadata: ["error": "\(error)"])
        context.host.deliver(.unreachable(id))
        // One that ends as soon as it is made would otherwise be made without a pause.
        if lasted >= context.limits.backoffNanosecondsMax {
            dial()
        } else {
            state.withLock { $0.failures += 1 }
            schedule(context.backoff(failures: 1))
        }
    }

    /// The peer, or this member, refuses the other.
    func refused(_ refusal: PeerRefusal) {
        context.refusals.note(member.name, refusal)
    }

    private func retry(after number: UInt64, error: String) {
        let (pause, isNews) = state.withLock { state -> (TimeAmount?, Bool) in
            guard state.dialing == number else { return (nil, false) }
            state.dialing = nil
            state.greeting = nil
            state.failures += 1
            state.status.lastError = error
            defer { state.loggedError = error }
            return (
                state.isOpen ? context.backoff(failures: state.failures) : nil,
                state.loggedError != error
            )
        }
        guard let pause else { return }
        log.log(
            level: isNews ? .info : .trace,
            "no connection",
            metadata: ["error": "\(error)"]
        )
        schedule(pause)
    }

    private func schedule(_ pause: TimeAmount) {
        eventLoop.scheduleTask(in: pause) { self.dial() }
    }

    /// Dials anew where the connection was made with other certificates than those of now.
    func renew(generation: UInt64) {
        let isOld = state.withLock { state in
            state.connection.map { $0.generation < generation } ?? false
        }
        if isOld { dial() }
    }
}
