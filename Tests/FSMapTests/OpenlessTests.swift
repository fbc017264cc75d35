// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Testing

@Suite("Files that are read without having been opened")
struct OpenlessTests {
    private func sample() throws -> Fixture {
        var fixture = Fixture { $0.kind = .readOnly }
        try fixture.putSession("s", user: "u", idp: "one")
        try fixture.put(.context, "src/k", String(repeating: "old", count: 100))
        fixture.settle()
        return fixture
    }

    private func read(
        _ fixture: Fixture,
        _ inode: UInt64,
        offset: UInt64 = 0,
        count: Int = 4096,
        before: [MemoryState] = []
    ) throws(FSError) -> String {
        let bytes = try fixture.files.read(
            inode: inode,
            offset: offset,
            count: count,
            view: fixture.state,
            before: { before }
        )
        return String(decoding: bytes, as: UTF8.self)
    }

    private func size(
        _ fixture: Fixture,
        _ inode: UInt64,
        isOpen: Bool
    ) throws(FSError) -> UInt64 {
        let (attributes, _) = try fixture.files.attributes(
            of: inode,
            handle: isOpen ? 0 : nil,
            now: fixture.now,
            view: fixture.state
        )
        return attributes.sizeBytes
    }

    @Test("new content is a new inode; the old one keeps its size, and its bytes while known")
    func superseded() throws {
        var fixture = try sample()
        let (old, state) = (try fixture.find("context/src/k"), fixture.state)
        let told = fixture.apply(
            .put([try Document.parse(Array("new".utf8), type: .context, id: "src/k")])
        )
        #expect(told.content.contains(.attributes(inode: old.inode)))
        let source = try fixture.find("context/src").inode
        let name = Invalidation.entry(parent: source, name: "k")
        #expect(told.names.contains(name))
        let new = try fixture.find("context/src/k")
        #expect(new.inode != old.inode)
        #expect(new.attributes.number == old.attributes.number)
        #expect(try read(fixture, new.inode) == "new")
        #expect(try read(fixture, old.inode, before: [state]).hasPrefix("oldold"))
        #expect(throws: FSError.stale) { try read(fixture, old.inode) }
        #expect(try size(fixture, old.inode, isOpen: true) == 300)
        #expect(throws: FSError.stale) { try size(fixture, old.inode, isOpen: false) }
        fixture.files.forgot(name)
        #expect(try size(fixture, old.inode, isOpen: false) == 300)
    }

    @Test("a change that nobody has been told of yet is found out by its version")
    func unannounced() throws {
        var fixture = try sample()
        let (old, state) = (try fixture.find("context/src/k"), fixture.state)
        _ = fixture.state.apply(
            .put([try Document.parse(Array("new".utf8), type: .context, id: "src/k")])
        )
        #expect(throws: FSError.stale) { try read(fixture, old.inode) }
        #expect(try read(fixture, old.inode, before: [state]).hasPrefix("oldold"))
        #expect(throws: FSError.stale) { try size(fixture, old.inode, isOpen: false) }
        #expect(try size(fixture, old.inode, isOpen: true) == 300)
        #expect(try fixture.find("context/src/k").inode != old.inode)
    }

    @Test("what is read in pieces stays what it was to its end")
    func pieces() throws {
        var fixture = try sample()
        let old = try fixture.find("context/src/k")
        #expect(try read(fixture, old.inode, count: 100).count == 100)
        try fixture.put(.context, "src/k", "new")
        #expect(try read(fixture, old.inode, offset: 100).count == 200)
    }

    @Test("a revoked session is refused under its old inodes too")
    func revoked() throws {
        var fixture = try sample()
        let old = try fixture.find("sessions/s").inode
        let state = fixture.state
        try fixture.putSession("s", user: "u", idp: "two")
        let new = try fixture.find("sessions/s").inode
        var next = fixture.state
        let effects = next.apply(.revoke(.session("s"), reason: ""))
        fixture.files.willApply(effects, now: fixture.now)
        for inode in [old, new] {
            #expect(throws: FSError.revoked) { try read(fixture, inode, before: [state]) }
            #expect(throws: FSError.revoked) { try size(fixture, inode, isOpen: true) }
        }
        fixture.state = next
        let told = fixture.files.invalidations(for: effects, view: fixture.state)
        for inode in [old, new] { #expect(told.content.contains(.content(inode: inode))) }
    }

    @Test("no mode has a write bit, and on an ordinary mount they stay")
    func modes() throws {
        let fixture = try sample()
        #expect(try fixture.find("sessions/s").attributes.mode == 0o440)
        #expect(try fixture.find("sessions").attributes.mode == 0o550)
        #expect(try fixture.find("users").attributes.mode == 0o555)
    }
}
