// SPDX-License-Identifier: Apache-2.0

import Identity
import Logging
import NIOCore
import Node
import Raft
import Synchronization

/// The way to one other member: a connection that is made again and again, and what waits for it.
///
/// Everything of a link happens on its event loop, except that anybody may put something in.
/// INVARIANT: what waits is bounded, and nothing waits while there is no connection.
final class PeerLink: Sendable {
    /// An established connection; `number` is that of its dial.
    struct Connection {
        var number: UInt64
        var channel: any Channel
        var address: String
        var establishedAt: UInt64
        var generation: UInt64
    }

    struct State {
        var member: GroupMember
        var isOpen = true
        /// The number of the newest dial.
        var dials: UInt64 = 0
        /// The dial that is under way.
        var dialing: UInt64?
        /// The channel of that dial, once it is connected.
        var greeting: (any Channel)?
        /// Dials that failed since one succeeded.
        var failures = 0
        var connection: Connection?
        var outbox: Outbox
        var asks = AskTable()
        var isDrainScheduled = false
        /// Whether the node has been told that messages are lost.
        var isLossTold = false
        /// Until then a refused dial shows that the member's process has died.
        var evidenceUntil: UInt64?
        /// Which data directory the member had when it was first seen.
        var incarnation: UInt64?
        /// Connections from the member.
        var incomingCount = 0
        var status: PeerStatus
        /// Why a dial failed, the last time it was logged.
        var loggedError: String?
    }

    let id: MemberID
    let context: PeerContext
    let eventLoop: any EventLoop
    let log: Logger
    let state: Mutex<State>

    init(_ member: GroupMember, _ context: PeerContext, on eventLoop: any EventLoop) {
        id = MemberID(member.id)
        self.context = context
        self.eventLoop = eventLoop
        var log = context.log
        log[metadataKey: "peer"] = "\(member.name)"
        self.log = log
        state = Mutex(
            State(
                member: member,
                outbox: Outbox(context.limits),
                status: PeerStatus(member)
            )
        )
    }

    var member: GroupMember { state.withLock { $0.member } }

    var status: PeerStatus {
        state.withLock { state in
            var status = state.status
            status.member = state.member
            status.isConnected = state.connection != nil
            status.isHeard = state.incomingCount > 0
            return status
        }
    }

    /// The member is elsewhere now: the next dial goes there, and is made at once.
    func move(to address: String) {
        let channel = state.withLock { state -> (any Channel)? in
            guard state.member.address != address else { return nil }
            state.member.address = address
            return state.connection?.channel ?? state.greeting
        }
        channel?.close(promise: nil)
    }

    /// Ends the link for good; whoever waits for an answer is told that there is none.
    func close() {
        let (channels, asks) = state.withLock { state in
            state.isOpen = false
            let channels = [state.connection?.channel, state.greeting]
            state.connection = nil
            state.greeting = nil
            state.status.connectedSince = nil
            state.status.messagesDropped += UInt64(state.outbox.removeAll())
            return (channels, state.asks.failedAll())
        }
        for channel in channels { channel?.close(promise: nil) }
        for (completion, failure) in asks { completion(.failure(failure)) }
    }

    // MARK: - What comes from the member

    /// Something of the member's has come, on a connection of its own.
    func heard(bytes: Int) {
        let now = Clock.wall()
        state.withLock { state in
            state.status.messagesReceived += 1
            state.status.bytesReceived += UInt64(bytes)
            state.status.heardAt = now
        }
    }

    func incomingChanged(by difference: Int) {
        state.withLock { $0.incomingCount += difference }
    }

    /// A member that comes with another data directory has forgotten what it promised.
    func admit(incarnation: UInt64) throws(PeerRefusal) {
        let isSame = state.withLock { state in
            if state.incarnation == nil, incarnation != 0 { state.incarnation = incarnation }
            return state.incarnation == incarnation
        }
        guard isSame else {
            throw PeerRefusal(
                .incarnation,
                "member \(id) was here before with another data directory"
            )
        }
    }
}
