// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Testing

@Suite("Writing")
struct WriteTests {
    private func sample() throws -> Fixture {
        var fixture = Fixture()
        try fixture.put(.directoryUser, "u", #"{"group_ids":["g"]}"#)
        try fixture.put(.directoryUser, "v", #"{"group_ids":["g"]}"#)
        try fixture.put(.user, "u", #"{"name":"U"}"#)
        try fixture.put(.context, "src/k", "v")
        try fixture.putSession("s", user: "u")
        fixture.settle()
        return fixture
    }

    private func write(
        _ fixture: Fixture,
        _ handle: UInt64,
        _ text: String,
        at offset: UInt64 = 0
    ) throws(FSError) -> WriteStep {
        try fixture.files.write(
            handle,
            offset: offset,
            bytes: Array(text.utf8),
            view: fixture.state
        )
    }

    private let replacing: OpenFlags = [.write, .truncate]
    private let appending: OpenFlags = [.write, .append]

    @Test("a document in one write is committed by it; the flush after it is clean")
    func oneWrite() throws {
        var fixture = try sample()
        let handle = try fixture.open("sessions/s", replacing).handle
        // The shell closes the descriptor it opened, after it has duplicated it.
        #expect(throws: FSError.self) { try fixture.files.flush(handle, view: fixture.state) }
        let json = #"{"user_id":"u","idp_id":"new"}"# + "\n"
        guard case .commit(let kind) = try write(fixture, handle, json) else {
            Issue.record("not committed")
            return
        }
        fixture.apply(kind)
        fixture.files.committed(handle)
        #expect(try fixture.files.flush(handle, view: fixture.state) == .clean)
        #expect(try fixture.text(of: "sessions/s").contains("\"new\""))
    }

    @Test("a document in many writes is committed by the flush, and nobody sees it before")
    func manyWrites() throws {
        var fixture = try sample()
        let handle = try fixture.open("sessions/s", replacing).handle
        #expect(try write(fixture, handle, #"{"user_id":"#) == .staged)
        let inode = try fixture.find("sessions/s").inode
        let size = try fixture.files.attributes(
            of: inode,
            handle: handle,
            now: fixture.now,
            view: fixture.state
        )
        #expect(size.0.sizeBytes == 11 && size.seconds == 0)
        #expect(try fixture.text(of: "sessions/s").contains("\"okta\""))
        #expect(try write(fixture, handle, #""u"}"#, at: 11) == .staged)
        guard case .commit(let kind) = try fixture.files.flush(handle, view: fixture.state) else {
            Issue.record("not committed")
            return
        }
        fixture.apply(kind)
        fixture.files.committed(handle)
        #expect(try !fixture.text(of: "sessions/s").contains("okta"))
        #expect(try fixture.files.flush(handle, view: fixture.state) == .clean)
    }

    @Test("a document that is complete and wrong is refused by the write, and dropped")
    func wrong() throws {
        let fixture = try sample()
        for text in [
            #"{"nothing":1}"#, #"{"id":"other"}"#, "hello\n", "{}}", "[]", #"{"user_id":7}"#,
        ] {
            let handle = try fixture.open("sessions/s", replacing).handle
            #expect(throws: FSError.self, "\(text)") { try write(fixture, handle, text) }
            #expect(try fixture.files.flush(handle, view: fixture.state) == .clean)
            _ = fixture.files.release(handle)
        }
        #expect(try fixture.text(of: "sessions/s").contains("okta"))
    }

    @Test("a document that never ends is refused by the flush")
    func unfinished() throws {
        let fixture = try sample()
        let handle = try fixture.open("sessions/s", replacing).handle
        #expect(try write(fixture, handle, #"{"user_id":"#) == .staged)
        #expect(throws: FSError.self) { try fixture.files.flush(handle, view: fixture.state) }
    }

    @Test("after a failed commit the stage is gone and the handle can start again")
    func failed() throws {
        let fixture = try sample()
        let handle = try fixture.open("sessions/s", replacing).handle
        let json = #"{"user_id":"u"}"#
        guard case .commit(let first) = try write(fixture, handle, json) else { throw Unexpected() }
        fixture.files.commitFailed(handle)
        #expect(try fixture.files.flush(handle, view: fixture.state) == .clean)
        #expect(try write(fixture, handle, json) == .commit(first))
    }

    @Test("appended lines are members to add, committed with the line feed or by the flush")
    func append() throws {
        let fixture = try sample()
        let handle = try fixture.open("groups/g/members", appending).handle
        func added(_ users: [String]) -> Command.Kind {
            .changeMembers(MembershipChange(group: "g", add: users))
        }
        #expect(try write(fixture, handle, "a\n\nb\na\n", at: 999) == .commit(added(["a", "b"])))
        fixture.files.committed(handle)
        #expect(try write(fixture, handle, "c\nd") == .staged)
        #expect(try fixture.files.flush(handle, view: fixture.state) == .commit(added(["c", "d"])))
        fixture.files.committed(handle)
        #expect(try fixture.files.flush(handle, view: fixture.state) == .clean)
        #expect(throws: FSError.self) { try write(fixture, handle, "x\0y\n") }
    }

    @Test("a rewritten list of members replaces the set")
    func replace() throws {
        let fixture = try sample()
        func set(_ users: [String]) -> Command.Kind {
            .changeMembers(MembershipChange(group: "g", add: users, replace: true))
        }
        let short = try fixture.open("groups/g/members", replacing).handle
        #expect(try write(fixture, short, "v\nw\n") == .commit(set(["v", "w"])))
        let long = try fixture.open("groups/g/members", replacing).handle
        let users = (0..<1000).map { "user\($0)" }
        #expect(try write(fixture, long, users.map { "\($0)\n" }.joined()) == .staged)
        #expect(try fixture.files.flush(long, view: fixture.state) == .commit(set(users)))
        let edited = try fixture.open("groups/g/members", .write).handle
        #expect(try write(fixture, edited, "w\n", at: 2) == .staged)
        #expect(try fixture.files.flush(edited, view: fixture.state) == .commit(set(["u", "w"])))
        let untouched = try fixture.open("groups/g/members", .write).handle
        #expect(try fixture.files.flush(untouched, view: fixture.state) == .clean)
    }

    @Test("an emptied file is committed by its second flush: the first one is the shell's")
    func emptied() throws {
        let fixture = try sample()
        let members = try fixture.open("groups/g/members", replacing).handle
        #expect(throws: FSError.self) { try fixture.files.flush(members, view: fixture.state) }
        #expect(
            try fixture.files.flush(members, view: fixture.state)
                == .commit(.changeMembers(MembershipChange(group: "g", replace: true)))
        )
        fixture.files.committed(members)
        #expect(try fixture.files.flush(members, view: fixture.state) == .clean)
        let inode = try fixture.find("groups/g/members").inode
        #expect(
            try fixture.files.truncate(inode, handle: nil, sizeBytes: 0, view: fixture.state)
                == .commit(.changeMembers(MembershipChange(group: "g", replace: true)))
        )
        #expect(
            try fixture.files.truncate(inode, handle: nil, sizeBytes: 4, view: fixture.state)
                == .clean
        )
        let session = try fixture.find("sessions/s").inode
        #expect(throws: FSError.self) {
            try fixture.files.truncate(session, handle: nil, sizeBytes: 0, view: fixture.state)
        }
    }

    @Test("a context value is any bytes; appending adds to what is stored when it is committed")
    func context() throws {
        var fixture = try sample()
        try fixture.write("new\0\n", to: "context/src/k")
        #expect(try fixture.text(of: "context/src/k") == "new\0\n")
        let one = try fixture.open("context/src/k", appending).handle
        let two = try fixture.open("context/src/k", appending).handle
        for (handle, text) in [(one, "1"), (two, "2"), (one, "3")] {
            guard case .commit(let kind) = try write(fixture, handle, text) else {
                throw Unexpected()
            }
            fixture.apply(kind)
            fixture.files.committed(handle)
        }
        #expect(try fixture.text(of: "context/src/k") == "new\0\n123")
        let large = String(repeating: "x", count: Limits.contextBytesMax)
        try fixture.write(large, to: "context/src/k")
        let handle = try fixture.open("context/src/k", replacing).handle
        #expect(throws: FSError.tooLarge) { try write(fixture, handle, large + "x") }
    }

    @Test("after a write that was refused, nothing of the rest is committed")
    func half() throws {
        let small = try sample()
        var fixture = Fixture { $0.stagedBytesMax = 10 }
        fixture.state = small.state
        let members = try fixture.open("groups/g/members", replacing).handle
        #expect(try write(fixture, members, "u\nv\nw") == .staged)
        #expect(throws: FSError.noSpace) { try write(fixture, members, "\nmore users", at: 5) }
        #expect(throws: FSError.self) { try write(fixture, members, "x\n", at: 16) }
        #expect(try fixture.files.flush(members, view: fixture.state) == .clean)
        let value = try fixture.open("context/src/k", replacing).handle
        guard case .commit = try write(fixture, value, "one") else { throw Unexpected() }
        fixture.files.commitFailed(value)
        #expect(throws: FSError.self) { try write(fixture, value, "two", at: 3) }
        #expect(try fixture.files.flush(value, view: fixture.state) == .clean)
    }

    @Test("what is staged is bounded over all files")
    func bounded() throws {
        let small = try sample()
        var fixture = Fixture { $0.stagedBytesMax = 10 }
        fixture.state = small.state
        let one = try fixture.open("groups/g/members", replacing).handle
        let two = try fixture.open("groups/g/members", replacing).handle
        #expect(try write(fixture, one, "12345678") == .staged)
        #expect(throws: FSError.noSpace) { try write(fixture, two, "123") }
        #expect(try write(fixture, two, "12") == .staged)
        _ = fixture.files.release(one)
        #expect(try write(fixture, two, "345", at: 2) == .staged)
        #expect(throws: FSError.tooLarge) { try write(fixture, two, "x", at: .max) }
    }

    @Test(
        "what the contract does not let be written is refused",
        arguments: [
            "README", "users/u/email", "groups/g/count", "cluster/role", "events/all.jsonl",
            "records/pomerium.io%2FDirectoryUser/u",
        ]
    )
    func refused(path: String) throws {
        let fixture = try sample()
        #expect(throws: FSError.notPermitted) { try fixture.open(path, .write) }
    }

    @Test("documents are not appended to, directories not opened")
    func flags() throws {
        let fixture = try sample()
        #expect(throws: FSError.notPermitted) { try fixture.open("sessions/s", appending) }
        #expect(throws: FSError.isDirectory) { try fixture.open("sessions") }
        #expect(try fixture.open("sessions/s", .write).directIO)
        let handle = try fixture.open("sessions/s").handle
        #expect(throws: FSError.badHandle) { try write(fixture, handle, "{}") }
    }

    @Test("a created file is invisible until it is committed, and then the same inode")
    func create() throws {
        var fixture = try sample()
        let sessions = try fixture.find("sessions").inode
        let (entry, opened) = try fixture.files.create(
            "new",
            in: sessions,
            CreateRequest(flags: replacing, now: fixture.now, view: fixture.state)
        )
        #expect(entry.entrySeconds == 0 && entry.attributeSeconds == 0 && opened.directIO)
        #expect(throws: FSError.notFound) { try fixture.find("sessions/new") }
        #expect(throws: FSError.self) {
            try fixture.files.flush(opened.handle, view: fixture.state)
        }
        #expect(try write(fixture, opened.handle, "{") == .staged)
        let size = try fixture.files.attributes(
            of: entry.inode,
            handle: nil,
            now: 0,
            view: fixture.state
        )
        #expect(size.0.sizeBytes == 1 && size.seconds == 0)
        #expect(try write(fixture, opened.handle, #""user_id":"u"}"#, at: 1) == .staged)
        let flushed = try fixture.files.flush(opened.handle, view: fixture.state)
        guard case .commit(let kind) = flushed else { throw Unexpected() }
        fixture.apply(kind)
        fixture.files.committed(opened.handle)
        #expect(try fixture.find("sessions/new").inode == entry.inode)
    }

    @Test("where files can be created and where not")
    func places() throws {
        var fixture = try sample()
        try fixture.create("users/u/sessions/n", #"{"user_id":"u"}"#)
        try fixture.create("context/src/n", "x")
        try fixture.put(RecordType("t/T"), "r", "{}")
        try fixture.create("records/t%2FT/n", #"{"a":1}"#)
        #expect(try fixture.names("users/u/sessions") == ["s", "n"])
        #expect(try fixture.names("records/t%2FT") == ["r", "n"])
        #expect(throws: FSError.self) {
            try fixture.create("users/v/sessions/m", #"{"user_id":"u"}"#)
        }
        #expect(throws: FSError.self) {
            try fixture.create("users/v/sessions/s", #"{"user_id":"v"}"#)
        }
        #expect(throws: FSError.self) { try fixture.create("sessions/a b", "{}") }
        for path in [
            "new", "users/u/more", "groups/g/members.d/w", "events/x", "cluster/x",
            "records/pomerium.io%2FDirectoryUser/w", "groups/g/sessions/n2",
        ] {
            #expect(throws: FSError.notPermitted, "\(path)") { try fixture.create(path, "{}") }
        }
        fixture.apply(.revoke(.session("s"), reason: ""))
        #expect(throws: FSError.revoked) { try fixture.create("sessions/s", #"{"user_id":"u"}"#) }
    }

    @Test("exclusive creation asks for a record that is not there")
    func exclusive() throws {
        let fixture = try sample()
        let sessions = try fixture.find("sessions").inode
        func create(_ name: String) throws(FSError) -> Opened {
            try fixture.files.create(
                name,
                in: sessions,
                CreateRequest(
                    flags: [.write, .exclusive],
                    now: fixture.now,
                    view: fixture.state
                )
            ).1
        }
        #expect(throws: FSError.exists) { try create("s") }
        let handle = try create("n").handle
        guard case .commit(.put(let writes)) = try write(fixture, handle, #"{"user_id":"u"}"#)
        else { throw Unexpected() }
        #expect(writes.map(\.expectedVersion) == [0])
    }
}
