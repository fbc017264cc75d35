// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Testing

@Suite("Scratch files and renaming")
struct ScratchTests {
    private static let document = #"{"user_id":"u","idp_id":"new"}"# + "\n"
    private let creating: OpenFlags = [.read, .write, .exclusive]

    private func sample(
        _ change: (inout FileSystemOptions) -> Void = { _ in }
    ) throws -> Fixture {
        var fixture = Fixture(change)
        try fixture.put(.directoryUser, "u", #"{"group_ids":["g"]}"#)
        try fixture.putSession("s", user: "u")
        fixture.settle()
        return fixture
    }

    private func create(
        _ fixture: Fixture,
        _ path: String,
        _ flags: OpenFlags
    ) throws(FSError) -> Opened {
        let (parent, name) = Fixture.split(path)
        let request = CreateRequest(flags: flags, now: fixture.now, view: fixture.state)
        return try fixture.files.create(name, in: fixture.find(parent).inode, request).1
    }

    /// Creates a scratch file with this content and closes it.
    private func make(_ fixture: Fixture, _ path: String, _ text: String) throws {
        let handle = try create(fixture, path, creating).handle
        let step = try fixture.files.write(
            handle,
            offset: 0,
            bytes: Array(text.utf8),
            now: fixture.now,
            view: fixture.state
        )
        #expect(step == .staged)
        #expect(try fixture.files.flush(handle, view: fixture.state) == .clean)
        _ = fixture.files.release(handle)
    }

    private func rename(
        _ fixture: Fixture,
        _ from: String,
        _ to: String
    ) throws -> RenameStep {
        let (old, name) = Fixture.split(from)
        let (new, newName) = Fixture.split(to)
        return try fixture.files.rename(
            name,
            in: fixture.find(old).inode,
            to: newName,
            in: fixture.find(new).inode,
            now: fixture.now,
            view: fixture.state
        )
    }

    private func commit(_ fixture: inout Fixture, _ step: RenameStep) throws {
        guard case .commit(let kind, let renaming) = step else {
            Issue.record("nothing to commit: \(step)")
            return
        }
        fixture.apply(kind)
        #expect(!fixture.files.renamed(renaming).isEmpty)
        fixture.settle()
    }

    @Test(
        "scratch names are files of this mount alone, in every directory that takes changes",
        arguments: [
            "sessions/.s.swp", "sessions/s~", "sessions/s.tmp", "sessions/x.swx", "sessions/4913",
            "sessions/sedAb12x_", "sessions/#s#", "users/u/.user.json.swp", "groups/g/sedxxxxxx",
            "users/u/sessions/.t", "context/src/k.tmp",
        ]
    )
    func names(path: String) throws {
        var fixture = try sample()
        try fixture.put(.context, "src/k", "v")
        try make(fixture, path, "half of something")
        #expect(try fixture.text(of: path) == "half of something")
        let entry = try fixture.find(path)
        #expect(entry.entrySeconds == 0 && entry.attributes.sizeBytes == 17)
        let (parent, name) = Fixture.split(path)
        #expect(try !fixture.names(parent).contains(name), "scratch files are not listed")
        let inode = try fixture.find(parent).inode
        #expect(try fixture.files.unlink(name, in: inode, view: fixture.state) == nil)
        #expect(throws: FSError.notFound) { try fixture.find(path) }
    }

    @Test(
        "elsewhere, and with other names, nothing is scratch",
        arguments: ["groups/.x", "users/.x", "cluster/.x", "events/x~", "groups/g/members.d/.x"]
    )
    func elsewhere(path: String) throws {
        let fixture = try sample()
        #expect(throws: FSError.self) { try create(fixture, path, creating) }
    }

    @Test("a record of a scratch file's name comes first")
    func record() throws {
        var fixture = try sample()
        try make(fixture, "sessions/t.tmp", "mine")
        try fixture.putSession("t.tmp", user: "u")
        fixture.settle()
        #expect(try fixture.text(of: "sessions/t.tmp").contains("\"user_id\": \"u\""))
    }

    @Test("renaming onto a record's name is an update that validates")
    func renameOver() throws {
        var fixture = try sample()
        let before = try fixture.find("sessions/s").inode
        try make(fixture, "sessions/sedAb12xy", Self.document)
        try commit(&fixture, rename(fixture, "sessions/sedAb12xy", "sessions/s"))
        #expect(try fixture.text(of: "sessions/s").contains("\"new\""))
        #expect(try fixture.find("sessions/s").inode == before, "an update is no revocation")
        #expect(throws: FSError.notFound) { try fixture.find("sessions/sedAb12xy") }
    }

    @Test("renaming a bad document changes nothing, and the scratch file stays")
    func renameBad() throws {
        let fixture = try sample()
        try make(fixture, "sessions/.t", "{\"user_id\":")
        #expect(throws: FSError.self) { try rename(fixture, "sessions/.t", "sessions/s") }
        #expect(try fixture.text(of: "sessions/.t") == "{\"user_id\":")
        #expect(try fixture.text(of: "sessions/s").contains("\"okta\""))
    }

    @Test("renaming onto a new id creates, onto a revoked one does not")
    func renameNew() throws {
        var fixture = try sample()
        try make(fixture, "sessions/.t", Self.document)
        try commit(&fixture, rename(fixture, "sessions/.t", "sessions/t"))
        #expect(try fixture.text(of: "users/u/sessions/t").contains("\"new\""))
        fixture.apply(.revoke(.session("t"), reason: ""))
        try make(fixture, "sessions/.t", Self.document)
        #expect(throws: FSError.revoked) { try rename(fixture, "sessions/.t", "sessions/t") }
        try make(fixture, "users/u/sessions/.v", #"{"user_id":"v"}"#)
        #expect(throws: FSError.self) {
            try rename(fixture, "users/u/sessions/.v", "users/u/sessions/v")
        }
    }

    @Test("a set of members is replaced by a rename")
    func members() throws {
        var fixture = try sample()
        try make(fixture, "groups/g/sedxxxxxx", "v\nw\n")
        try commit(&fixture, rename(fixture, "groups/g/sedxxxxxx", "groups/g/members"))
        #expect(try fixture.text(of: "groups/g/members") == "v\nw\n")
        try make(fixture, "groups/g/.c", "1\n")
        #expect(throws: FSError.notPermitted) {
            try rename(fixture, "groups/g/.c", "groups/g/count")
        }
    }

    @Test("a record moved to a backup name is copied")
    func backup() throws {
        let fixture = try sample()
        let step = try rename(fixture, "sessions/s", "sessions/s~")
        let sessions = try fixture.find("sessions").inode
        #expect(step == .done([.entry(parent: sessions, name: "s~")]))
        #expect(try fixture.text(of: "sessions/s~") == fixture.text(of: "sessions/s"))
        #expect(throws: FSError.notPermitted) { try rename(fixture, "sessions/s", "sessions/.s") }
        #expect(throws: FSError.notPermitted) { try rename(fixture, "users/u", "users/u~") }
        #expect(throws: FSError.notPermitted) {
            try rename(fixture, "groups/g/count", "groups/g/count~")
        }
    }

    @Test("scratch files move among themselves")
    func move() throws {
        let fixture = try sample()
        try make(fixture, "sessions/.a", "a")
        try make(fixture, "sessions/b~", "b")
        #expect(try rename(fixture, "sessions/.a", "sessions/b~") == .done([]))
        #expect(try fixture.text(of: "sessions/b~") == "a")
        #expect(throws: FSError.notFound) { try rename(fixture, "sessions/.a", "sessions/.c") }
    }

    @Test("scratch files are bounded one by one and together")
    func limits() throws {
        let fixture = try sample {
            $0.scratch.fileBytesMax = 10
            $0.scratch.bytesMax = 15
            $0.scratch.countMax = 3
        }
        try make(fixture, "sessions/.a", "0123456789")
        let handle = try create(fixture, "sessions/.b", creating).handle
        #expect(throws: FSError.tooLarge) {
            try fixture.files.write(handle, offset: 1, bytes: Array(10..<20), view: fixture.state)
        }
        #expect(throws: FSError.noSpace) {
            try fixture.files.write(handle, offset: 0, bytes: Array(0..<6), view: fixture.state)
        }
        try make(fixture, "sessions/.c", "")
        #expect(throws: FSError.noSpace) { try create(fixture, "sessions/.d", creating) }
    }

    @Test("what nobody has open or uses is gone after a minute")
    func idle() throws {
        var fixture = try sample()
        try make(fixture, "sessions/.a", "a")
        let kept = try create(fixture, "sessions/.b", creating).handle
        fixture.now += 61_000_000_000
        #expect(throws: FSError.notFound) { try fixture.find("sessions/.a") }
        _ = try fixture.find("sessions/.b")
        _ = fixture.files.release(kept)
        fixture.now += 61_000_000_000
        #expect(throws: FSError.notFound) { try fixture.find("sessions/.b") }
    }

    @Test("a scratch file that was removed while it was open is still read and written")
    func unlinked() throws {
        let fixture = try sample()
        let handle = try create(fixture, "sessions/.a", creating).handle
        let sessions = try fixture.find("sessions").inode
        _ = try fixture.files.unlink(".a", in: sessions, view: fixture.state)
        _ = try fixture.files.write(handle, offset: 0, bytes: [65], view: fixture.state)
        let read = try fixture.files.read(handle, offset: 0, count: 9, view: fixture.state)
        #expect(Array(read) == [65])
        _ = fixture.files.release(handle)
        #expect(throws: FSError.badHandle) {
            try fixture.files.read(handle, offset: 0, count: 9, view: fixture.state)
        }
    }

    @Test("why a change was refused is told to whoever wanted it, and to nobody else")
    func lastError() throws {
        let fixture = try sample()
        let sessions = try fixture.find("sessions").inode
        let file = try fixture.find("users/u/sessions/s").inode
        fixture.files.noteRefusal("line 1", to: 7, in: sessions)
        fixture.files.noteRefusal("line 2", to: 7, of: file)
        func reason(_ path: String, _ uid: UInt32) throws -> String {
            let value = try fixture.files.extendedAttribute(
                "user.brokerfs.last_error",
                of: fixture.find(path).inode,
                caller: uid,
                view: fixture.state
            )
            return String(decoding: value, as: UTF8.self)
        }
        #expect(try reason("sessions", 7) == "line 1")
        #expect(try reason("users/u/sessions", 7) == "line 2")
        #expect(throws: FSError.noAttribute) { try reason("sessions", 8) }
        #expect(throws: FSError.noAttribute) { try reason("groups", 7) }
    }
}
