// SPDX-License-Identifier: Apache-2.0

import Identity
import Testing

@Suite("ids, types and load lines")
struct RecordIDTests {
    @Test("an id has 1 to 1024 bytes, no NUL and no line feed")
    func limits() throws {
        for id in [
            "a", "auth0|abc", "host=a%3A443&path=%2Fx", "é", "..", " ", "\r", "\u{7F}",
            String(repeating: "x", count: 1024), String(repeating: "é", count: 512),
        ] { try RecordID.validate(id) }
        for id in [
            "", "a\0b", "\n", "a\nb", "a\r\n", String(repeating: "x", count: 1025),
            String(repeating: "é", count: 512) + "x",
        ] {
            #expect(throws: DocumentError.self) { try RecordID.validate(id) }
            #expect(throws: DocumentError.self) {
                _ = try Document.parse(Array("{}".utf8), type: .user, id: id)
            }
        }
    }

    @Test("a context id splits at its first slash, whatever follows it")
    func contextParts() throws {
        let parts = try RecordID.contextParts("risk/a/b")
        #expect(parts.source == "risk")
        #expect(parts.key == "a/b")
        // The slash and the accent are one Character.
        #expect(
            Array(try RecordID.contextParts("risk/\u{301}x").key.utf8) == Array("\u{301}x".utf8)
        )
        for id in ["risk", "/a", "risk/", "/"] {
            #expect(throws: DocumentError.self) { _ = try RecordID.contextParts(id) }
        }
    }

    @Test("types have short names, and are the same where their bytes are")
    func types() {
        for (name, type) in RecordType.named {
            #expect(RecordType(nameOrURL: name) == type)
            #expect(RecordType(nameOrURL: type.url).name == name)
            #expect(type.hasFace)
        }
        #expect(RecordType("x/\u{212A}") != RecordType("x/K"))
        #expect(RecordType.directoryUser.dataTypeURL == RecordType.structURL)
        #expect(IdentityCollection.sessions(ofUser: "\u{212A}") != .sessions(ofUser: "K"))
        #expect(IdentityCollection.sessions(ofUser: "K") != .members(ofGroup: "K"))
        let collections: Set = [IdentityCollection.groups, .groups, .members(ofGroup: "g")]
        #expect(collections.count == 2)
    }

    @Test("a load line puts or deletes")
    func loadLine() throws {
        let put = try LoadLine.parse(
            """
            {"type":"session","id":"s",
            "data":{"userId":"alice","expires_at":"1970-01-01T00:01:00.5Z"}}
            """
        )
        #expect(put.facts.userID == "alice")
        #expect(put.facts.expiresAt == Timestamp(seconds: 60, nanoseconds: 500_000_000))
        let delete = try LoadLine.parse("{\"type\":\"user\",\"id\":\"u\",\"deleted\":true}")
        #expect(delete == RecordWrite(delete: .user, id: "u"))
        let context = try LoadLine.parse(
            "{\"type\":\"context\",\"id\":\"a/b\",\"data\":{\"value\":\"AP8=\"}}"
        )
        #expect(try Document.render(try #require(context.record)) == [0, 0xFF])
        let other = try LoadLine.parse("{\"type\":\"x.io/T\",\"id\":\"t\",\"data\":{\"a\":1}}")
        #expect(other.record?.dataTypeURL == RecordType.structURL)
    }

    @Test(
        "a bad load line is refused",
        arguments: [
            "", "[]", "{}", "{\"type\":\"user\"}", "{\"id\":\"u\",\"data\":{}}",
            "{\"type\":\"user\",\"id\":\"u\"}", "{\"type\":\"user\",\"id\":\"\",\"data\":{}}",
            "{\"type\":\"user\",\"id\":7,\"data\":{}}",
            "{\"type\":\"user\",\"id\":\"u\",\"data\":[]}",
            "{\"type\":\"user\",\"id\":\"u\",\"data\":{},\"extra\":1}",
            "{\"type\":\"user\",\"id\":\"u\",\"data\":{\"nope\":1}}",
            "{\"type\":\"user\",\"id\":\"u\",\"data\":{\"id\":\"v\"}}",
            "{\"type\":\"user\",\"id\":\"a\\nb\",\"data\":{}}",
            "{\"type\":\"user\",\"id\":\"a\\u0000\",\"deleted\":true}",
            "{\"type\":\"a\\u0000b\",\"id\":\"a\",\"deleted\":true}",
            "{\"type\":\"\",\"id\":\"a\",\"deleted\":true}",
            "{\"type\":\"user\",\"id\":\"u\",\"deleted\":\"yes\"}",
            "{\"type\":\"context\",\"id\":\"x\",\"data\":{\"text\":\"v\"}}",
            "{\"type\":\"session\",\"id\":\"s\","
                + "\"data\":{\"id_token\":{\"raw\":\"[hidden sha256:77ab12]\"}}}",
        ]
    )
    func badLoadLine(line: String) {
        #expect(throws: DocumentError.self) { _ = try LoadLine.parse(line) }
    }

    @Test("times are RFC 3339 in UTC, order by both parts and saturate")
    func times() {
        #expect(Timestamp(seconds: 1_795_525_331).text == "2026-11-24T13:02:11Z")
        #expect(Timestamp(seconds: 0, nanoseconds: 1_000_000).text == "1970-01-01T00:00:00.001Z")
        #expect(Timestamp(seconds: .max).text == "\(Int64.max)")
        #expect(Timestamp(seconds: 1, nanoseconds: 2) < Timestamp(seconds: 1, nanoseconds: 3))
        #expect(Timestamp(seconds: 1, nanoseconds: 9) < Timestamp(seconds: 2))
        #expect(Timestamp(seconds: .max).adding(seconds: 1).seconds == .max)
        #expect(Timestamp(seconds: .min).adding(seconds: -1).seconds == .min)
        let late = Timestamp(seconds: 1, nanoseconds: 600_000_000)
        #expect(
            late.adding(seconds: 1, nanoseconds: 500_000_000)
                == Timestamp(seconds: 3, nanoseconds: 100_000_000)
        )
    }
}
