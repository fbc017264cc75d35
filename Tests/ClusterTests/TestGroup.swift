// SPDX-License-Identifier: Apache-2.0

import Cluster
import Foundation
import Identity
import Logging
import Node
import Raft
import Synchronization

/// Members of one group in one process, each with fakes instead of a node.
final class TestGroup: Sendable {
    static let clusterID = "test-cluster"

    struct Seat: Sendable {
        var member: GroupMember
        var host: FakeHost
        var peers: Peers
    }

    let directory: String
    let authority: TestAuthority
    private let seats = Mutex<[UInt64: Seat]>([:])
    private let log: Logger

    init() throws {
        directory = NSTemporaryDirectory() + "brokerfs-peers-" + UUID().uuidString
        authority = try TestAuthority()
        var log = Logger(label: "test")
        log.logLevel = .critical
        self.log = log
    }

    /// Members 1, 2, …, each knowing the others, and connected.
    static func connected(
        _ count: UInt64,
        adjust: (inout PeersConfiguration) -> Void = { _ in }
    ) throws -> TestGroup {
        let group = try TestGroup()
        for id in 1...count { try group.start(id, adjust: adjust) }
        group.introduce()
        guard group.isConnected() else { throw NotConnected() }
        return group
    }

    struct NotConnected: Error {}

    static func name(_ id: UInt64) -> String { "n\(id)" }

    func identity(_ id: UInt64) -> ClusterIdentity {
        ClusterIdentity(clusterID: Self.clusterID, member: id, name: Self.name(id))
    }

    func data(_ id: UInt64) -> String { "\(directory)/n\(id)/data" }
    func certificates(_ id: UInt64) -> String { "\(directory)/n\(id)/tls" }

    func configuration(_ id: UInt64, port: Int = 0) throws -> PeersConfiguration {
        try FileManager.default.createDirectory(
            atPath: data(id),
            withIntermediateDirectories: true
        )
        let files = try authority.write(identity(id), to: certificates(id))
        var configuration = PeersConfiguration(
            clusterID: Self.clusterID,
            member: GroupMember(id: id, name: Self.name(id), address: "127.0.0.1:\(port)"),
            group: [],
            listen: "127.0.0.1:\(port)",
            tls: files,
            dataDirectory: data(id)
        )
        // Handshakes of debug builds on a busy machine are no matter of these tests.
        configuration.electionTimeoutNanoseconds = 2_000_000_000
        return configuration
    }

    /// Starts a member; it knows nobody yet.
    @discardableResult
    func start(
        _ id: UInt64,
        port: Int = 0,
        host: FakeHost = FakeHost(),
        adjust: (inout PeersConfiguration) -> Void = { _ in }
    ) throws -> Seat {
        var configuration = try configuration(id, port: port)
        adjust(&configuration)
        let peers = Peers(configuration, log: log)
        try peers.start(host.peerHost)
        var member = configuration.member
        member.address = "127.0.0.1:\(peers.listeningPort ?? 0)"
        let seat = Seat(member: member, host: host, peers: peers)
        seats.withLock { $0[id] = seat }
        return seat
    }

    var members: [GroupMember] {
        seats.withLock { $0.values.map(\.member).sorted { $0.id < $1.id } }
    }

    /// Tells everybody who is there.
    func introduce() {
        for seat in all { seat.peers.groupChanged(members) }
    }

    func isConnected() -> Bool {
        eventually {
            self.all.allSatisfy { seat in
                let statuses = seat.peers.statuses
                return statuses.count == self.members.count - 1
                    && statuses.allSatisfy { $0.isConnected && $0.isHeard }
            }
        }
    }

    var all: [Seat] { seats.withLock { seats in seats.keys.sorted().compactMap { seats[$0] } } }

    struct NoSuchMember: Error {}

    func seat(_ id: UInt64) throws -> Seat {
        guard let seat = seats.withLock({ $0[id] }) else { throw NoSuchMember() }
        return seat
    }

    func peers(_ id: UInt64) throws -> Peers { try seat(id).peers }
    func host(_ id: UInt64) throws -> FakeHost { try seat(id).host }

    func status(_ id: UInt64, of other: UInt64) throws -> PeerStatus? {
        try peers(id).statuses.first { $0.member.id == other }
    }

    /// Stops one member; its place in the group stays.
    func stop(_ id: UInt64) throws {
        try peers(id).stop()
    }

    func end() {
        for seat in all { seat.peers.stop() }
        try? FileManager.default.removeItem(atPath: directory)
    }
}

extension Raft.Message {
    static func heartbeat(from: UInt64, to: UInt64, round: UInt64) -> Raft.Message {
        Raft.Message(
            from: MemberID(from),
            to: MemberID(to),
            term: 1,
            kind: .heartbeat(Heartbeat(commit: 0, stamp: Stamp(round: round, clock: 0)))
        )
    }

    static func append(from: UInt64, to: UInt64, payload: [UInt8]) -> Raft.Message {
        Raft.Message(
            from: MemberID(from),
            to: MemberID(to),
            term: 1,
            kind: .append(
                Append(
                    previous: LogPosition(index: 0, term: 0),
                    entries: [Entry(term: 1, index: 1, content: .payload(payload))],
                    commit: 0,
                    stamp: Stamp(round: 1, clock: 1)
                )
            )
        )
    }
}
