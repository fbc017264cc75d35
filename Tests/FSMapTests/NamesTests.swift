// SPDX-License-Identifier: Apache-2.0

import Identity
import Testing

@testable import FSMap

@Suite("Removing and making names")
struct NamesTests {
    private func sample() throws -> Fixture {
        var fixture = Fixture()
        try fixture.put(.user, "u", #"{"name":"U"}"#)
        try fixture.put(.directoryUser, "u", #"{"group_ids":["g"]}"#)
        try fixture.put(.serviceAccount, "a", "{}")
        try fixture.put(.context, "src/k", "v")
        try fixture.put(RecordType("t/T"), "r", "{}")
        try fixture.putSession("s", user: "u")
        fixture.settle()
        return fixture
    }

    private func parent(_ fixture: Fixture, _ path: String) throws(FSError) -> (UInt64, String) {
        let (parent, name) = Fixture.split(path)
        return (parent.isEmpty ? FileSystem.rootInode : try fixture.find(parent).inode, name)
    }

    private func unlink(_ fixture: Fixture, _ path: String) throws(FSError) -> Command.Kind? {
        let (inode, name) = try parent(fixture, path)
        return try fixture.files.unlink(name, in: inode, view: fixture.state)
    }

    private func rmdir(_ fixture: Fixture, _ path: String) throws(FSError) -> Command.Kind? {
        let (inode, name) = try parent(fixture, path)
        return try fixture.files.removeDirectory(name, in: inode, view: fixture.state)
    }

    private func mkdir(_ fixture: Fixture, _ path: String) throws(FSError) -> DirectoryStep {
        let (inode, name) = try parent(fixture, path)
        return try fixture.files.makeDirectory(
            name,
            in: inode,
            now: fixture.now,
            view: fixture.state
        )
    }

    @Test("rm is the command the contract says")
    func unlink() throws {
        let fixture = try sample()
        for path in ["sessions/s", "users/u/sessions/s", "groups/g/sessions/s"] {
            #expect(try unlink(fixture, path) == .revoke(.session("s"), reason: ""))
        }
        #expect(
            try unlink(fixture, "service-accounts/a/account.json")
                == .revoke(.serviceAccount("a"), reason: "")
        )
        #expect(
            try unlink(fixture, "context/src/k")
                == .put([RecordWrite(delete: .context, id: "src/k")])
        )
        #expect(
            try unlink(fixture, "records/t%2FT/r")
                == .put([RecordWrite(delete: RecordType("t/T"), id: "r")])
        )
        for path in [
            "README", "users/u/user.json", "users/u/email", "groups/g/members", "events/all.jsonl",
            "groups/g/members.d/u",
            "records/type.googleapis.com%2Fsession.Session/s",
        ] { #expect(throws: FSError.notPermitted, "\(path)") { try unlink(fixture, path) } }
        #expect(throws: FSError.notFound) { try unlink(fixture, "sessions/t") }
        #expect(throws: FSError.isDirectory) { try unlink(fixture, "users/u") }
    }

    @Test("rmdir is the command the contract says")
    func removeDirectory() throws {
        let fixture = try sample()
        #expect(try rmdir(fixture, "users/u/sessions") == .revoke(.user("u"), reason: ""))
        #expect(try rmdir(fixture, "groups/g/sessions") == .revoke(.group("g"), reason: ""))
        #expect(
            try rmdir(fixture, "service-accounts/a/sessions") == .revoke(.user("a"), reason: "")
        )
        #expect(try rmdir(fixture, "groups/g") == .deleteGroup("g"))
        #expect(throws: FSError.notEmpty) { try rmdir(fixture, "context/src") }
        for path in [
            "users/u", "users", "sessions", "groups/g/members.d", "records/t%2FT", "cluster",
        ] {
            #expect(throws: FSError.notPermitted, "\(path)") { try rmdir(fixture, path) }
        }
        #expect(throws: FSError.notDirectory) { try rmdir(fixture, "README") }
        #expect(throws: FSError.notFound) { try rmdir(fixture, "groups/h") }
    }

    @Test("a directory the kernel has removed is a new inode when it is looked up again")
    func directoryRemoved() throws {
        var fixture = try sample()
        let before = try fixture.find("users/u/sessions")
        guard let kind = try rmdir(fixture, "users/u/sessions") else { throw Unexpected() }
        fixture.apply(kind)
        fixture.files.directoryRemoved("sessions", in: try fixture.find("users/u").inode)
        let after = try fixture.find("users/u/sessions")
        #expect(after.inode != before.inode)
        #expect(after.attributes.number == before.attributes.number)
        #expect(try fixture.list("users/u/sessions").count == 2)
        #expect(throws: FSError.stale) { try fixture.list(inode: before.inode) }
    }

    @Test("mkdir makes a group for everybody")
    func makeGroup() throws {
        var fixture = try sample()
        guard case .commit(let kind) = try mkdir(fixture, "groups/new%20one") else {
            throw Unexpected()
        }
        fixture.apply(kind)
        #expect(try fixture.text(of: "groups/new%20one/count") == "0\n")
        #expect(try fixture.text(of: "groups/new%20one/group.json").contains("\"new one\""))
        #expect(throws: FSError.exists) { try mkdir(fixture, "groups/new%20one") }
        #expect(throws: FSError.exists) { try mkdir(fixture, "groups/g") }
    }

    @Test("mkdir makes a place for a record to come, in this mount alone")
    func makePending() throws {
        for (path, file, json) in [
            ("users/n", "user.json", "{}"), ("service-accounts/n", "account.json", "{}"),
            ("context/n", "k", "x"),
        ] {
            var fixture = try sample()
            guard case .done(let made) = try mkdir(fixture, path) else { throw Unexpected() }
            #expect(made.entrySeconds == 0 && made.attributeSeconds == 0)
            #expect(try fixture.names(Fixture.split(path).parent).contains("n"))
            #expect(try fixture.names(path) == [])
            #expect(throws: FSError.exists) { try mkdir(fixture, path) }
            try fixture.create("\(path)/\(file)", json)
            #expect(try fixture.names(path).contains(file))
            let real = try fixture.find(path)
            #expect(real.inode == made.inode)
            #expect(real.attributes.number != made.attributes.number)
            let parent = Fixture.split(path).parent
            #expect(try fixture.names(parent).filter { $0 == "n" }.count == 1)
        }
    }

    @Test("pending directories can be removed, and are bounded")
    func pending() throws {
        let state = try sample().state
        var fixture = Fixture { $0.pendingDirectoriesMax = 2 }
        fixture.state = state
        _ = try mkdir(fixture, "users/n1")
        _ = try mkdir(fixture, "users/n2")
        #expect(throws: FSError.noSpace) { try mkdir(fixture, "users/n3") }
        #expect(try rmdir(fixture, "users/n1") == nil)
        #expect(throws: FSError.notFound) { try fixture.find("users/n1") }
        _ = try mkdir(fixture, "users/n3")
    }

    @Test("mkdir is refused elsewhere, and for what is no name of an id")
    func makeRefused() throws {
        let fixture = try sample()
        for path in ["new", "sessions/new", "records/new", "users/u/new", "cluster/new"] {
            #expect(throws: FSError.notPermitted, "\(path)") { try mkdir(fixture, path) }
        }
        for path in ["groups/a b", "groups/.x", "context/a%2Fb", "groups/a%0Ab", "users/a%00"] {
            #expect(throws: FSError.self, "\(path)") { try mkdir(fixture, path) }
        }
        #expect(throws: FSError.exists) { try mkdir(fixture, "users/u/sessions") }
    }

    @Test("a record gets no other id")
    func rename() throws {
        let fixture = try sample()
        let sessions = try fixture.find("sessions").inode
        func rename(_ name: String) throws(FSError) {
            _ = try fixture.files.rename(
                name,
                in: sessions,
                to: "n",
                in: sessions,
                view: fixture.state
            )
        }
        #expect(throws: FSError.notPermitted) { try rename("s") }
        #expect(throws: FSError.notFound) { try rename("t") }
    }

    @Test("file system totals are those of all records")
    func totals() throws {
        let fixture = try sample()
        let totals = try fixture.files.statistics(view: fixture.state)
        #expect(totals.files == 6 && totals.bytes > 20)
    }

    @Test("a kernel that knows too many inodes is told to forget the oldest that nobody uses")
    func surplus() throws {
        let batch = InodeTable.surplusBatch
        var fixture = Fixture { $0.inodesMax = 20 }
        for number in 0..<40 { try fixture.putSession("s\(number)", user: "u") }
        fixture.settle()
        let sessions = try fixture.find("sessions").inode
        let open = try fixture.open("sessions/s0")
        for number in 1..<18 { _ = try fixture.find("sessions/s\(number)") }
        #expect(fixture.files.surplus(after: batch) == nil)
        for number in 18..<40 { _ = try fixture.find("sessions/s\(number)") }
        #expect(fixture.files.surplus(after: batch / 2 - 1) == nil, "it takes a batch")
        guard case .unused(let inodes)? = fixture.files.surplus(after: 1) else {
            return #expect(Bool(false), "nothing is too much")
        }
        #expect(Set(inodes).count == 39, "s0 is open, and directories stay")
        #expect(fixture.files.names(of: [inodes[0]]) == [.entry(parent: sessions, name: "s1")])
        for inode in Set(inodes) { fixture.files.forget(inode, lookups: 1) }
        #expect(fixture.files.inodeCount <= 20)
        #expect(fixture.files.surplus(after: batch) == nil)
        _ = fixture.files.release(open.handle)
    }
}
