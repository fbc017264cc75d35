// SPDX-License-Identifier: Apache-2.0

import AdminSocket
import FSMap
import Foundation
import Glibc
import GroupHarness
import Identity
import Logging
import Node
import Raft
import Testing

/// What `export` and `member` make of a node whose state nobody vouches for.
@Suite(.serialized) struct CutOffCommandTests {
    /// A group with one user in one group, and the socket of a follower.
    private final class Fixture {
        let mounted: MountedGroup
        let follower: MemberID
        private let server: AdminServer
        private let data: String

        var copies: String { mounted.root + "/copies" }

        init() throws {
            let mounted = try MountedGroup()
            do {
                follower = try #require(try mounted.roles().followers.first)
                let directory = mounted.directory(of: follower)
                data = "\(mounted.group.directory)/n\(follower)"
                let mount = AdminMount(
                    directory: directory,
                    kind: .ordinary,
                    requests: 0,
                    cacheableRequests: 0,
                    openHandles: 0,
                    inodes: 0
                )
                server = try AdminServer(
                    try mounted.node(follower),
                    path: AdminServer.path(inData: data),
                    status: AdminStatus(version: "test", mounts: { [mount] }),
                    log: Logger(label: "admin") { _ in SwiftLogNoOpLogHandler() }
                )
                try mounted.put(.directoryGroup, "g", #"{"name":"g"}"#)
                try mounted.put(.directoryUser, "bob", #"{"group_ids":["g"]}"#)
                try #require(mounted.comesTrue(follower, "test -L groups/g/members.d/bob"))
            } catch {
                mounted.end()
                throw error
            }
            self.mounted = mounted
        }

        func end() {
            server.close()
            mounted.end()
        }

        func cli(_ arguments: String) -> String {
            "BROKERFS_DATA=\(data) \(MountedNode.binary) \(arguments)"
        }

        func run(_ arguments: String) -> Shell.Result { Shell.run(cli(arguments)) }

        /// Whether a command ends with a status; again while a busy machine lets the node refuse.
        func ends(_ arguments: String, _ status: Int32) -> Bool {
            mounted.group.holds { run(arguments).status == status }
        }

        /// Returns once the follower's mount refuses.
        func cutOff() throws {
            let node = try mounted.node(follower)
            mounted.group.network.isolate(follower)
            try #require(mounted.group.holds { !node.mayShow(now: node.monotonicNanoseconds()) })
        }

        var holdsBob: Bool {
            Shell.run("test -L \(copies)/current/groups/g/members.d/bob").status == 0
        }
    }

    @Test("an export of a mount that refuses leaves the copy there is, and says so")
    func once() throws {
        let fixture = try Fixture()
        defer { fixture.end() }
        let export = "export --once --to \(fixture.copies)"
        #expect(fixture.ends(export, 0))
        #expect(fixture.holdsBob)
        try fixture.cutOff()
        for format in ["files", "env"] {
            let refused = fixture.run(export + " --format " + format)
            #expect(refused.status == 2, "\(refused)")
            #expect(refused.output.contains("Stale file handle"), "\(refused)")
            #expect(fixture.holdsBob)
            let names = try Shell.check("ls -A \(fixture.copies)")
            #expect(names == "current\n..data-1\n" || names == "..data-1\ncurrent\n")
        }
    }

    @Test("one that follows waits until the mount shows something again")
    func follows() throws {
        let fixture = try Fixture()
        defer { fixture.end() }
        let export = "export --to \(fixture.copies)"
        #expect(fixture.ends(export + " --once", 0))
        try fixture.cutOff()
        let background = try FollowerTests.Background(fixture.cli(export))
        usleep(1_500_000)
        #expect(background.isRunning)
        #expect(fixture.holdsBob)
        fixture.mounted.group.network.heal()
        try fixture.mounted.put(.context, "src/k", #"{"text":"one"}"#)
        let copied = "test -e \(fixture.copies)/current/context/src/k"
        let waited = Shell.run("until \(copied); do sleep 0.05; done", seconds: 20)
        #expect(waited.status == 0)
        #expect(fixture.holdsBob)
        #expect(background.status(after: SIGTERM) == 0)
    }

    @Test("whether somebody is a member cannot be told where the mount refuses to show it")
    func membership() throws {
        let fixture = try Fixture()
        defer { fixture.end() }
        #expect(fixture.ends("member g bob", 0))
        #expect(fixture.ends("member g eve", 1))
        try fixture.cutOff()
        for user in ["bob", "eve"] {
            let refused = fixture.run("member g \(user) --json")
            #expect(refused.status == 2, "\(user): \(refused)")
            #expect(refused.output.contains("nobody vouches"), "\(refused)")
        }
        fixture.mounted.group.network.heal()
        #expect(fixture.ends("member g bob", 0))
    }
}
