// SPDX-License-Identifier: Apache-2.0

import Cluster
import Identity
import Node
import Raft
import Replica
import Synchronization
import Testing

/// Members over loopback: what is sent arrives, in order, and who is asked answers.
@Suite struct PeersTests {
    @Test("three members exchange messages, each in the order they were sent")
    func exchange() throws {
        let group = try TestGroup.connected(3)
        defer { group.end() }
        for id in 1...3 as ClosedRange<UInt64> {
            for round in 1...200 as ClosedRange<UInt64> {
                let others = (1...3).filter { $0 != id }
                try group.peers(id).send(
                    others.map { .heartbeat(from: id, to: $0, round: round) }
                )
            }
        }
        for id in 1...3 as ClosedRange<UInt64> {
            let host = try group.host(id)
            #expect(eventually { host.received.count == 400 })
            for other in 1...3 as ClosedRange<UInt64> where other != id {
                let rounds = host.received.filter { $0.from == MemberID(other) }.map(\.round)
                #expect(rounds == Array(1...200))
            }
        }
    }

    @Test("an append as large as a batch of the replica arrives whole")
    func large() throws {
        let group = try TestGroup.connected(2)
        defer { group.end() }
        let payload = (0..<(4 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let message = Raft.Message.append(from: 1, to: 2, payload: payload)
        try group.peers(1).send([message])
        let host = try group.host(2)
        #expect(eventually { host.received == [message] })
    }

    @Test("a question is answered, an error of the other side with all it says")
    func ask() throws {
        let group = try TestGroup.connected(2)
        defer { group.end() }
        let host = try group.host(2)
        let errors: [PeerAnswer] = [
            .failed(.refused(.versionMismatch(id: "s1", stored: 7))), .failed(.timedOut),
            .applied(Applied(recordVersion: 9, count: 2)),
        ]
        for answer in errors {
            host.state.withLock { $0.answer = answer }
            let result = try ask(group, .progress(index: 5))
            #expect(result == .success(answer))
        }
        #expect(host.requests == Array(repeating: .progress(index: 5), count: 3))
    }

    @Test("a question without an answer fails in time; one that cannot leave fails at once")
    func unanswered() throws {
        let group = try TestGroup.connected(2)
        defer { group.end() }
        let host = try group.host(2)
        host.state.withLock { $0.isHolding = true }
        #expect(
            try ask(group, .progress(index: 1), timeoutNanoseconds: 1_000_000)
                == .failure(.noAnswer)
        )
        // The late answer is nobody's, and does no harm.
        #expect(eventually { host.state.withLock { !$0.held.isEmpty } })
        for completion in host.state.withLock({ $0.held }) { completion(.failed(.busy)) }
        #expect(try ask(group, to: 9, .progress(index: 1)) == .failure(.unreachable))
    }

    @Test("who waits for an answer is told when the other goes away")
    func goneAway() throws {
        let group = try TestGroup.connected(2)
        defer { group.end() }
        let host = try group.host(2)
        host.state.withLock { $0.isHolding = true }
        let result = Mutex<Result<PeerAnswer, PeerFailure>?>(nil)
        try group.peers(1).ask(
            MemberID(2),
            .progress(index: 1),
            timeoutNanoseconds: 3_600_000_000_000
        ) { answer in result.withLock { $0 = answer } }
        #expect(eventually { host.requests.count == 1 })
        try group.stop(2)
        #expect(eventually { result.withLock { $0 } == .failure(.noAnswer) })
        #expect(eventually { (try? group.status(1, of: 2)?.isConnected) == false })
        #expect(try ask(group, .progress(index: 1)) == .failure(.unreachable))
    }

    private func ask(
        _ group: TestGroup,
        to id: UInt64 = 2,
        _ request: PeerRequest,
        timeoutNanoseconds: UInt64 = 30_000_000_000
    ) throws -> Result<PeerAnswer, PeerFailure>? {
        let result = Mutex<Result<PeerAnswer, PeerFailure>?>(nil)
        try group.peers(1).ask(
            MemberID(id),
            request,
            timeoutNanoseconds: timeoutNanoseconds
        ) { answer in result.withLock { $0 = answer } }
        _ = eventually { result.withLock { $0 } != nil }
        return result.withLock { $0 }
    }
}

extension Raft.Message {
    var round: UInt64? {
        if case .heartbeat(let heartbeat) = kind { heartbeat.stamp.round } else { nil }
    }
}
