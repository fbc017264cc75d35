// SPDX-License-Identifier: Apache-2.0

import Foundation
import Identity
package import Logging
package import Node
package import Raft

/// Several nodes in one process, with directories of their own below a temporary one.
///
/// Members are numbered from 1 and named n1, n2, …; the directory goes with ``end()``.
package final class MemoryGroup {
    package let directory: String
    package let network = MemoryNetwork()
    package private(set) var nodes: [MemberID: LocalNode] = [:]
    private let founders: [GroupMember]
    private let adapt: (inout NodeConfiguration) -> Void
    private let log: Logger

    /// Starts the nodes; `adapt` changes what each is started with.
    package init(
        count: Int = 3,
        log: Logger = Logger(label: "group") { _ in SwiftLogNoOpLogHandler() },
        adapt: @escaping (inout NodeConfiguration) -> Void = { _ in }
    ) throws {
        let base = FileManager.default.temporaryDirectory.path
        directory = base + "/brokerfs-group-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: directory,
            withIntermediateDirectories: true
        )
        founders = (1...count).map {
            GroupMember(id: UInt64($0), name: "n\($0)", address: "127.0.0.1:\(7000 + $0)")
        }
        self.adapt = adapt
        self.log = log
        for member in founders { try start(MemberID(member.id)) }
    }

    /// Starts a node that is not running.
    package func start(_ member: MemberID) throws {
        var configuration = NodeConfiguration(
            dataDirectory: directory + "/n\(member)",
            name: "n\(member)"
        )
        configuration.member = member
        configuration.founders = founders
        configuration.clusterID = "test"
        configuration.raft.tickNanoseconds = 10_000_000
        configuration.raft.heartbeatTicks = 5
        configuration.raft.electionTicks = 30
        adapt(&configuration)
        let links = network.links(of: member)
        let node = try LocalNode(configuration, links: links, log: log)
        nodes[member] = node
        network.attach(node)
    }

    /// Ends a node in an orderly way; its directory stays.
    package func stop(_ member: MemberID) {
        network.detach(member)
        nodes.removeValue(forKey: member)?.shutdown()
    }

    /// The node that takes changes, once there is one; nil after so many seconds without.
    package func leader(seconds: Double = 20, besides other: MemberID? = nil) -> LocalNode? {
        wait(seconds: seconds) {
            let leaders = nodes.values.filter { $0.isWritable && $0.configuration.member != other }
            return leaders.first
        }
    }

    /// Asks again and again, at most so long.
    package func wait<T>(seconds: Double = 20, _ condition: () -> T?) -> T? {
        let end = Date().addingTimeInterval(seconds)
        while Date() < end {
            if let value = condition() { return value }
            usleep(2_000)
        }
        return nil
    }

    /// Whether something comes true within the time.
    package func holds(seconds: Double = 20, _ condition: () -> Bool) -> Bool {
        wait(seconds: seconds) { condition() ? true : nil } ?? false
    }

    /// Ends all nodes and removes their directories.
    package func end() {
        network.heal()
        for member in nodes.keys.sorted() { stop(member) }
        try? FileManager.default.removeItem(atPath: directory)
    }
}
