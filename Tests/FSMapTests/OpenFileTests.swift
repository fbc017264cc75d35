// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Testing

@Suite("Open files")
struct OpenFileTests {
    private func sample() throws -> Fixture {
        var fixture = Fixture()
        try fixture.put(.directoryUser, "u", #"{"group_ids":["g"]}"#)
        try fixture.put(.context, "src/k", "v")
        try fixture.putSession("s", user: "u", idp: "one")
        fixture.settle()
        return fixture
    }

    @Test("an open file keeps the content it was opened with")
    func snapshot() throws {
        var fixture = try sample()
        let opened = try fixture.open("sessions/s")
        try fixture.putSession("s", user: "u", idp: "two-two")
        #expect(try fixture.text(opened.handle).contains("\"one\""))
        #expect(try fixture.text(of: "sessions/s").contains("\"two-two\""))
        let inode = try fixture.find("sessions/s").inode
        func size(_ handle: UInt64?) throws -> (UInt64, Double) {
            let (attributes, seconds) = try fixture.files.attributes(
                of: inode,
                handle: handle,
                now: fixture.now + 5_000_000_000,
                view: fixture.state
            )
            return (attributes.sizeBytes, seconds)
        }
        let (old, new) = (try size(opened.handle), try size(nil))
        #expect(new.0 == old.0 + 4)
        #expect(old.1 == 0 && new.1 == 3600)
    }

    @Test("a revoked session cannot be read, through any handle, before or after it is told")
    func revoked() throws {
        var fixture = try sample()
        let inode = try fixture.find("sessions/s").inode
        let read = try fixture.open("sessions/s")
        _ = try fixture.text(read.handle)
        let raw = try fixture.open("records/type.googleapis.com%2Fsession.Session/s")
        var next = fixture.state
        let effects = next.apply(.revoke(.session("s"), reason: ""))
        fixture.files.willApply(effects, now: fixture.now)
        #expect(throws: FSError.revoked) { try fixture.text(read.handle) }
        fixture.state = next
        // Somebody who looked a moment ago gets an inode that nobody has been told of.
        _ = fixture.files.invalidations(for: effects, view: fixture.state)
        for handle in [read.handle, raw.handle] {
            #expect(throws: FSError.revoked) { try fixture.text(handle) }
        }
        #expect(throws: FSError.revoked) {
            try fixture.files.attributes(of: inode, handle: nil, now: 0, view: fixture.state)
        }
        #expect(throws: FSError.revoked) {
            try fixture.files.open(inode, flags: .read, view: fixture.state)
        }
    }

    @Test("nor can one that was opened while the revocation was applied")
    func revokedMeanwhile() throws {
        var fixture = try sample()
        let old = fixture.state
        fixture.apply(.revoke(.session("s"), reason: ""))
        let sessions = try fixture.find("sessions").inode
        let reply = try fixture.files.lookup("s", in: sessions, now: fixture.now, view: old)
        guard case .found(let entry) = reply else {
            Issue.record("the old state has the session")
            return
        }
        let opened = try fixture.files.open(entry.inode, flags: .read, view: old)
        #expect(throws: FSError.revoked) { try fixture.text(opened.handle) }
        #expect(throws: FSError.revoked) {
            try fixture.files.attributes(of: entry.inode, handle: nil, now: 0, view: fixture.state)
        }
    }

    @Test("nor one that a bulk revokes while its file, read before, is being opened")
    func revokedInBulk() throws {
        var fixture = Fixture { $0.invalidatedNamesMax = 3 }
        // The first one of a principal stands for its listings and is looked for anyhow.
        for session in ["first", "s", "t"] { try fixture.putSession(session, user: "u") }
        fixture.settle()
        let raw = "records/type.googleapis.com%2Fsession.Session/s"
        for path in ["sessions/s", raw] {
            _ = try fixture.text(of: path)
            let again = try fixture.open(path)
            #expect(again.keepCache)
            _ = fixture.files.release(again.handle)
        }
        _ = try fixture.open("sessions/t")
        let open = try fixture.find("sessions/t").inode
        let inodes = try ["sessions/s", raw].map { path in try fixture.find(path).inode }
        // Whoever answers the OPEN has looked at the state before the revocation.
        let old = fixture.state
        let told = fixture.apply(.revoke(.user("u"), reason: ""))
        for inode in inodes {
            #expect(throws: FSError.revoked) {
                try fixture.files.open(inode, flags: .read, view: old)
            }
        }
        let contents = told.content.filter { if case .content = $0 { true } else { false } }
        #expect(contents == [.content(inode: open)], "pages that nobody can reach may stay")
    }

    @Test("nor one that was created and revoked in one batch, through the creator's handle")
    func revokedWithItsCreation() throws {
        var fixture = try sample()
        let (entry, opened) = try fixture.files.create(
            "new",
            in: fixture.find("sessions").inode,
            CreateRequest(flags: [.read, .write], now: fixture.now, view: fixture.state)
        )
        let step = try fixture.files.write(
            opened.handle,
            offset: 0,
            bytes: Array(#"{"user_id":"u"}"#.utf8),
            view: fixture.state
        )
        guard case .commit(let put) = step else { throw Unexpected() }
        #expect(try fixture.text(opened.handle).contains("user_id"))
        var next = fixture.state
        let effects = next.apply(put) + next.apply(.revoke(.user("u"), reason: ""))
        fixture.files.willApply(effects, now: fixture.now)
        fixture.state = next
        _ = fixture.files.invalidations(for: effects, view: fixture.state)
        fixture.files.committed(opened.handle)
        #expect(throws: FSError.revoked) { try fixture.text(opened.handle) }
        #expect(throws: FSError.revoked) {
            try fixture.files.attributes(of: entry.inode, handle: nil, now: 0, view: fixture.state)
        }
    }

    @Test("what was deleted and made anew is a new inode; the old one is stale")
    func recreated() throws {
        var fixture = try sample()
        for (path, remove, add) in [
            (
                "context/src/k", Command.Kind.put([RecordWrite(delete: .context, id: "src/k")]),
                Command.Kind.put([try Document.parse([65], type: .context, id: "src/k")])
            ),
            (
                "groups/g", .deleteGroup("g"),
                .changeMembers(MembershipChange(group: "g", add: ["u"]))
            ),
        ] {
            let old = try fixture.find(path)
            fixture.apply(remove)
            fixture.apply(add)
            let new = try fixture.find(path)
            #expect(new.inode != old.inode && new.attributes.number != old.attributes.number)
            #expect(throws: FSError.stale) {
                try fixture.files.attributes(
                    of: old.inode,
                    handle: nil,
                    now: 0,
                    view: fixture.state
                )
            }
        }
    }

    @Test("a recreated name is a new inode even for who is not told of the change")
    func recreatedUntold() throws {
        var fixture = try sample()
        let old = try fixture.find("context/src/k")
        _ = fixture.state.apply(.put([RecordWrite(delete: .context, id: "src/k")]))
        _ = fixture.state.apply(
            .put([try Document.parse([65], type: .context, id: "src/k")])
        )
        func attributes() throws -> Attributes {
            try fixture.files.attributes(of: old.inode, handle: nil, now: 0, view: fixture.state).0
        }
        #expect(throws: FSError.stale) { try attributes() }
        #expect(throws: FSError.stale) {
            try fixture.files.open(old.inode, flags: .read, view: fixture.state)
        }
        // The source vanished with its only value.
        #expect(throws: FSError.notFound) { try fixture.find("context/src/nothing") }
        #expect(try fixture.find("context/src/k").inode != old.inode)
        #expect(throws: FSError.stale) { try attributes() }
    }

    @Test("the page cache is kept for one version and shared by no two")
    func pageCache() throws {
        var fixture = try sample()
        func open() throws -> Opened { try fixture.open("sessions/s") }
        let first = try open()
        #expect(!first.directIO && !first.keepCache)
        let second = try open()
        #expect(!second.directIO && second.keepCache)
        #expect(fixture.files.release(second.handle).isEmpty)
        try fixture.putSession("s", user: "u", idp: "two")
        let third = try open()
        #expect(third.directIO && !third.keepCache)
        let inode = try fixture.find("sessions/s").inode
        #expect(fixture.files.release(first.handle) == [.content(inode: inode)])
        #expect(fixture.files.release(third.handle).isEmpty)
        let fourth = try open()
        #expect(!fourth.directIO && !fourth.keepCache)
        #expect(try open().keepCache)
    }

    @Test("the log of changes is followed through one handle, until it is started anew")
    func events() throws {
        var fixture = try sample()
        let opened = try fixture.open("events/all.jsonl")
        #expect(opened.directIO)
        let before = try fixture.text(opened.handle)
        try fixture.putSession("t", user: "u")
        let after = try fixture.text(opened.handle)
        #expect(after.hasPrefix(before) && after.count > before.count)
        let news = { fixture.files.hasNews(opened.handle, view: fixture.state) }
        #expect(news() == false)
        try fixture.putSession("v", user: "u")
        #expect(news() == true)
        _ = try fixture.files.read(opened.handle, offset: 0, count: 5, view: fixture.state)
        #expect(news() == true)
        // Whoever reads at the end alone, as after lseek(2), has read it, too.
        let end = UInt64(fixture.state.events.sizeBytes)
        _ = try fixture.files.read(opened.handle, offset: end, count: 5, view: fixture.state)
        #expect(news() == false)
        let other = try fixture.open("sessions/s")
        #expect(fixture.files.hasNews(other.handle, view: fixture.state) == nil)
        let number = try fixture.find("events/all.jsonl").attributes.number
        for index in 0..<60 { try fixture.putSession("n\(index)", user: "u") }
        let renewed = try fixture.find("events/all.jsonl")
        #expect(renewed.attributes.number != number)
        #expect(renewed.attributeSeconds == 0)
        #expect(fixture.files.hasNews(opened.handle, view: fixture.state) == true)
        #expect(try fixture.text(opened.handle).isEmpty)
    }

    @Test("handles are bounded, unknown ones refused, and an inode outlives its lookups by them")
    func handles() throws {
        let files = try sample()
        var fixture = Fixture { $0.openFilesMax = 2 }
        fixture.state = files.state
        let one = try fixture.open("sessions/s")
        let inode = try fixture.find("sessions/s").inode
        _ = try fixture.open("sessions/s")
        #expect(throws: FSError.tooManyOpen) { try fixture.open("sessions/s") }
        #expect(throws: FSError.tooManyOpen) { try fixture.list("sessions") }
        _ = fixture.files.release(one.handle)
        #expect(throws: FSError.badHandle) { try fixture.text(one.handle) }
        fixture.files.forget(inode, lookups: 4)
        #expect(try fixture.find("sessions/s").inode == inode)
    }

    @Test("reading goes to the end and not beyond")
    func ranges() throws {
        let fixture = try sample()
        let handle = try fixture.open("README").handle
        let size = UInt64(try fixture.text(handle).utf8.count)
        func read(_ offset: UInt64, _ count: Int) throws -> Int {
            try fixture.files.read(handle, offset: offset, count: count, view: fixture.state).count
        }
        #expect(try read(0, 5) == 5)
        #expect(try read(size - 3, 5) == 3)
        #expect(try read(size, 5) == 0)
        #expect(try read(.max, 5) == 0)
        #expect(try read(0, .max) == Int(size))
    }
}
