// SPDX-License-Identifier: Apache-2.0

import Cluster
import Foundation
import Glibc
import Identity
import Node
import Samples
import Synchronization

/// Three nodes on this machine, in one temporary place.
///
/// INVARIANT: after ``end()`` no node runs and nothing is mounted, or it has thrown.
final class DemoCluster: Sendable {
    let root: String
    let nodes: [DemoNode]
    private let ending = Mutex(false)

    /// The file with the sample state, seen from ``root``.
    static let stateFile = "state.jsonl"
    static let isEnded = Failure(.failure, "ended before the tour was over")
    private static let waitSecondsMax = 30
    private static let pauseMicroseconds: UInt32 = 1000
    /// Below those that the kernel gives to connections by itself, so that a port stays free while
    /// its node is down.
    private static let ports: Range<UInt16> = 20_000..<32_000

    /// Makes the folders; nothing runs yet.
    init() throws {
        let made = try DemoPlace.makeRoot()
        // As the mount table has it.
        let root = URL(fileURLWithPath: made).resolvingSymlinksInPath().path
        self.root = root
        do {
            let members = try Self.members()
            let folders = try ClusterFolders(
                clusterID: ClusterIdentity.newClusterID(),
                members: members,
                nodesAdmit: false,
                now: Clock.wall()
            )
            try folders.write(to: root)
            let lines = DemoState.lines(now: Clock.wall()).joined(separator: "\n") + "\n"
            let file = "\(root)/\(Self.stateFile)"
            try lines.write(toFile: file, atomically: true, encoding: .utf8)
            nodes = members.map {
                DemoNode(name: $0.name, folder: "\(root)/\($0.name)", listen: $0.address)
            }
        } catch {
            try? FileManager.default.removeItem(atPath: root)
            throw Failure(.failure, "\(error)")
        }
    }

    private static func members() throws(BootstrapError) -> [GroupMember] {
        let ports = ports.shuffled().lazy.filter(isFree).prefix(3)
        let list = ports.enumerated().map { "n\($0.offset + 1)=127.0.0.1:\($0.element)" }
        return try MemberList.parse(list.joined(separator: ","))
    }

    private static func isFree(_ port: UInt16) -> Bool {
        let probe = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(probe) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(probe, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    /// Starts all nodes, and waits until their mounts answer.
    ///
    /// The calling thread has to live as long as they.
    func start() throws {
        for node in nodes { try node.start() }
        try wait(for: "the mounts of all nodes") {
            for node in nodes where !node.isRunning {
                throw Failure(.failure, "\(node.name) does not start")
            }
            return nodes.allSatisfy(\.answers) ? () : nil
        }
    }

    /// The one node whose mount is writable, once all that run answer.
    func waitForLeader() throws -> DemoNode {
        try wait(for: "a writable mount, and answers of the others") {
            let running = nodes.filter(\.isRunning)
            return running.allSatisfy(\.answers) ? leader : nil
        }
    }

    /// The one node whose mount is writable now; nil where there is none, or are two.
    var leader: DemoNode? {
        let writable = nodes.filter { $0.isRunning && $0.word("writable") == "1" }
        return writable.count == 1 ? writable[0] : nil
    }

    /// Asks again and again until there is an answer.
    func wait<Answer>(for what: String, _ question: () throws -> Answer?) throws -> Answer {
        let end = ContinuousClock.now + .seconds(Self.waitSecondsMax)
        while true {
            try checkIsNotEnding()
            if let answer = try question() { return answer }
            guard .now < end else {
                throw Failure(.failure, "waited \(Self.waitSecondsMax) s for \(what)")
            }
            usleep(Self.pauseMicroseconds)
        }
    }

    /// Whether somebody wants the end.
    var isEnding: Bool { ending.withLock { $0 } }

    /// Throws where somebody wants the end.
    func checkIsNotEnding() throws {
        if isEnding { throw Self.isEnded }
    }

    /// Ends all nodes and takes their mounts off.
    func end() throws {
        ending.withLock { $0 = true }
        for node in nodes { node.askToEnd() }
        // All of them, whatever one of them says.
        var failure: (any Error)?
        for node in nodes {
            do { try node.waitForEnd() } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    /// Removes the place; only empty directories were mounted on, and never what a mount shows.
    func remove() throws {
        for node in nodes where access(node.mount, F_OK) == 0 {
            guard rmdir(node.mount) == 0 else {
                throw Failure(.failure, "\(node.mount): \(String(cString: strerror(errno)))")
            }
        }
        try FileManager.default.removeItem(atPath: root)
    }
}
