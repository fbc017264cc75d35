// SPDX-License-Identifier: Apache-2.0

import Identity
import Logging
import NIOCore
import Node
import Raft
import Replica
import Synchronization

/// Putting things in, and writing them.
extension PeerLink {
    /// Takes messages to this member, or drops them.
    ///
    /// Never blocks: on the replica thread.
    func send(_ messages: [Raft.Message]) {
        let (isLost, isDrainNeeded) = state.withLock { state -> (Bool, Bool) in
            var dropped = messages.count
            if state.connection != nil {
                dropped = messages.count { !state.outbox.append(.message($0)) }
            }
            state.status.messagesDropped += UInt64(dropped)
            let isLost = dropped > 0 && !state.isLossTold
            if isLost { state.isLossTold = true }
            return (isLost, state.needsDrain())
        }
        if isLost { context.host.deliver(.unreachable(id)) }
        if isDrainNeeded { eventLoop.execute { self.drain() } }
    }

    /// Asks; `completion` runs once, within the time.
    func ask(
        _ request: PeerRequest,
        timeoutNanoseconds: UInt64,
        completion: @escaping AskTable.Completion
    ) {
        let number = state.withLock { state -> UInt64? in
            guard state.connection != nil, state.asks.count < context.limits.asksMax else {
                return nil
            }
            let number = state.asks.add(completion)
            guard state.outbox.append(.ask(number, request)) else {
                _ = state.asks.failed(number)
                return nil
            }
            return number
        }
        guard let number else { return completion(.failure(.unreachable)) }
        let timeout = TimeAmount.nanoseconds(Int64(clamping: timeoutNanoseconds))
        let timer = eventLoop.scheduleTask(in: timeout) { self.fail(number) }
        let (isWaiting, isDrainNeeded) = state.withLock { state in
            (state.asks.setTimeout(timer, for: number), state.needsDrain())
        }
        if !isWaiting { timer.cancel() }
        if isDrainNeeded { eventLoop.execute { self.drain() } }
    }

    private func fail(_ number: UInt64) {
        let ask = state.withLock { $0.asks.failed(number) }
        if let (completion, failure) = ask { completion(.failure(failure)) }
    }

    /// An answer has come; one that nobody waits for any more is passed over.
    func answered(_ number: UInt64, _ answer: PeerAnswer) {
        let completion = state.withLock { $0.asks.answered(number) }
        completion?(.success(answer))
    }

    /// Writes what waits, as far as the peer takes it.
    ///
    /// On the event loop.
    func drain() {
        eventLoop.assertInEventLoop()
        while let (connection, items) = nextItems() { write(items, to: connection) }
    }

    private func nextItems() -> (Connection, [Outbox.Item])? {
        state.withLock { state in
            guard let connection = state.connection, connection.channel.isWritable,
                !state.outbox.isEmpty
            else {
                state.isDrainScheduled = false
                if state.outbox.isEmpty, state.connection != nil { state.isLossTold = false }
                return nil
            }
            return (connection, state.outbox.take(bytesMax: context.limits.writeBytesMax))
        }
    }

    private func write(_ items: [Outbox.Item], to connection: Connection) {
        var buffer = connection.channel.allocator.buffer(capacity: 4096)
        var (messages, refused) = (0, 0)
        for item in items {
            do throws(PeerCodingError) {
                try append(item, to: &buffer, connection.number)
                messages += 1
            } catch {
                refused += 1
                log.error("cannot be sent", metadata: ["error": "\(error)"])
                if case .ask(let number, _) = item { fail(number) }
            }
        }
        let bytes = buffer.readableBytes
        state.withLock { state in
            state.status.messagesSent += UInt64(messages)
            state.status.bytesSent += UInt64(bytes)
            state.status.messagesDropped += UInt64(refused)
        }
        guard bytes > 0 else { return }
        connection.channel.writeAndFlush(buffer, promise: nil)
    }

    private func append(
        _ item: Outbox.Item,
        to buffer: inout ByteBuffer,
        _ connection: UInt64
    ) throws(PeerCodingError) {
        let limit = context.limits.frameBytesMax
        switch item {
        case .message(let message):
            let frame = Brokerfs_Peer_Frame.OneOf_Kind.raft(Brokerfs_Peer_Raft(message))
            try PeerFraming.append(frame, to: &buffer, frameBytesMax: limit)
        case .ask(let number, let request):
            let frame = Brokerfs_Peer_Frame.OneOf_Kind.ask(
                Brokerfs_Peer_Ask(request, number: number)
            )
            guard state.withLock({ $0.asks.isWaiting(number) }) else { return }
            try PeerFraming.append(frame, to: &buffer, frameBytesMax: limit)
            state.withLock { $0.asks.leaves(number, on: connection) }
        }
    }
}

extension PeerLink.State {
    /// Whether somebody has to see to it that what waits is written.
    mutating func needsDrain() -> Bool {
        guard !isDrainScheduled, !outbox.isEmpty else { return false }
        isDrainScheduled = true
        return true
    }
}
