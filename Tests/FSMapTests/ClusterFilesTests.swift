// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Testing

/// The files of `cluster/`: true whenever they are read, and what is told of them.
@Suite("cluster/") struct ClusterFilesTests {
    private var fixture = Fixture()

    private func node(_ name: String, role: String = "follower", applied: UInt64 = 1) -> ClusterNode
    {
        ClusterNode(name: name, address: "h:1", role: role, state: "ok", applied: applied)
    }

    private func cluster(
        role: String = "leader",
        term: UInt64 = 1,
        applied: UInt64 = 1,
        _ nodes: ClusterNode...
    ) -> ClusterState {
        ClusterState(
            role: role,
            leader: "n1",
            term: term,
            writable: role == "leader",
            applied: applied,
            committed: applied,
            lagMilliseconds: applied,
            nodes: nodes
        )
    }

    @Test("a file that is open shows what is now when it is read from its beginning")
    mutating func reading() throws {
        fixture.state.cluster = cluster()
        let opened = try fixture.open("cluster/role")
        #expect(opened.directIO)
        #expect(fixture.files.hasNews(opened.handle, view: fixture.state) == true)
        #expect(try fixture.text(opened.handle) == "leader\n")
        #expect(fixture.files.hasNews(opened.handle, view: fixture.state) == false)
        fixture.state.cluster = cluster(role: "follower")
        #expect(fixture.files.hasNews(opened.handle, view: fixture.state) == true)
        let rest = try fixture.files.read(opened.handle, offset: 2, count: 9, view: fixture.state)
        #expect(String(decoding: rest, as: UTF8.self) == "ader\n", "of what was read before")
        #expect(try fixture.text(opened.handle) == "follower\n")
        #expect(fixture.files.hasNews(opened.handle, view: fixture.state) == false)
        let lag = try fixture.open("cluster/lag_ms")
        #expect(fixture.files.hasNews(lag.handle, view: fixture.state) == nil, "always readable")
        for handle in [opened, lag] { _ = fixture.files.release(handle.handle) }
    }

    private func told(_ before: ClusterState, _ after: ClusterState) -> [String] {
        Replay.replays(from: before, to: after).map { "\($0.kind) \($0.path)" }
    }

    @Test("changes are told of, counters are not")
    func replays() {
        let before = cluster(node("n1", role: "leader"), node("n2"), node("n3"))
        #expect(told(before, before).isEmpty)
        #expect(
            told(
                before,
                cluster(
                    applied: 9,
                    node("n1", role: "leader"),
                    node("n2", applied: 9),
                    node("n3")
                )
            ).isEmpty
        )
        #expect(
            told(
                before,
                cluster(
                    role: "follower",
                    term: 2,
                    node("n1"),
                    node("n2", role: "leader"),
                    node("n4")
                )
            )
                == [
                    "changed cluster/role", "changed cluster/term", "changed cluster/writable",
                    "removed cluster/nodes/n3", "changed cluster/nodes/n1/role",
                    "changed cluster/nodes/n2/role", "created cluster/nodes/n4",
                ]
        )
        for replay in Replay.replays(from: before, to: cluster(role: "candidate")) {
            #expect(replay.isAlwaysShown)
        }
    }

    @Test("a directory that is removed again is taken for one")
    func ghosts() {
        #expect(FileSystem.ghost(1, of: .directory).attributes.kind == .directory)
        #expect(FileSystem.ghost(1, of: .regular).attributes.kind == .regular)
    }
}

/// What a mount knows of changes that it does not take by itself.
@Suite("Changes on a follower") struct FollowingTests {
    private var fixture = Fixture()

    @Test("which removals revoke something")
    mutating func revocations() throws {
        try fixture.putSession("s", user: "u")
        try fixture.put(.context, "c/k", #"{"text":"x"}"#)
        try fixture.put(.directoryUser, "u", #"{"group_ids":["g"]}"#)
        func isRevocation(_ path: String) throws -> Bool {
            let (parent, name) = Fixture.split(path)
            return fixture.files.isRevocation(
                ofName: name,
                in: try fixture.find(parent).inode,
                view: fixture.state
            )
        }
        for path in [
            "sessions/s", "users/u/sessions/s", "users/u/sessions", "groups/g/sessions",
        ] {
            #expect(try isRevocation(path), "\(path)")
        }
        for path in ["context/c/k", "groups/g", "sessions/none", "users/u/groups"] {
            #expect(try !isRevocation(path), "\(path)")
        }
    }

    @Test("what was staged is dropped, and never committed later")
    mutating func staged() throws {
        try fixture.putSession("s", user: "u")
        let opened = try fixture.open("sessions/s", [.write, .truncate])
        let bytes = Array(#"{"user_id":"#.utf8)
        _ = try fixture.files.write(opened.handle, offset: 0, bytes: bytes, view: fixture.state)
        #expect(fixture.files.dropStaged(opened.handle))
        #expect(!fixture.files.dropStaged(opened.handle))
        #expect(try fixture.files.flush(opened.handle, view: fixture.state) == .clean)
        let rest = Array(#""u"}"#.utf8)
        #expect(throws: FSError.self) {
            try fixture.files.write(
                opened.handle,
                offset: UInt64(bytes.count),
                bytes: rest,
                view: fixture.state
            )
        }
        _ = fixture.files.release(opened.handle)
        let reader = try fixture.open("sessions/s")
        #expect(!fixture.files.dropStaged(reader.handle))
        _ = fixture.files.release(reader.handle)
    }
}
