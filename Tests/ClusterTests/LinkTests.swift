// SPDX-License-Identifier: Apache-2.0

@testable import Cluster
import Foundation
import Identity
import Node
import Raft
import Synchronization
import Testing

/// Connections that end, stall and come back.
@Suite struct LinkTests {
    @Test("a member that was away is dialed again, and heard again")
    func restart() throws {
        let group = try TestGroup.connected(2)
        defer { group.end() }
        let port = try #require(try group.peers(2).listeningPort)
        let host = try group.host(2)
        try group.stop(2)
        #expect(eventually { (try? group.status(1, of: 2)?.isConnected) == false })
        #expect(try group.host(1).state.withLock { $0.unreachable } == [MemberID(2)])
        try group.peers(1).send([.heartbeat(from: 1, to: 2, round: 1)])
        #expect(try group.status(1, of: 2)?.messagesDropped == 1)

        try group.start(2, port: port, host: host)
        group.introduce()
        #expect(group.isConnected())
        try group.peers(1).send([.heartbeat(from: 1, to: 2, round: 2)])
        #expect(eventually { host.received.map(\.round) == [2] })
    }

    @Test("a refused redial right after an end is evidence, once; nothing else is")
    func suspicion() throws {
        let group = try TestGroup.connected(3)
        defer { group.end() }
        let host = try group.host(1)
        try group.stop(2)
        #expect(eventually { host.state.withLock { $0.suspected } == [MemberID(2)] })
        // 3 stands all the while, and nobody was ever at this address.
        var members = group.members
        members.append(GroupMember(id: 4, name: "n4", address: "127.0.0.1:1"))
        try group.peers(1).groupChanged(members)
        #expect(
            eventually { (try? group.status(1, of: 4)?.lastError) != nil }
        )
        #expect(try group.status(1, of: 3)?.isConnected == true)
        #expect(host.state.withLock { $0.suspected } == [MemberID(2)])
    }

    @Test("a connection that ends while the other still listens is no evidence")
    func noSuspicion() throws {
        let group = try TestGroup()
        defer { group.end() }
        for id in 1...2 as ClosedRange<UInt64> { try group.start(id) }
        let proxy = try CuttingProxy(to: try #require(try group.peers(2).listeningPort))
        defer { proxy.stop() }
        var members = group.members
        members[1].address = "127.0.0.1:\(proxy.port)"
        for id in 1...2 as ClosedRange<UInt64> { try group.peers(id).groupChanged(members) }
        #expect(group.isConnected())
        let host = try group.host(1)
        for round in 1...3 {
            proxy.cut()
            #expect(eventually { host.state.withLock { $0.unreachable.count } == round })
            #expect(eventually { (try? group.status(1, of: 2)?.isConnected) == true })
        }
        #expect(host.state.withLock { $0.suspected.isEmpty })
    }

    @Test("a peer that reads nothing holds nobody up, bounds hold, and it is given up")
    func deaf() throws {
        let group = try TestGroup()
        defer { group.end() }
        let identity = group.identity(2)
        let files = try group.authority.write(identity, to: group.directory + "/deaf")
        let raw = try RawPeer(identity, files)
        defer { raw.end() }
        raw.state.withLock { $0.isDeaf = true }
        let port = try raw.listen()
        let seat = try group.start(1) { configuration in
            configuration.limits.queuedBytesMax = 1 << 20
            configuration.limits.queuedMessagesMax = 64
        }
        seat.peers.groupChanged([
            seat.member, GroupMember(id: 2, name: "n2", address: "127.0.0.1:\(port)"),
        ])
        #expect(eventually { (try? group.status(1, of: 2)?.isConnected) == true })
        let message = Raft.Message.append(
            from: 1,
            to: 2,
            payload: [UInt8](repeating: 1, count: 64 << 10)
        )
        // More than kernels buffer, and much more than may wait.
        var sent: UInt64 = 0
        let hasDropped = eventually {
            for _ in 0..<64 { seat.peers.send([message]) }
            sent += 64
            return (try? group.status(1, of: 2)?.messagesDropped).map { $0 > 1000 } == true
        }
        #expect(hasDropped)
        // Told once for the loss, and once for the end; not for every message.
        #expect(
            eventually { seat.host.state.withLock { $0.unreachable.count } >= 2 }
        )
        #expect(seat.host.state.withLock { $0.unreachable.count } < 20)
        let status = try #require(try group.status(1, of: 2))
        #expect(status.bytesSent < 64 << 20)
        #expect(status.messagesSent + status.messagesDropped <= sent)
    }

    @Test("a group that changes ends connections to who left, and makes those to who came")
    func groupChange() throws {
        let group = try TestGroup.connected(2)
        defer { group.end() }
        try group.start(3)
        group.introduce()
        #expect(group.isConnected())
        let two = group.members.filter { $0.id != 2 }
        for id in [1, 3] as [UInt64] { try group.peers(id).groupChanged(two) }
        #expect(try group.peers(1).statuses.map(\.member.id) == [3])
        #expect(
            eventually { (try? group.status(2, of: 1)?.isConnected) == false }
        )
        #expect(
            eventually { (try? group.status(2, of: 1)?.lastError?.contains("not in the group")) == true }
        )
    }

    @Test("what is sent before the start, to nobody, and after the stop goes nowhere")
    func idle() throws {
        let group = try TestGroup()
        defer { group.end() }
        let seat = try group.start(1)
        seat.peers.send([.heartbeat(from: 1, to: 2, round: 1)])
        seat.peers.stop()
        seat.peers.stop()
        seat.peers.send([.heartbeat(from: 1, to: 2, round: 1)])
        let answers = Mutex<[PeerFailure]>([])
        seat.peers.ask(MemberID(2), .progress(index: 1), timeoutNanoseconds: 1) { result in
            if case .failure(let failure) = result { answers.withLock { $0.append(failure) } }
        }
        #expect(answers.withLock { $0 } == [.unreachable])
        #expect(seat.peers.statuses.isEmpty)
    }

    @Test("what keeps members from starting is said")
    func startFailures() throws {
        let group = try TestGroup()
        defer { group.end() }
        let seat = try group.start(1)
        let port = try #require(seat.peers.listeningPort)
        func error(_ id: UInt64, _ adjust: (inout PeersConfiguration) -> Void) -> PeersError? {
            do {
                try group.start(id, adjust: adjust).peers.stop()
                return nil
            } catch {
                return error as? PeersError
            }
        }
        let taken = error(2) { $0.listen = "127.0.0.1:\(port)" }
        guard case .listen(let address, _) = taken else {
            Issue.record("\(String(describing: taken))")
            return
        }
        #expect(address == "127.0.0.1:\(port)")
        #expect(error(2) { $0.listen = "nowhere" } == .address("nowhere"))
        #expect(error(2) { $0.clusterID = "a b" } == .name("a b"))
        let missing = error(2) { $0.tls.key += ".missing" }
        #expect(missing?.description.contains("node.key.missing") == true)
        let foreign = error(2) { $0.member.name = "n9" }
        #expect(foreign?.description.contains("n9") == true)
        let swapped = error(2) { $0.tls.key = group.certificates(1) + "/node.key" }
        #expect(swapped?.description.contains("do not go together") == true)
    }
}
