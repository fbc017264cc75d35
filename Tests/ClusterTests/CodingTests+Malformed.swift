// SPDX-License-Identifier: Apache-2.0

import Identity
import SwiftProtobuf

extension CodingTests {
    typealias Change = @Sendable (inout Brokerfs_Peer_Raft) -> Void

    private static let beyond = PeerBoundsForTests.countMax + 1

    /// What makes a message one that no member sends.
    static let malformed: [Change] = votes + heartbeats + appends + snapshots

    private static let votes: [Change] = [
        { $0.term = beyond },
        { $0.kind = nil },
        { $0.preVote.index = beyond },
        { $0.preVote.term = beyond },
        { $0.vote = Brokerfs_Peer_Vote() },
        { $0.vote.last.index = beyond },
    ]

    private static let heartbeats: [Change] = [
        { $0.heartbeat = Brokerfs_Peer_Heartbeat() },
        { message in
            message.heartbeat.stamp = Brokerfs_Peer_Stamp()
            message.heartbeat.commit = beyond
        },
        { message in
            message.heartbeat.stamp = Brokerfs_Peer_Stamp()
            message.heartbeat.echo.index = 1
        },
        { $0.heartbeatReply.stamp = Brokerfs_Peer_Stamp() },
        { $0.heartbeatReply.reading = Brokerfs_Peer_Reading() },
    ]

    private static let appends: [Change] = [
        { $0.append.stamp = Brokerfs_Peer_Stamp() },
        { $0.append.previous = Brokerfs_Peer_Position() },
        { message in
            message.append = append
            message.append.commit = beyond
        },
        { message in
            message.append = append
            message.append.previous.index = beyond - 1
            message.append.entries = [.with { $0.empty = Brokerfs_Peer_Empty() }]
        },
        { message in
            var entry = Brokerfs_Peer_Entry()
            entry.term = beyond
            entry.empty = Brokerfs_Peer_Empty()
            message.append = append
            message.append.entries = [entry]
        },
        { message in
            message.append = append
            message.append.entries = [Brokerfs_Peer_Entry()]
        },
        { message in
            message.appendReply.stamp = Brokerfs_Peer_Stamp()
            message.appendReply.reading = Brokerfs_Peer_Reading()
        },
        { message in
            message.appendReply.stamp = Brokerfs_Peer_Stamp()
            message.appendReply.reading = Brokerfs_Peer_Reading()
            message.appendReply.match = beyond
        },
        { message in
            message.appendReply.stamp = Brokerfs_Peer_Stamp()
            message.appendReply.reading = Brokerfs_Peer_Reading()
            message.appendReply.rejection.index = 1
        },
    ]

    private static var append: Brokerfs_Peer_Append {
        .with {
            $0.stamp = Brokerfs_Peer_Stamp()
            $0.previous = Brokerfs_Peer_Position()
        }
    }

    private static let snapshots: [Change] = [
        { $0.snapshot.position = Brokerfs_Peer_Position() },
        { message in
            message.snapshot.position = Brokerfs_Peer_Position()
            message.snapshot.configuration.voters = [0]
        },
        { message in
            message.snapshot.position = Brokerfs_Peer_Position()
            message.snapshot.configuration.learners = Array(1...2000)
        },
    ]
}
