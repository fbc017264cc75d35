// SPDX-License-Identifier: Apache-2.0

import Cluster
import Foundation
import Node
import Raft
import Replica
import Synchronization

/// A node that writes down what it is told, and answers what the test says.
final class FakeHost: Sendable {
    struct State {
        var received: [Raft.Message] = []
        var unreachable: [MemberID] = []
        var suspected: [MemberID] = []
        var snapshotsSent: [(MemberID, Bool)] = []
        var snapshots: [(message: Raft.Message, directory: String)] = []
        var requests: [PeerRequest] = []
        /// Held back until the test lets them go.
        var held: [@Sendable (PeerAnswer) -> Void] = []
        var isHolding = false
        var answer: PeerAnswer = .failed(.notWritable(reason: "a fake"))
        var history: UInt64 = 0
        var checkpointsCount = 0
        /// Writes the copy of the state.
        var checkpoint: (@Sendable (Raft.Message, String) throws -> Raft.Message)?
        var takesSnapshots = true
    }

    let state = Mutex(State())
    let incarnation: UInt64

    init(incarnation: UInt64 = .random(in: 1...(.max))) {
        self.incarnation = incarnation
    }

    var received: [Raft.Message] { state.withLock { $0.received } }
    var requests: [PeerRequest] { state.withLock { $0.requests } }

    struct NoState: Error {}

    var peerHost: PeerHost {
        PeerHost(
            incarnation: incarnation,
            history: { self.state.withLock { $0.history } },
            deliver: { self.deliver($0) },
            checkpoint: { message, directory in
                let checkpoint = self.state.withLock { state in
                    state.checkpointsCount += 1
                    return state.checkpoint
                }
                guard let checkpoint else { throw NoState() }
                return try checkpoint(message, directory)
            },
            receiveSnapshot: { message, directory, completion in
                let isTaken = self.state.withLock { state in
                    state.snapshots.append((message, directory))
                    return state.takesSnapshots
                }
                completion(isTaken)
            },
            answer: { request, completion in
                let answer = self.state.withLock { state -> PeerAnswer? in
                    state.requests.append(request)
                    guard state.isHolding else { return state.answer }
                    state.held.append(completion)
                    return nil
                }
                if let answer { completion(answer) }
            }
        )
    }

    private func deliver(_ event: Event) {
        state.withLock { state in
            switch event {
            case .receive(let message): state.received.append(message)
            case .unreachable(let id): state.unreachable.append(id)
            case .suspectLeader(let id): state.suspected.append(id)
            case .snapshotSent(let id, let succeeded): state.snapshotsSent.append((id, succeeded))
            default: break
            }
        }
    }
}

/// Waits until something holds; false after a deadline no sound run ever reaches.
func eventually(
    seconds: TimeInterval = 30,
    _ condition: () throws -> Bool
) rethrows -> Bool {
    let deadline = Clock.monotonicNanoseconds() + UInt64(seconds * 1e9)
    while Clock.monotonicNanoseconds() < deadline {
        if try condition() { return true }
        Thread.sleep(forTimeInterval: 0.002)
    }
    return try condition()
}
