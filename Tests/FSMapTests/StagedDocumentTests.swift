// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Testing

/// What becomes of staged bytes where a commit fails or the file is cut.
@Suite("Staged documents")
struct StagedDocumentTests {
    private let fixture: Fixture

    init() throws {
        var fixture = Fixture()
        for user in ["alice", "bob", "carol"] {
            try fixture.put(.directoryUser, user, #"{"group_ids":["g"]}"#)
        }
        try fixture.put(.context, "src/k", "value")
        fixture.settle()
        self.fixture = fixture
    }

    private func write(
        _ handle: UInt64,
        _ text: String,
        at offset: UInt64 = 0
    ) throws(FSError) -> WriteStep {
        let bytes = Array(text.utf8)
        return try fixture.files.write(handle, offset: offset, bytes: bytes, view: fixture.state)
    }

    private func flush(_ handle: UInt64) throws(FSError) -> FlushStep {
        try fixture.files.flush(handle, view: fixture.state)
    }

    private func truncate(_ handle: UInt64, to sizeBytes: UInt64) throws(FSError) -> FlushStep {
        let inode = try fixture.find("groups/g/members").inode
        return try fixture.files.truncate(
            inode,
            handle: handle,
            sizeBytes: sizeBytes,
            view: fixture.state
        )
    }

    private func change(_ users: [String], replace: Bool) -> Command.Kind {
        .changeMembers(MembershipChange(group: "g", add: users, replace: replace))
    }

    @Test("after a failed commit a patch is no whole file: who edits opens anew, or empties it")
    func patchAfterFailure() throws {
        let handle = try fixture.open("groups/g/members", [.read, .write]).handle
        #expect(try write(handle, "alicf\n") == .staged)
        let all = change(["alicf", "bob", "carol"], replace: true)
        #expect(try flush(handle) == .commit(all))
        fixture.files.commitFailed(handle)
        for offset in [0, 6] as [UInt64] {
            #expect(throws: FSError.self) { try write(handle, "alicf\n", at: offset) }
        }
        #expect(throws: FSError.self) { try truncate(handle, to: 6) }
        #expect(try flush(handle) == .clean)
        #expect(try truncate(handle, to: 0) == .clean)
        #expect(try write(handle, "alicf\n") == .commit(change(["alicf"], replace: true)))
        let again = try fixture.open("groups/g/members", [.read, .write]).handle
        #expect(try write(again, "alicf\n") == .staged)
        #expect(try flush(again) == .commit(all))
    }

    @Test("nor is a patch of a value, and one that was refused at once is not either")
    func valueAfterFailure() throws {
        let handle = try fixture.open("context/src/k", .write).handle
        #expect(throws: FSError.tooLarge) { try write(handle, "x", at: .max) }
        #expect(throws: FSError.self) { try write(handle, "V") }
        #expect(try flush(handle) == .clean)
    }

    @Test("a file that was written whole through the same handle is patched like any other")
    func patchAfterWhole() throws {
        let handle = try fixture.open("groups/g/members", [.write, .truncate]).handle
        let both = change(["alice", "bob"], replace: true)
        #expect(try write(handle, "alice\nbob\n") == .commit(both))
        fixture.files.committed(handle)
        #expect(try write(handle, "alicf\n") == .staged)
        #expect(try flush(handle) == .commit(change(["alicf", "bob"], replace: true)))
        fixture.files.commitFailed(handle)
        #expect(throws: FSError.self) { try write(handle, "alicf\n") }
        #expect(try flush(handle) == .clean)
    }

    @Test("after a failed commit what goes to the end of a rewritten file is refused")
    func endAfterFailure() throws {
        let handle = try fixture.open("groups/g/members", [.write, .truncate, .append]).handle
        #expect(try write(handle, "alice\n") == .commit(change(["alice"], replace: true)))
        fixture.files.committed(handle)
        #expect(try write(handle, "bob\n") == .staged)
        #expect(try flush(handle) == .commit(change(["alice", "bob"], replace: true)))
        fixture.files.commitFailed(handle)
        #expect(throws: FSError.self) { try write(handle, "bob\n") }
        #expect(try flush(handle) == .clean)
    }

    @Test("who empties a file through a descriptor that appends replaces it")
    func emptiedAppending() throws {
        let handle = try fixture.open("groups/g/members", [.write, .append]).handle
        #expect(try write(handle, "da") == .staged)
        #expect(try truncate(handle, to: 0) == .clean)
        let inode = try fixture.find("groups/g/members").inode
        let (attributes, _) = try fixture.files.attributes(
            of: inode,
            handle: handle,
            now: fixture.now,
            view: fixture.state
        )
        #expect(attributes.sizeBytes == 0)
        #expect(try write(handle, "bob\n", at: 99) == .commit(change(["bob"], replace: true)))
        fixture.files.committed(handle)
        #expect(try write(handle, "carol\n") == .staged)
        #expect(try flush(handle) == .commit(change(["bob", "carol"], replace: true)))
    }

    @Test("such a descriptor cannot cut the file elsewhere; its size as it is may be set")
    func cutAppending() throws {
        let handle = try fixture.open("groups/g/members", [.write, .append]).handle
        #expect(try truncate(handle, to: 16) == .clean)
        #expect(try write(handle, "dave\n") == .commit(change(["dave"], replace: false)))
        fixture.files.committed(handle)
        for sizeBytes in [1, 6, 100] as [UInt64] {
            #expect(throws: FSError.self) { try truncate(handle, to: sizeBytes) }
        }
        #expect(try flush(handle) == .clean)
        #expect(try write(handle, "erin\n") == .commit(change(["erin"], replace: false)))
    }
}
