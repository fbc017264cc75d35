// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Testing

/// What a mount shows while nobody vouches for the state, and what a kernel forgets then.
@Suite("Vouching") struct VouchingTests {
    private var fixture = Fixture()

    private func needsVouching(_ path: String) throws -> Bool {
        fixture.files.needsVouching(try fixture.find(path).inode)
    }

    @Test("the root, the README and cluster/ are shown without it, all else is not")
    mutating func nodes() throws {
        try fixture.putSession("s", user: "u")
        #expect(!fixture.files.needsVouching(FileSystem.rootInode))
        for path in ["README", "cluster", "cluster/role", "cluster/lag_ms", "cluster/nodes"] {
            #expect(try !needsVouching(path), "\(path)")
        }
        for path in ["sessions", "sessions/s", "users/u", "events/all.jsonl", "records"] {
            #expect(try needsVouching(path), "\(path)")
        }
        #expect(fixture.files.needsVouching(4711), "an inode that is not known")
    }

    @Test("a name is judged before it is looked up")
    mutating func names() throws {
        let files = fixture.files
        let cluster = try fixture.find("cluster").inode
        let sessions = try fixture.find("sessions").inode
        for name in ["README", "cluster"] {
            #expect(!files.needsVouching(name, in: FileSystem.rootInode))
        }
        for name in ["sessions", "nothing", "role"] {
            #expect(files.needsVouching(name, in: FileSystem.rootInode))
        }
        #expect(!files.needsVouching("role", in: cluster))
        #expect(!files.needsVouching("nothing", in: cluster))
        #expect(files.needsVouching("README", in: sessions))
        #expect(files.needsVouching("cluster", in: 4711))
    }

    @Test("then a kernel forgets all, what is open first, and is believed nothing for a while")
    mutating func forgetting() throws {
        try fixture.putSession("s", user: "u")
        try fixture.putSession("t", user: "u")
        fixture.settle()
        let (first, second) = (try fixture.find("sessions/s"), try fixture.find("sessions/t"))
        #expect(first.entrySeconds > 0)
        let opened = try fixture.open("sessions/t")
        let mark = fixture.files.mark()
        let forgotten = fixture.files.forgetAll(now: fixture.now)
        #expect(forgotten.first == .everything)
        #expect(forgotten.dropFirst().first == .content(inode: second.inode))
        #expect(forgotten.contains(.content(inode: first.inode)))
        #expect(forgotten.contains(.listing(directory: try fixture.find("sessions").inode)))
        // An answer that was on its way is called back.
        #expect(
            fixture.files.raced(since: mark, inode: first.inode)
                == [.content(inode: first.inode)]
        )
        #expect(try fixture.find("sessions/s").entrySeconds == 0)
        fixture.settle()
        #expect(try fixture.find("sessions/s").entrySeconds > 0)
        #expect(fixture.files.raced(since: fixture.files.mark(), inode: first.inode).isEmpty)
        _ = fixture.files.release(opened.handle)
    }

    @Test("a change that was announced before is still called back after it")
    mutating func between() throws {
        try fixture.putSession("s", user: "u")
        let inode = try fixture.find("sessions/s").inode
        fixture.settle()
        var next = fixture.state
        let effects = next.apply(.revoke(.session("s"), reason: ""))
        fixture.files.willApply(effects, now: fixture.now)
        _ = fixture.files.forgetAll(now: fixture.now)
        // Reads the old state, is answered after the new one has been told.
        let mark = fixture.files.mark()
        fixture.state = next
        _ = fixture.files.invalidations(for: effects, view: next)
        #expect(fixture.files.raced(since: mark, inode: inode) == [.content(inode: inode)])
    }
}

/// Another state in the place of the one that was shown.
@Suite("Replaced states") struct ReplacedTests {
    private var fixture = Fixture()

    /// The other state: made of these commands from nothing.
    private mutating func replace(by commands: [Command.Kind]) -> [Invalidation] {
        fixture.files.willReplace(now: fixture.now)
        var other = MemoryState()
        for command in commands { _ = other.apply(command) }
        fixture.state = other
        let (content, names) = fixture.files.replaced(view: other)
        #expect(names.first == .everything)
        return content
    }

    private func session(_ id: String) throws -> Command.Kind {
        .put([try Document.parse(Array(#"{"user_id":"u"}"#.utf8), type: .session, id: id)])
    }

    private func context(_ text: String) throws -> Command.Kind {
        .put([try Document.parse(Array(#"{"text":"\#(text)"}"#.utf8), type: .context, id: "s/k")])
    }

    private func error(_ body: () throws -> Void) -> FSError? {
        do {
            try body()
            return nil
        } catch {
            return error as? FSError
        }
    }

    @Test("open files of what is there go on, those of what is not fail with the right word")
    mutating func openFiles() throws {
        let first = [try session("stays"), try session("revoked"), try session("gone")]
        for command in first { fixture.apply(command) }
        fixture.apply(try context("one"))
        let stays = try fixture.find("sessions/stays")
        let open = try ["stays", "revoked", "gone"].map { try fixture.open("sessions/\($0)") }
        let value = try fixture.open("context/s/k")
        let two = try context("two")
        let content = replace(
            by: [first[0], first[1], two, .revoke(.session("revoked"), reason: "")]
        )
        #expect(content.contains(.content(inode: stays.inode)))
        #expect(try fixture.text(open[0].handle).contains(#""u""#))
        #expect(error { _ = try fixture.text(open[1].handle) } == .revoked)
        #expect(error { _ = try fixture.text(open[2].handle) } == .stale)
        let again = try fixture.find("sessions/stays")
        #expect(again.inode == stays.inode)
        #expect(again.attributes.number == stays.attributes.number)
        #expect(again.entrySeconds == 0, "an answer may be on its way")
        #expect(try fixture.text(of: "context/s/k").contains("two"))
        for handle in open + [value] { _ = fixture.files.release(handle.handle) }
    }

    @Test("a name that another record has now is another file")
    mutating func otherRecord() throws {
        fixture.apply(try session("other"))
        fixture.apply(try context("one"))
        let before = try fixture.find("context/s/k")
        let value = try fixture.open("context/s/k")
        let others = try ["x", "y", "z"].map { try session($0) }
        let two = try context("two")
        _ = replace(by: others + [two])
        #expect(error { _ = try fixture.text(value.handle) } == .stale)
        #expect(try fixture.find("context/s/k").inode != before.inode)
        #expect(
            error {
                _ = try fixture.files.attributes(
                    of: before.inode,
                    handle: nil,
                    now: fixture.now,
                    view: fixture.state
                )
            } == .stale
        )
        _ = fixture.files.release(value.handle)
    }
}
