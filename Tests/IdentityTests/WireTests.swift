// SPDX-License-Identifier: Apache-2.0

import Identity
import Testing

/// Protobuf by hand, from the field numbers of the databroker contract alone.
enum Wire {
    static func varint(_ number: UInt64) -> [UInt8] {
        var rest = number
        var bytes: [UInt8] = []
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    static func bytes(_ field: UInt64, _ content: [UInt8]) -> [UInt8] {
        varint(field << 3 | 2) + varint(UInt64(content.count)) + content
    }

    static func text(_ field: UInt64, _ text: String) -> [UInt8] { bytes(field, Array(text.utf8)) }
    static func number(_ field: UInt64, _ number: UInt64) -> [UInt8] {
        varint(field << 3) + varint(number)
    }

    /// A `google.protobuf.Timestamp`: seconds 1, nanos 2.
    static func time(_ field: UInt64, _ seconds: UInt64) -> [UInt8] {
        bytes(field, number(1, seconds))
    }

    /// One entry of `map<string, google.protobuf.ListValue>`, each value a string (field 3).
    static func claim(_ field: UInt64, _ key: String, _ values: [String]) -> [UInt8] {
        let list = values.flatMap { bytes(1, text(3, $0)) }
        return bytes(field, text(1, key) + bytes(2, list))
    }
}

@Suite("wire compatibility")
struct WireTests {
    @Test("a session of every field number shows each field under its name")
    func session() throws {
        let payload =
            Wire.text(1, "7") + Wire.text(2, "s1") + Wire.text(3, "alice") + Wire.time(4, 1_000)
            + Wire.bytes(
                6,
                Wire.text(1, "https://idp") + Wire.text(2, "sub") + Wire.time(3, 60)
                    + Wire.time(4, 30) + Wire.text(5, "raw-id-token")
            )
            + Wire.bytes(
                7,
                Wire.text(1, "the-access-token") + Wire.text(2, "Bearer") + Wire.time(3, 90)
                    + Wire.text(4, "the-refresh-token")
            )
            + Wire.claim(9, "amr", ["mfa", "pwd"]) + Wire.text(10, "app.example.com")
            + Wire.time(14, 10) + Wire.text(15, "s0")
            + Wire.bytes(17, Wire.text(1, "any") + Wire.text(3, "cred"))
            + Wire.bytes(17, Wire.text(1, "other") + Wire.bytes(2, []))
            + Wire.time(18, 20) + Wire.number(19, 1) + Wire.text(20, "okta")
        let record = Record(type: .session, id: "s1", payload: payload)
        let expected = """
            {
              "id": "s1",
              "user_id": "alice",
              "issued_at": "1970-01-01T00:00:10Z",
              "expires_at": "1970-01-01T00:16:40Z",
              "accessed_at": "1970-01-01T00:00:20Z",
              "idp_id": "okta",
              "audience": ["app.example.com"],
              "claims": {"amr": ["mfa", "pwd"]},
              "id_token": {"issuer": "https://idp", "subject": "sub", \
            "expires_at": "1970-01-01T00:01:00Z", "issued_at": "1970-01-01T00:00:30Z", \
            "raw": "\(marker("raw-id-token"))"},
              "oauth_token": {"access_token": "\(marker("the-access-token"))", \
            "token_type": "Bearer", "expires_at": "1970-01-01T00:01:30Z", \
            "refresh_token": "\(marker("the-refresh-token"))"},
              "device_credentials": [{"type_id": "any", "id": "cred"}, \
            {"type_id": "other", "unavailable": {}}],
              "impersonate_session_id": "s0",
              "refresh_disabled": true,
              "version": "7"
            }

            """
        #expect(String(decoding: try Document.render(record), as: UTF8.self) == expected)
        let facts = try Document.write(record).facts
        #expect(facts.userID == "alice")
        #expect(facts.expiresAt == Timestamp(seconds: 1000))
        #expect(Int(facts.documentBytes) == expected.utf8.count)
    }

    @Test("users and service accounts have the contract's field numbers")
    func userAndAccount() throws {
        let user =
            Wire.text(1, "3") + Wire.text(2, "alice") + Wire.text(3, "Alice A")
            + Wire.text(4, "a@example.com") + Wire.claim(9, "sub", ["x"]) + Wire.text(10, "dev1")
        let text = try rendered(.user, "alice", user)
        for part in [
            "\"version\": \"3\"", "\"id\": \"alice\"", "\"name\": \"Alice A\"",
            "\"email\": \"a@example.com\"", "\"claims\": {\"sub\": [\"x\"]}",
            "\"device_credential_ids\": [\"dev1\"]",
        ] { #expect(text.contains(part), "\(part)") }
        #expect(try RecordField.user(user).email == "a@example.com")
        let account =
            Wire.text(1, "bot") + Wire.text(2, "alice") + Wire.time(3, 60) + Wire.time(4, 30)
            + Wire.text(8, "ns") + Wire.text(9, "CI") + Wire.time(10, 40) + Wire.text(11, "o")
        let shown = try rendered(.serviceAccount, "bot", account)
        for part in [
            "\"id\": \"bot\"", "\"user_id\": \"alice\"", "\"expires_at\": \"1970-01-01T00:01:00Z\"",
            "\"issued_at\": \"1970-01-01T00:00:30Z\"", "\"namespace_id\": \"ns\"",
            "\"description\": \"CI\"", "\"accessed_at\": \"1970-01-01T00:00:40Z\"",
            "\"originator_id\": \"o\"",
        ] { #expect(shown.contains(part), "\(part)") }
    }

    @Test("fields of a newer version survive reading, editing and writing back")
    func unknownFields() throws {
        let new = Wire.text(99, "from the future")
        let idToken = Wire.text(1, "iss") + Wire.text(5, "raw-raw-raw") + Wire.text(98, "deep 1")
        let oauth = Wire.text(1, "access-access") + Wire.text(97, "deep 2")
        let device = Wire.text(1, "any") + Wire.text(3, "cred") + Wire.text(96, "deep 3")
        let session =
            Wire.text(2, "s") + Wire.text(3, "alice") + Wire.bytes(6, idToken)
            + Wire.bytes(7, oauth) + Wire.bytes(17, device) + new
        try expectKept(.session, "s", session, ["from the future", "deep 1", "deep 2", "deep 3"])
        try expectKept(
            .user,
            "u",
            Wire.text(2, "u") + Wire.text(3, "alice") + new,
            ["from the future"]
        )
        let account = Wire.text(1, "b") + Wire.text(2, "alice") + new
        try expectKept(.serviceAccount, "b", account, ["from the future"])
    }

    private func expectKept(
        _ type: RecordType,
        _ id: String,
        _ payload: [UInt8],
        _ texts: [String]
    ) throws {
        let record = Record(type: type, id: id, payload: payload)
        let text = String(decoding: try Document.render(record), as: UTF8.self)
        for part in texts { #expect(!text.contains(part)) }
        let edited = text.replacing("alice", with: "bob")
        let back = try Document.parse(Array(edited.utf8), type: type, id: id, stored: record)
        let kept = String(decoding: try #require(back.record).payload, as: UTF8.self)
        for part in texts { #expect(kept.contains(part), "\(type.name) lost \(part)") }
        #expect(kept.contains("bob"))
    }

    private func rendered(_ type: RecordType, _ id: String, _ payload: [UInt8]) throws -> String {
        let record = Record(type: type, id: id, payload: payload)
        return String(decoding: try Document.render(record), as: UTF8.self)
    }
}

func marker(_ secret: String) -> String { "[hidden sha256:\(Digest.hex(secret, digits: 6))]" }
