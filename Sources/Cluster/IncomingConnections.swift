// SPDX-License-Identifier: Apache-2.0

import Identity
import NIOCore
import Synchronization

/// The connections that others have made to this member.
final class IncomingConnections: Sendable {
    private struct Row {
        var channel: any Channel
        /// Who is on the other end; nil before the hello.
        var member: UInt64?
        var purpose: PeerPurpose?
        var generation: UInt64
    }

    private struct State {
        var rows: [Row] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let limits: PeerLimits

    init(_ limits: PeerLimits) {
        self.limits = limits
    }

    /// False where there are too many already.
    func add(_ channel: any Channel, generation: UInt64) -> Bool {
        state.withLock { state in
            guard !state.isClosed, state.rows.count < limits.incomingConnectionsMax else {
                return false
            }
            state.rows.append(Row(channel: channel, generation: generation))
            return true
        }
    }

    /// A connection has said whose it is; answers older ones of the same kind that have to go.
    func name(
        _ channel: any Channel,
        _ member: UInt64,
        _ purpose: PeerPurpose
    ) -> [any Channel] {
        state.withLock { state in
            guard let place = state.rows.firstIndex(where: { $0.channel === channel }) else {
                return []
            }
            state.rows[place].member = member
            state.rows[place].purpose = purpose
            let same = state.rows.filter { $0.member == member && $0.purpose == purpose }
            return same.dropLast(limits.incomingPerMemberMax).map(\.channel)
        }
    }

    func remove(_ channel: any Channel) {
        state.withLock { $0.rows.removeAll { $0.channel === channel } }
    }

    /// Those of members that are not in the group.
    func strangers(to members: [GroupMember]) -> [any Channel] {
        state.withLock { state in
            state.rows.filter { row in
                guard let member = row.member else { return false }
                return !members.contains { $0.id == member }
            }.map(\.channel)
        }
    }

    /// Those that were made with other certificates than those of now.
    func made(before generation: UInt64) -> [any Channel] {
        state.withLock { state in
            state.rows.filter { $0.generation < generation }.map(\.channel)
        }
    }

    /// No more connections; answers those there are.
    func close() -> [any Channel] {
        state.withLock { state in
            state.isClosed = true
            return state.rows.map(\.channel)
        }
    }
}
