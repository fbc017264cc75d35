// SPDX-License-Identifier: Apache-2.0

import Identity
import Testing

@Suite("command codec")
struct CommandCodecTests {
    private static func kinds() throws -> [Command.Kind] {
        let session = try Document.parse(
            Array("{\"user_id\":\"alice\",\"expires_at\":\"2026-11-24T03:02:11.25Z\"}".utf8),
            type: .session,
            id: "s1",
            expectedVersion: 0
        )
        let user = try Document.parse(
            Array("{\"group_ids\":[\"b\",\"a\"]}".utf8),
            type: .directoryUser,
            id: "alice"
        )
        let foreign = Record(
            type: RecordType("x.io/T"),
            id: "t",
            payload: [1, 2, 3],
            dataTypeURL: "y/U"
        )
        let empty = Record(type: .user, id: "empty", payload: [])
        var options = RecordOptions(capacity: 0, ttlSeconds: 7)
        options.ttlNanoseconds = 5
        options.indexableFields = ["a", "b.c"]
        let change = MembershipChange(group: "g", add: ["a"], remove: ["b", "c"], replace: true)
        return [
            .put([
                session, user, RecordWrite(put: foreign, facts: RecordFacts()),
                RecordWrite(put: empty, facts: RecordFacts(), expectedVersion: .max),
                RecordWrite(delete: .user, id: "gone", expectedVersion: 3),
            ]),
            .put([]), .patch([session], paths: ["user_id", "id_token.raw"]),
            .revoke(.session("s"), reason: "left"), .revoke(.user(""), reason: ""),
            .revoke(.group("g"), reason: "é"), .revoke(.serviceAccount("b"), reason: ""),
            .changeMembers(change), .changeMembers(MembershipChange(group: "g")),
            .deleteGroup("g"), .setOptions(.user, options), .setOptions(.user, RecordOptions()),
            .maintain(changeRetentionSeconds: .max, recordsMax: .max),
            .maintain(changeRetentionSeconds: 0, recordsMax: 0), .beginHistory(serverVersion: .max),
            .beginHistory(serverVersion: 0),
            .describeMember(GroupMember(id: .max, name: "n1", address: "host:7000")),
            .describeMember(GroupMember(id: 0, name: "", address: "")),
        ]
    }

    @Test("every kind comes back as it was, and always as the same bytes")
    func roundTrip() throws {
        for kind in try Self.kinds() {
            for at in [
                Timestamp.epoch, Timestamp(seconds: 1_795_527_731, nanoseconds: 999_999_999),
            ] {
                for origin in [nil, RequestOrigin(client: .max, sequence: 3)] {
                    let command = Command(at: at, kind: kind, origin: origin)
                    let bytes = command.encoded()
                    #expect(try Command(decoding: bytes) == command)
                    #expect(try Command(decoding: bytes).encoded() == bytes)
                }
            }
        }
    }

    @Test("the bytes in the log do not drift")
    func golden() throws {
        let command = Command(
            at: Timestamp(seconds: 100, nanoseconds: 7),
            kind: .revoke(.user("alice"), reason: "left")
        )
        // at 1 {seconds 1, nanos 2}, revoke 4 {user 2, reason 5}
        let expected =
            Wire.bytes(1, Wire.number(1, 100) + Wire.number(2, 7))
            + Wire.bytes(4, Wire.text(2, "alice") + Wire.text(5, "left"))
        #expect(command.encoded() == expected)
        #expect(hex(expected) == "0a0408641007220d1205616c6963652a046c656674")
        var facts = RecordFacts()
        facts.userID = "u"
        facts.groupIDs = ["g"]
        facts.expiresAt = Timestamp(seconds: 5)
        facts.documentBytes = 9
        let record = Record(type: .user, id: "i", payload: [0xAB], dataTypeURL: "d")
        let put = Command(
            at: Timestamp(seconds: 1),
            kind: .put([RecordWrite(put: record, facts: facts, expectedVersion: 0)])
        )
        let write =
            Wire.text(1, RecordType.user.url) + Wire.text(2, "i") + Wire.bytes(3, [0xAB])
            + Wire.text(4, "d")
            + Wire.bytes(
                5,
                Wire.text(1, "u") + Wire.text(2, "g") + Wire.time(3, 5) + Wire.number(4, 9)
            )
            + Wire.number(6, 0)
        #expect(put.encoded() == Wire.time(1, 1) + Wire.bytes(2, Wire.bytes(1, write)))
    }

    private func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    @Test(
        "what is no command is refused",
        arguments: [[], [0xFF], [0x22, 0x00], [0x0A, 0x02, 0x08, 0x64]]
    )
    func refused(bytes: [UInt8]) {
        #expect(throws: DocumentError.self) { _ = try Command(decoding: bytes) }
    }

    @Test("only what takes access away is narrowing")
    func narrowing() throws {
        func isNarrowing(_ kind: Command.Kind) -> Bool {
            Command(at: .epoch, kind: kind).isNarrowing
        }
        #expect(isNarrowing(.revoke(.user("a"), reason: "")))
        #expect(isNarrowing(.put([RecordWrite(delete: .session, id: "s")])))
        #expect(isNarrowing(.changeMembers(MembershipChange(group: "g", remove: ["a"]))))
        #expect(
            !isNarrowing(.changeMembers(MembershipChange(group: "g", add: ["a"], remove: ["b"])))
        )
        let user = RecordWrite(put: Record(type: .user, id: "u", payload: []), facts: RecordFacts())
        #expect(!isNarrowing(.put([RecordWrite(delete: .session, id: "s"), user])))
        #expect(!isNarrowing(.setOptions(.user, RecordOptions(capacity: 0))))
    }
}
