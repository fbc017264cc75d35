// SPDX-License-Identifier: Apache-2.0

import Foundation
import Identity
import Raft
import Synchronization
import Testing

@testable import Cluster

/// A copy of the state travels whole, once, whatever happens to its connections.
@Suite struct SnapshotTests {
    private static let files: [(name: String, bytes: Int)] = [
        ("000007.sst", 700_001), ("CURRENT", 16), ("EMPTY", 0), ("MANIFEST-000005", 10_000),
        ("OPTIONS-000009", 0),
    ]

    private func content(_ name: String, _ bytes: Int) -> Data {
        var number = name.utf8.reduce(UInt32(7)) { $0 &* 31 &+ UInt32($1) }
        return Data(
            (0..<bytes).map { _ in
                number = number &* 1_664_525 &+ 1_013_904_223
                return UInt8(number >> 24)
            }
        )
    }

    private func message(to id: UInt64 = 2, index: UInt64, term: UInt64 = 3) -> Raft.Message {
        Raft.Message(
            from: MemberID(1),
            to: MemberID(id),
            term: term,
            kind: .snapshot(
                Snapshot(
                    position: LogPosition(index: index, term: 2),
                    configuration: Configuration(voters: [MemberID(1), MemberID(2)])
                )
            )
        )
    }

    /// Lets a member's node make copies that are at an index.
    private func provideState(_ group: TestGroup, index: UInt64 = 50) throws {
        let described = message(index: index)
        try group.host(1).state.withLock { state in
            state.checkpoint = { asked, directory in
                try FileManager.default.createDirectory(
                    atPath: directory,
                    withIntermediateDirectories: false
                )
                for (name, bytes) in Self.files {
                    try self.content(name, bytes)
                        .write(to: URL(fileURLWithPath: directory + "/" + name))
                }
                var message = asked
                message.kind = described.kind
                return message
            }
        }
    }

    private func adjust(_ configuration: inout PeersConfiguration) {
        configuration.limits.snapshots.chunkBytes = 16 << 10
    }

    private func expectWhole(_ directory: String) throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
        #expect(names == Self.files.map(\.name))
        for (name, bytes) in Self.files {
            let path = directory + "/" + name
            #expect(FileManager.default.contents(atPath: path) == content(name, bytes))
        }
    }

    private func entries(_ path: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? ["?"]
    }

    @Test("a copy arrives whole, with the message that describes it, and leaves nothing behind")
    func transfer() throws {
        let group = try TestGroup.connected(2, adjust: adjust)
        defer { group.end() }
        try provideState(group)
        try group.peers(1).sendSnapshot(message(index: 40))
        let (sender, receiver) = (try group.host(1), try group.host(2))
        #expect(eventually { sender.state.withLock { $0.snapshotsSent.count } == 1 })
        #expect(sender.state.withLock { $0.snapshotsSent.first?.1 } == true)
        let arrived = receiver.state.withLock { $0.snapshots }
        #expect(arrived.map(\.message) == [message(index: 50)])
        let directory = try #require(arrived.first?.directory)
        #expect(directory.hasPrefix(group.data(2) + "/incoming/"))
        try expectWhole(directory)
        #expect(entries(group.data(1) + "/outgoing").isEmpty)
        // Messages went their own way all the while.
        #expect(try group.status(1, of: 2)?.messagesDropped == 0)
    }

    @Test("after a cut in the middle the rest is sent, and nothing twice")
    func resume() throws {
        let group = try TestGroup()
        defer { group.end() }
        for id in 1...2 as ClosedRange<UInt64> { try group.start(id, adjust: adjust) }
        let proxy = try CuttingProxy(to: try #require(try group.peers(2).listeningPort))
        defer { proxy.stop() }
        var members = group.members
        members[1].address = "127.0.0.1:\(proxy.port)"
        for id in 1...2 as ClosedRange<UInt64> { try group.peers(id).groupChanged(members) }
        #expect(group.isConnected())
        try provideState(group)
        // Connection 0 is for messages; 1 and 2 are cut, 3 brings the rest.
        proxy.state.withLock { $0.cutAfter = [1: 300_000, 2: 200_000] }
        try group.peers(1).sendSnapshot(message(index: 40))
        let (sender, receiver) = (try group.host(1), try group.host(2))
        #expect(eventually { sender.state.withLock { $0.snapshotsSent.count } == 1 })
        #expect(sender.state.withLock { $0.snapshotsSent.first?.1 } == true)
        try expectWhole(try #require(receiver.state.withLock { $0.snapshots.first?.directory }))
        #expect(receiver.state.withLock { $0.snapshots.count } == 1)
        #expect(sender.state.withLock { $0.checkpointsCount } == 1)
        let forwarded = proxy.forwarded
        #expect(forwarded.count == 4)
        // A start from the beginning would have brought all of it on the last one.
        #expect(forwarded[3] < 500_000, "\(forwarded)")
        #expect(try group.status(1, of: 2)?.isConnected == true)
    }

    @Test("a try that failed is gone on with by the next request, if its copy reaches far enough")
    func keptCopy() throws {
        let group = try TestGroup()
        defer { group.end() }
        for id in 1...2 as ClosedRange<UInt64> {
            try group.start(id) { configuration in
                adjust(&configuration)
                configuration.limits.snapshots.stallNanoseconds = 300_000_000
            }
        }
        let proxy = try CuttingProxy(to: try #require(try group.peers(2).listeningPort))
        defer { proxy.stop() }
        var members = group.members
        members[1].address = "127.0.0.1:\(proxy.port)"
        for id in 1...2 as ClosedRange<UInt64> { try group.peers(id).groupChanged(members) }
        #expect(group.isConnected())
        try provideState(group)
        // Every later connection is cut in its handshake.
        proxy.state.withLock { state in
            state.cutAfter = [1: 300_000]
            for number in 2..<1000 { state.cutAfter[number] = 0 }
        }
        let sender = try group.host(1)
        try group.peers(1).sendSnapshot(message(index: 40))
        #expect(eventually { sender.state.withLock { $0.snapshotsSent.map(\.1) } == [false] })
        proxy.state.withLock { $0.cutAfter = [:] }
        try group.peers(1).sendSnapshot(message(index: 50, term: 4))
        #expect(
            eventually { sender.state.withLock { $0.snapshotsSent.map(\.1) } == [false, true] }
        )
        #expect(sender.state.withLock { $0.checkpointsCount } == 1)
        let arrived = try group.host(2).state.withLock { $0.snapshots }
        #expect(arrived.map(\.message) == [message(index: 50, term: 4)])
        try expectWhole(try #require(arrived.first?.directory))
        // How much of the first try has arrived is up to buffers; some of it is not sent again.
        let whole = Self.files.reduce(0) { $0 + $1.bytes }
        #expect((proxy.forwarded.last ?? 0) < whole, "\(proxy.forwarded) of \(whole)")

        // One that does not reach far enough is not offered again.
        try provideState(group, index: 70)
        try group.peers(1).sendSnapshot(message(index: 60))
        #expect(eventually { sender.state.withLock { $0.snapshotsSent.count } == 3 })
        #expect(sender.state.withLock { $0.checkpointsCount } == 2)
    }

    @Test("what the node does not take, and what it cannot copy, is reported once as failed")
    func failures() throws {
        let group = try TestGroup.connected(2, adjust: adjust)
        defer { group.end() }
        let sender = try group.host(1)
        try group.peers(1).sendSnapshot(message(index: 40))
        #expect(eventually { sender.state.withLock { $0.snapshotsSent.map(\.1) } == [false] })
        try provideState(group)
        try group.host(2).state.withLock { $0.takesSnapshots = false }
        try group.peers(1).sendSnapshot(message(index: 40))
        #expect(eventually { sender.state.withLock { $0.snapshotsSent.count } == 2 })
        // Nobody of this number is known.
        try group.peers(1).sendSnapshot(message(to: 9, index: 40))
        #expect(eventually { sender.state.withLock { $0.snapshotsSent.count } == 3 })
        #expect(sender.state.withLock { $0.snapshotsSent.allSatisfy { !$0.1 } })
        #expect(sender.state.withLock { $0.snapshotsSent.last?.0 } == MemberID(9))
        #expect(entries(group.data(1) + "/outgoing").isEmpty)
    }

    @Test("a newer request replaces one that is under way; both are reported, each once")
    func superseded() throws {
        let group = try TestGroup.connected(2, adjust: adjust)
        defer { group.end() }
        try provideState(group)
        let gate = DispatchSemaphore(value: 0)
        let sender = try group.host(1)
        let copy = try #require(sender.state.withLock { $0.checkpoint })
        sender.state.withLock { state in
            state.checkpoint = { message, directory in
                gate.wait()
                return try copy(message, directory)
            }
        }
        for index in 40...43 as ClosedRange<UInt64> {
            try group.peers(1).sendSnapshot(message(index: index))
        }
        for _ in 0..<2 { gate.signal() }
        #expect(eventually { sender.state.withLock { $0.snapshotsSent.count } == 4 })
        #expect(sender.state.withLock { $0.snapshotsSent.map(\.1) } == [false, false, false, true])
        #expect(try group.host(2).state.withLock { $0.snapshots.count } == 1)
    }

    @Test("a stop in the middle ends the transfer, reports it, and the next start cleans up")
    func stop() throws {
        let group = try TestGroup.connected(2, adjust: adjust)
        defer { group.end() }
        try provideState(group)
        let (gate, entered) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let sender = try group.host(1)
        let copy = try #require(sender.state.withLock { $0.checkpoint })
        sender.state.withLock { state in
            state.checkpoint = { message, directory in
                entered.signal()
                gate.wait()
                return try copy(message, directory)
            }
        }
        try group.peers(1).sendSnapshot(message(index: 40))
        try group.peers(1).sendSnapshot(message(index: 41))
        entered.wait()
        gate.signal()
        gate.signal()
        try group.stop(1)
        #expect(sender.state.withLock { $0.snapshotsSent.count } == 2)

        for directory in ["outgoing", "incoming"] {
            let path = group.data(1) + "/\(directory)/left-behind"
            try FileManager.default.createDirectory(
                atPath: path,
                withIntermediateDirectories: true
            )
            try Data([1]).write(to: URL(fileURLWithPath: path + "/file"))
        }
        try group.start(1)
        #expect(entries(group.data(1) + "/outgoing").isEmpty)
        #expect(entries(group.data(1) + "/incoming").isEmpty)
    }
}
