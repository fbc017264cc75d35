// SPDX-License-Identifier: Apache-2.0

import Identity
import Testing

@Suite("documents")
struct DocumentTests {
    private func parse(
        _ text: String,
        _ type: RecordType = .session,
        id: String = "s1",
        stored: Record? = nil
    ) throws(DocumentError) -> Record {
        let write = try Document.parse(Array(text.utf8), type: type, id: id, stored: stored)
        guard let record = write.record else { throw .malformed("no record") }
        return record
    }

    private func show(_ record: Record) throws -> String {
        String(decoding: try Document.render(record), as: UTF8.self)
    }

    @Test("a session is laid out as PRODUCT section 1 shows it")
    func layout() throws {
        let compact = """
            {"oauthToken":{"refresh_token":"rrrr","access_token":"aaaa"},"claims":{"amr":["mfa"]},
            "id_token":{"raw":"iiii","subject":"alice","issuer":"https://idp"},
            "audience":["app.example.com"],
            "idp_id":"okta","accessed_at":"2026-11-23T14:01:40Z",
            "expires_at":"2026-11-24T04:02:11+01:00",
            "issued_at":"2026-11-23T13:02:11Z","user_id":"alice","id":"6f1c0b9e"}
            """
        let expected = """
            {
              "id": "6f1c0b9e",
              "user_id": "alice",
              "issued_at": "2026-11-23T13:02:11Z",
              "expires_at": "2026-11-24T03:02:11Z",
              "accessed_at": "2026-11-23T14:01:40Z",
              "idp_id": "okta",
              "audience": ["app.example.com"],
              "claims": {"amr": ["mfa"]},
              "id_token": {"issuer": "https://idp", "subject": "alice", "raw": "\(marker("iiii"))"},
              "oauth_token": {"access_token": "\(marker("aaaa"))", \
            "refresh_token": "\(marker("rrrr"))"}
            }

            """
        #expect(try show(try parse(compact, id: "6f1c0b9e")) == expected)
    }

    @Test("an empty document is an object")
    func empty() throws {
        #expect(try show(Record(type: .session, id: "s", payload: [])) == "{}\n")
    }

    @Test("punctuation in strings is no structure")
    func strings() throws {
        let value = #"{\"a\": [1,2]}, \\"#
        let text = "{\"user_id\":\"u\",\"claims\":{\"k,:{\":[\"\(value)\",{\"b\":1,\"a\":[]}]}}"
        let record = try parse(text)
        let shown = try show(record)
        #expect(
            shown.contains(#""claims": {"k,:{": [""# + value + #"", {"a": [], "b": 1}]}"#),
            "\(shown)"
        )
        #expect(try parse(shown) == record)
    }

    @Test("a schemaless document has one text, whatever the dictionary's order", arguments: 0..<20)
    func schemaless(round: Int) throws {
        let keys = (0..<12).map { "k\($0)" }.sorted()
        let members = keys.map {
            "\"\($0)\":{\"z\":1,\"b\":{\"y\":true,\"c\":null},\"a\":[{\"q\":1,\"p\":2}]}"
        }
        let rotated = members[(round % 12)...] + members[..<(round % 12)]
        let text = "{\(rotated.joined(separator: ",")),\"id\":\"alice\"}"
        let lines = keys.map {
            "  \"\($0)\": {\"a\": [{\"p\": 2, \"q\": 1}], "
                + "\"b\": {\"c\": null, \"y\": true}, \"z\": 1}"
        }
        let expected = (["{", "  \"id\": \"alice\","] + lines.map { "\($0)," }).joined(
            separator: "\n"
        )
        let record = try parse(text, .directoryUser, id: "alice")
        #expect(try show(record) == expected.dropLast() + "\n}\n", "\(round)")
        let any = String(decoding: try Document.renderAny(record), as: UTF8.self)
        #expect(any.contains("\"value\": {\"id\": \"alice\", \"k0\": {\"a\": [{\"p\": 2"))
    }

    @Test("an unknown field is refused by its name, at any depth")
    func unknownField() {
        #expect(throws: DocumentError.unknownField("user")) { try parse("{\"user\":\"x\"}") }
        #expect(throws: DocumentError.unknownField("rawx")) {
            try parse("{\"id_token\":{\"rawx\":\"x\"}}")
        }
        #expect(throws: DocumentError.unknownField("nick")) { try parse("{\"nick\":1}", .user) }
        #expect(throws: DocumentError.unknownField("x")) { try parse("{\"x\":1}", .serviceAccount) }
    }

    @Test(
        "malformed JSON says what is wrong",
        arguments: [
            ("", "ends"), ("{", "ends"), ("[]", ""), ("nonsense", ""),
            ("{\"id\":\"s1\"} x", "more"),
            ("{\"id\":1}", ""), ("{\"expires_at\":\"tomorrow\"}", "RFC 3339"),
            ("{\"refresh_disabled\":\"maybe\"}", "boolean"), ("{\"id\":\"\\q\"}", "string"),
            ("{\"id\":\"s1\",}", ""), ("{\"id\" \"s1\"}", ""), ("{\"audience\":\"x\"}", ""),
            ("{'id':'s1'}", ""), ("\u{FEFF}{}", ""), ("null", ""),
        ]
    )
    func malformed(text: String, reason: String) {
        let error = #expect(throws: DocumentError.self) { try parse(text) }
        #expect(error?.description.contains("not a valid document") == true)
        #expect(error?.description.contains(reason) == true || reason.isEmpty)
    }

    @Test("bytes that are not UTF-8 and nesting without end are refused")
    func hostile() {
        #expect(throws: DocumentError.self) {
            _ = try Document.parse([0x7B, 0x22, 0xFF, 0x22], type: .session, id: "s")
        }
        let deep = String(repeating: "[", count: 5000)
        #expect(throws: DocumentError.self) { try parse("{\"claims\":{\"a\":\(deep)", .session) }
        #expect(throws: DocumentError.self) { try parse("{\"a\":\(deep)", .directoryUser) }
    }

    @Test("the document's id is the file's, byte for byte; an absent one is filled in")
    func identity() throws {
        #expect(try show(try parse("{}", id: "s9")).contains("\"id\": \"s9\""))
        #expect(throws: DocumentError.idMismatch(document: "b", expected: "a")) {
            try parse("{\"id\":\"b\"}", id: "a")
        }
        #expect(throws: DocumentError.self) { try parse("{\"id\":\"\u{212A}\"}", id: "K") }
        #expect(throws: DocumentError.self) {
            try parse("{\"id\":\"b\"}", .directoryGroup, id: "a")
        }
    }

    @Test("a document over a mebibyte is refused, context over 64 KiB too")
    func sizes() throws {
        let large = "{\"user_id\":\"\(String(repeating: "u", count: 1 << 20))\"}"
        #expect(throws: DocumentError.tooLarge(bytes: large.utf8.count, limit: 1 << 20)) {
            try parse(large)
        }
        let content = [UInt8](repeating: 7, count: 64 << 10)
        let write = try Document.parse(content, type: .context, id: "a/b")
        #expect(write.facts.documentBytes == 64 << 10)
        #expect(throws: DocumentError.tooLarge(bytes: 65_537, limit: 65_536)) {
            _ = try Document.parse(content + [1], type: .context, id: "a/b")
        }
    }

    @Test("a context value is its bytes, a text its UTF-8")
    func context() throws {
        let bytes: [UInt8] = [0, 0xFF, 10, 0x7B]
        let write = try Document.parse(bytes, type: .context, id: "risk/alice")
        #expect(try Document.render(try #require(write.record)) == bytes)
        // brokerfs.Context: value 1, text 2, expires_at 3.
        let text = Record(
            type: .context,
            id: "a/b",
            payload: Wire.text(2, "high") + Wire.time(3, 60)
        )
        #expect(try show(text) == "high")
        #expect(try Document.write(text).facts.expiresAt == Timestamp(seconds: 60))
        #expect(throws: DocumentError.self) {
            _ = try Document.parse(bytes, type: .context, id: "no-slash")
        }
    }

    @Test("a payload that is not of its type is refused")
    func undecodable() {
        for type in [RecordType.session, .user, .serviceAccount, .directoryUser, .context] {
            #expect(throws: DocumentError.undecodable(type: type.url)) {
                _ = try Document.write(Record(type: type, id: "a/b", payload: [0xFF, 0xFF]))
            }
        }
    }

    @Test("a directory user keeps keys brokerfs does not know, and its groups' order")
    func directoryUser() throws {
        let text =
            "{\"group_ids\":[\"b\",\"a\",\"b\",7,\"\"],"
            + "\"display_name\":\"A\",\"email\":\"e\",\"x\":{\"y\":1}}"
        let record = try parse(text, .directoryUser, id: "alice")
        #expect(try Document.write(record).facts.groupIDs == ["b", "a"])
        var user = try DirectoryUser(payload: record.payload)
        #expect(user.email == "e")
        #expect(user.displayName == "A")
        user.groupIDs = ["c"]
        let shown = try show(Record(type: .directoryUser, id: "alice", payload: user.payload))
        #expect(shown.contains("\"x\": {\"y\": 1}"))
        #expect(shown.contains("\"group_ids\": [\"c\"]"))
        let group = try parse("{\"name\":\"N\",\"x\":1}", .directoryGroup, id: "g")
        #expect(try DirectoryGroup(payload: group.payload).name == "N")
        #expect(try show(group) == "{\n  \"id\": \"g\",\n  \"name\": \"N\",\n  \"x\": 1\n}\n")
        #expect(throws: DocumentError.self) {
            try parse("{\"group_ids\":[\"a\\nb\"]}", .directoryUser)
        }
    }
}
