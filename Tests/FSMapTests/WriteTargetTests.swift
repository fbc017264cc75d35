// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Testing

/// Which version of a record a document that is written back needs.
@Suite("Documents written back")
struct WriteTargetTests {
    private var fixture = Fixture()

    init() throws {
        try put(idp: "one", token: "old")
        fixture.settle()
    }

    private func document(idp: String, token: String) -> String {
        #"{"user_id":"u","idp_id":"\#(idp)","oauth_token":{"access_token":"\#(token)"}}"#
    }

    private mutating func put(idp: String, token: String) throws {
        try fixture.put(.session, "s", document(idp: idp, token: token))
    }

    /// What `cat > sessions/s` asks for.
    private func command(_ text: String) throws -> (Command.Kind, RecordWrite) {
        let handle = try fixture.open("sessions/s", [.write, .truncate]).handle
        let step = try fixture.files.write(
            handle,
            offset: 0,
            bytes: Array(text.utf8),
            view: fixture.state
        )
        guard case .commit(let kind) = step, case .put(let writes) = kind, writes.count == 1 else {
            throw Unexpected()
        }
        return (kind, writes[0])
    }

    @Test("a marker stands for the secret of one version: one that has changed stays")
    mutating func marker() throws {
        let text = try fixture.text(of: "sessions/s")
        #expect(text.contains("[hidden "))
        let edited = text.replacing("\"one\"", with: "\"two\"")
        let (kind, write) = try command(edited)
        let version = fixture.state.header(.session, "s")?.version
        #expect(version != nil && write.expectedVersion == version)
        try put(idp: "one", token: "new")
        let rotated = try fixture.text(of: "sessions/s")
        #expect(rotated != text)
        // The rotation came first in the log: the command changes nothing.
        #expect(fixture.state.apply(kind).isEmpty)
        #expect(try fixture.text(of: "sessions/s") == rotated)
    }

    @Test("a document with its own secrets replaces whatever version there is")
    func ownSecrets() throws {
        #expect(try command(document(idp: "two", token: "new")).1.expectedVersion == nil)
        #expect(try command(#"{"user_id":"u"}"#).1.expectedVersion == nil)
    }
}
