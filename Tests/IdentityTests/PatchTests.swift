// SPDX-License-Identifier: Apache-2.0

import Identity
import Testing

/// Field masks, as `google.protobuf.FieldMask` and the databroker contract have them.
@Suite("patches")
struct PatchTests {
    private let stored = Record(
        type: .session,
        id: "s",
        payload: Wire.text(2, "s") + Wire.text(3, "alice") + Wire.time(4, 100)
            + Wire.bytes(
                7,
                Wire.text(1, "access-1") + Wire.text(4, "refresh-1") + Wire.text(97, "deep")
            )
            + Wire.text(10, "a") + Wire.text(10, "b") + Wire.number(19, 1) + Wire.text(99, "future")
    )

    private func patched(_ source: [UInt8], _ paths: [String]) throws -> RecordWrite {
        let source = Record(type: .session, id: "s", payload: source)
        return try Document.patched(stored, from: source, paths: paths)
    }

    private func payload(_ write: RecordWrite) throws -> [UInt8] {
        try #require(write.record).payload
    }

    private func text(_ write: RecordWrite) throws -> String {
        String(decoding: try Document.render(try #require(write.record)), as: UTF8.self)
    }

    @Test("the masked fields change, the others and unknown ones stay")
    func basic() throws {
        let source = Wire.text(3, "bob") + Wire.time(4, 200) + Wire.text(20, "okta")
        let write = try patched(source, ["user_id", "expires_at"])
        #expect(write.facts.userID == "bob")
        #expect(write.facts.expiresAt == Timestamp(seconds: 200))
        let shown = try text(write)
        #expect(!shown.contains("okta"))
        #expect(shown.contains("\"audience\": [\"a\", \"b\"]"))
        let raw = String(decoding: try payload(write), as: UTF8.self)
        for kept in ["access-1", "refresh-1", "deep", "future"] {
            #expect(raw.contains(kept), "\(kept)")
        }
    }

    @Test("one token of two is patched, the other stays")
    func nested() throws {
        let source = Wire.bytes(7, Wire.text(1, "access-2") + Wire.text(4, "refresh-2"))
        let write = try patched(source, ["oauth_token.access_token"])
        let raw = String(decoding: try payload(write), as: UTF8.self)
        #expect(raw.contains("access-2"))
        #expect(raw.contains("refresh-1"))
        #expect(!raw.contains("refresh-2"))
        #expect(raw.contains("deep"))
    }

    @Test("a masked field absent from the source is cleared; a list is replaced")
    func clear() throws {
        let write = try patched(Wire.text(10, "c"), ["expires_at", "refresh_disabled", "audience"])
        let shown = try text(write)
        #expect(!shown.contains("expires_at"))
        #expect(!shown.contains("refresh_disabled"))
        #expect(shown.contains("\"audience\": [\"c\"]"))
        #expect(write.facts.expiresAt == nil)
    }

    @Test("a token that the mask names and the source lacks goes as a whole")
    func clearToken() throws {
        let raw = String(decoding: try payload(try patched([], ["oauth_token"])), as: UTF8.self)
        for gone in ["access-1", "refresh-1", "deep"] { #expect(!raw.contains(gone)) }
        #expect(raw.contains("future"))
    }

    @Test("an unknown path and another message are refused")
    func refused() throws {
        #expect(throws: DocumentError.unknownField("nope")) { _ = try patched([], ["nope"]) }
        #expect(throws: DocumentError.unknownField("oauth_token.x")) {
            _ = try patched([], ["user_id", "oauth_token.x"])
        }
        let user = Record(type: .user, id: "s", payload: Wire.text(3, "x"))
        #expect(throws: DocumentError.self) {
            _ = try Document.patched(stored, from: user, paths: ["user_id"])
        }
        let unknown = Record(type: RecordType("x.io/T"), id: "t", payload: [1], dataTypeURL: "x/U")
        #expect(throws: DocumentError.undecodable(type: "x/U")) {
            _ = try Document.patched(unknown, from: unknown, paths: ["a"])
        }
    }

    @Test("a schemaless document is patched by its keys")
    func schemaless() throws {
        func record(_ json: String) throws -> Record {
            let write = try Document.parse(Array(json.utf8), type: .directoryUser, id: "u")
            return try #require(write.record)
        }
        let old = try record("{\"email\":\"a\",\"x\":1,\"group_ids\":[\"g\"]}")
        let new = try record("{\"email\":\"b\",\"y\":2,\"group_ids\":[\"h\"]}")
        let write = try Document.patched(old, from: new, paths: ["group_ids", "x"])
        #expect(write.facts.groupIDs == ["h"])
        #expect(
            try text(write)
                == "{\n  \"id\": \"u\",\n  \"email\": \"a\",\n  \"group_ids\": [\"h\"]\n}\n"
        )
    }
}
