// SPDX-License-Identifier: Apache-2.0

import Identity
import Testing

/// Tokens stay hidden on every way out, and come back unharmed on the way in.
@Suite("hidden secrets")
struct SecretTests {
    private func session(_ access: String, _ refresh: String, _ raw: String) -> Record {
        let payload =
            Wire.text(2, "s1") + Wire.text(3, "alice") + Wire.bytes(6, Wire.text(5, raw))
            + Wire.bytes(7, Wire.text(1, access) + Wire.text(4, refresh))
        return Record(type: .session, id: "s1", payload: payload)
    }

    private func parse(
        _ text: String,
        _ record: Record,
        stored: Record?
    ) throws(DocumentError) -> Record {
        let write = try Document.parse(
            Array(text.utf8),
            type: record.type,
            id: record.id,
            stored: stored
        )
        guard let record = write.record else { throw .malformed("no record") }
        return record
    }

    private func show(_ record: Record) throws -> String {
        String(decoding: try Document.render(record), as: UTF8.self)
    }

    private func showAny(_ record: Record) throws -> String {
        String(decoding: try Document.renderAny(record), as: UTF8.self)
    }

    private func structRecord(
        _ json: String,
        _ type: RecordType = RecordType("x.io/T")
    ) throws -> Record {
        let write = try Document.parse(Array(json.utf8), type: type, id: "t")
        return try #require(write.record)
    }

    @Test("an unchanged marker keeps the secret byte for byte")
    func roundTrip() throws {
        let record = session("access \u{1F511}", "re\u{0}fresh\n", "raw.é.e\u{301}")
        let text = try show(record)
        #expect(try parse(text, record, stored: record) == record)
        let edited = text.replacing("\"alice\"", with: "\"bob\"")
        let back = try parse(edited, record, stored: record)
        #expect(String(decoding: back.payload, as: UTF8.self).contains("re\u{0}fresh\n"))
        #expect(try Document.write(back).facts.userID == "bob")
    }

    @Test("a changed, moved or orphaned marker is refused")
    func mismatch() throws {
        let record = session("access-1", "refresh-1", "raw-1")
        let text = try show(record)
        let moved = text.replacing(marker("access-1"), with: marker("refresh-1"))
        #expect(throws: DocumentError.hiddenMismatch(field: "oauth_token.access_token")) {
            try parse(moved, record, stored: record)
        }
        let forged = text.replacing(marker("raw-1"), with: "[hidden sha256:000000]")
        #expect(throws: DocumentError.hiddenMismatch(field: "id_token.raw")) {
            try parse(forged, record, stored: record)
        }
        let partly = text.replacing(marker("refresh-1"), with: "[hidden ")
        #expect(throws: DocumentError.hiddenMismatch(field: "oauth_token.refresh_token")) {
            try parse(partly, record, stored: record)
        }
        #expect(throws: DocumentError.self) { try parse(text, record, stored: nil) }
        #expect(throws: DocumentError.self) {
            try parse(text, record, stored: session("other-11", "refresh-1", "raw-1"))
        }
        let replaced = text.replacing(marker("access-1"), with: "new-access")
        let back = try parse(replaced, record, stored: record)
        #expect(back == session("new-access", "refresh-1", "raw-1"))
    }

    @Test("nested secrets of a schemaless document are hidden and kept")
    func schemaless() throws {
        let json = """
            {"note":"visible","password":"pass-word-1","list":[{"api_key":"key-key-1"}],
            "token":["tok-tok-1",["tok-tok-2"]],"deep":{"deeper":{"client_secret":"sec-sec-1"}},
            "accessToken":"acc-acc-1","API-Key":"key-key-2",
            "secret":{"inner":{"value":"sec-sec-2"}},
            "private_key":12345678}
            """
        let record = try structRecord(json)
        for text in [try show(record), try showAny(record)] {
            #expect(text.contains("visible"))
            for secret in [
                "pass-word-1", "key-key-1", "tok-tok-1", "tok-tok-2", "sec-sec-1", "acc-acc-1",
                "key-key-2", "sec-sec-2", "12345678",
            ] { #expect(!text.contains(secret), "\(secret) in \(text)") }
        }
        let text = try show(record)
        #expect(try parse(text, record, stored: record) == record)
        let other = try structRecord("{\"password\":\"x\"}")
        #expect(throws: DocumentError.self) {
            try parse(text, record, stored: other)
        }
        // A marker outside of a secret's place is text; it brings nothing back.
        let stolen = "{\"note\":\"\(marker("pass-word-1"))\"}"
        let back = try parse(stolen, record, stored: record)
        #expect(!String(decoding: back.payload, as: UTF8.self).contains("pass-word-1"))
    }

    @Test("an unknown message shows its marker only, and is kept by it")
    func opaque() throws {
        let url = "type.googleapis.com/oauth21.UpstreamMCPToken"
        let payload = Wire.text(1, "user-one") + Wire.text(4, "upstream-access-token")
        let record = Record(type: RecordType(url), id: "t", payload: payload)
        let text = try show(record)
        #expect(text == (try showAny(record)))
        #expect(!text.contains("upstream"))
        #expect(text.contains("\"@type\": \"\(url)\""))
        #expect(try parse(text, record, stored: record) == record)
        #expect(throws: DocumentError.hiddenMismatch(field: "value")) {
            try parse(text, record, stored: nil)
        }
        // Under a type that shows its fields, the marker would give the token away.
        for shown in [RecordType.user.url, RecordType.context.url, "type.googleapis.com/x.Y"] {
            let retyped = text.replacing(url, with: shown)
            #expect(throws: DocumentError.hiddenMismatch(field: "value")) {
                try parse(retyped, record, stored: record)
            }
        }
    }

    @Test("no rendering of a random session shows eight bytes of a secret", arguments: 0..<64)
    func property(seed: Int) throws {
        var random = SplitMix(state: UInt64(seed))
        let secrets = (0..<3).map { _ in random.text(length: 8 + random.below(60)) }
        let record = session(secrets[0], secrets[1], secrets[2])
        let nested = try structRecord(
            "{\"a\":{\"refresh_token\":\(quoted(secrets[0])),"
                + "\"l\":[{\"raw\":\(quoted(secrets[1]))}]},"
                + "\"id_token\":{\"x\":\(quoted(secrets[2]))}}"
        )
        let opaque = Record(
            type: RecordType("x.io/Unknown"),
            id: "o",
            payload: record.payload,
            dataTypeURL: "x/U"
        )
        let alias = Record(
            type: RecordType("x.io/Alias"),
            id: "s1",
            payload: record.payload,
            dataTypeURL: RecordType.session.url
        )
        for shown in [record, nested, opaque, alias] {
            for text in [try Document.render(shown), try Document.renderAny(shown)] {
                for secret in secrets {
                    let bytes = Array(secret.utf8)
                    for start in 0...(bytes.count - 8) {
                        let piece = bytes[start..<(start + 8)]
                        #expect(!contains(text, piece), "seed \(seed)")
                    }
                }
            }
        }
        #expect(try parse(try show(record), record, stored: record) == record, "seed \(seed)")
        #expect(try parse(try show(nested), nested, stored: nested) == nested, "seed \(seed)")
    }

    private func quoted(_ text: String) -> String { "\"\(text)\"" }

    private func contains(_ text: [UInt8], _ piece: ArraySlice<UInt8>) -> Bool {
        guard text.count >= 8, let first = piece.first else { return false }
        return (0...(text.count - 8)).contains {
            text[$0] == first && text[$0...].starts(with: piece)
        }
    }
}

struct SplitMix {
    var state: UInt64

    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ (mixed >> 31)) % UInt64(bound))
    }

    /// Letters and digits, so that the text stands in JSON as it is.
    mutating func text(length: Int) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._")
        return String((0..<length).map { _ in alphabet[below(alphabet.count)] })
    }
}
