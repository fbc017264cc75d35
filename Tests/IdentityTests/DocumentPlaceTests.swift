// SPDX-License-Identifier: Apache-2.0

import Identity
import Testing

@Suite("Where a document is wrong")
struct DocumentPlaceTests {
    /// What a writer of this session is told.
    private func complaint(_ text: String, type: RecordType = .session) -> String {
        let bytes = Array(text.utf8)
        do throws(DocumentError) {
            _ = try Document.parse(bytes, type: type, id: "s")
            return ""
        } catch {
            return Document.located(error, in: bytes, type: type).description
        }
    }

    @Test(
        "line, column and field are those of the cause",
        arguments: [
            ("{\n  \"user_id\": \"a\",\n  \"nope\": 1\n}", "line 3, column 3 (nope): unknown"),
            ("{\"id_token\": {\"nope\": 1}}", "line 1, column 15 (id_token.nope): unknown field"),
            ("{\n  \"user_id\": \"a\"\n  \"idp_id\": 1\n}", "line 3, column 3: not a valid"),
            ("{\"user_id\": \"a\"", "line 1, column 16: not a valid"),
            ("{\"user_id\": \"a\"} x", "line 1, column 18: not a valid"),
            ("{\"user_id\": 'a'}", "line 1, column 13: not a valid"),
            ("{\n\"user_id\":\"a\",\n\"expires_at\":\"soon\"}", "line 3, column 1 (expires_at): "),
            ("{\"audience\": \"a\"}", "line 1, column 2 (audience): "),
            ("{\"id\": \"t\"}", "line 1, column 2 (id): "),
            (#"{"id_token":{"raw":"[hidden sha256:0]"}}"#, "line 1, column 14 (id_token.raw): "),
            ("{\"claims\": {\"a\": [1, {\"b\": ]}}", "line 1, column 28: "),
        ]
    )
    func places(text: String, beginning: String) {
        #expect(complaint(text).hasPrefix(beginning), "\(complaint(text))")
    }

    @Test("what is right has no place, and nothing that is wrong makes the search fail")
    func truncated() {
        let whole = "{\"user_id\": \"a\", \"claims\": {\"x\": [1, \"\\\"\", null, true]}}"
        #expect(complaint(whole).isEmpty)
        let bytes = Array(whole.utf8)
        for count in 0..<bytes.count {
            #expect(!complaint(String(decoding: bytes[..<count], as: UTF8.self)).isEmpty)
        }
        #expect(!complaint(String(repeating: "[", count: 10_000)).isEmpty)
    }
}
