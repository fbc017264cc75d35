// SPDX-License-Identifier: Apache-2.0

import Identity
import Samples
import Testing

/// `examples/data/bad.jsonl`: one line for each reason to refuse one, in this order.
@Suite("refused lines")
struct RefusedLineTests {
    /// A line and why it is refused; no error where only the moment of loading tells.
    struct Refusal: Sendable, CustomTestStringConvertible {
        let reason: String
        let line: String
        let error: DocumentError?

        var testDescription: String { reason }
    }

    static let refusals: [Refusal] = malformed + invalidIDs + wrongContent

    private static let malformed = [
        Refusal(
            reason: "not JSON",
            line: "this is not JSON",
            error: .malformed("not JSON (failure)")
        ),
        Refusal(
            reason: "JSON that ends too early",
            line: #"{"type":"user","id":"dave","data":{"name":"Dave"}"#,
            error: .malformed("the text ends before the document does")
        ),
        Refusal(
            reason: "a line without an id",
            line: #"{"type":"user","data":{"name":"Dave"}}"#,
            error: .malformed("\"id\" is missing")
        ),
        Refusal(
            reason: "a member that lines do not have",
            line: #"{"type":"user","id":"dave","payload":{}}"#,
            error: .unknownField("payload")
        ),
        Refusal(
            reason: "a field that users do not have",
            line: #"{"type":"user","id":"dave","data":{"name":"Dave","nickname":"D"}}"#,
            error: .unknownField("nickname")
        ),
        Refusal(
            reason: "a time that is not RFC 3339",
            line: #"{"type":"session","id":"s-1","data":{"expires_at":"tomorrow"}}"#,
            error: .malformed("a time is not RFC 3339")
        ),
    ]

    private static let invalidIDs = [
        Refusal(
            reason: "an empty id",
            line: #"{"type":"user","id":"","data":{"name":"Dave"}}"#,
            error: .invalidID("an id must not be empty")
        ),
        Refusal(
            reason: "an id with a line feed",
            line: #"{"type":"user","id":"dave\nalice","data":{"name":"Dave"}}"#,
            error: .invalidID("an id must not contain a line feed")
        ),
        Refusal(
            reason: "an id with NUL",
            line: #"{"type":"user","id":"dave\u0000","data":{"name":"Dave"}}"#,
            error: .invalidID("an id must not contain NUL")
        ),
        Refusal(
            reason: "an id of 1025 bytes",
            line: "{\"type\":\"user\",\"id\":\"\(String(repeating: "d", count: 1025))\","
                + "\"data\":{\"name\":\"Dave\"}}",
            error: .invalidID("an id has 1025 bytes, at most 1024 are allowed")
        ),
        Refusal(
            reason: "a context id without a key",
            line: #"{"type":"context","id":"risk","data":{"text":"12"}}"#,
            error: .invalidID("the id of a context record is source/key")
        ),
        Refusal(
            reason: "a document that names another id",
            line: #"{"type":"user","id":"dave","data":{"id":"alice","name":"Alice"}}"#,
            error: .idMismatch(document: "alice", expected: "dave")
        ),
    ]

    private static let wrongContent = [
        Refusal(
            reason: "a marker of a hidden token that nobody stored",
            line: #"{"type":"session","id":"s-2","data":{"user_id":"dave","#
                + #""id_token":{"raw":"[hidden sha256:77ab12]"}}}"#,
            error: .hiddenMismatch(field: "id_token.raw")
        ),
        Refusal(
            reason: "a session that has expired",
            line: #"{"type":"session","id":"s-3","data":{"user_id":"dave","#
                + #""issued_at":"2020-01-01T08:00:00Z","expires_at":"2020-01-01T22:00:00Z"}}"#,
            error: nil
        ),
    ]

    @Test("each line is refused for its own reason", arguments: refusals)
    func refused(refusal: Refusal) throws {
        if let error = refusal.error {
            #expect(throws: error) { try LoadLine.parse(refusal.line) }
        } else {
            let expiresAt = try LoadLine.parse(refusal.line).facts.expiresAt
            #expect(expiresAt == Timestamp(seconds: 1_577_916_000))
        }
    }

    @Test("examples/data/bad.jsonl holds these lines")
    func file() throws {
        try ExampleFile(name: "bad.jsonl").expect(Self.refusals.map(\.line))
    }
}
