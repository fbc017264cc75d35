// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Testing

@Suite("The log of changes")
struct EventLogTests {
    private func change(
        _ version: UInt64,
        id: String = "s",
        user: String = "",
        reason: String = ""
    ) -> Change {
        Change(
            version: version,
            kind: .revoke,
            type: .session,
            id: id,
            at: Timestamp(seconds: 1_800_000_000),
            userID: user,
            reason: reason
        )
    }

    @Test("a change is one line of JSON with its keys in order")
    func line() {
        var log = EventLog()
        log.append(change(7))
        log.append(change(8, id: "a\"\\\n\u{1}é", user: "u", reason: "INC-1\t2"))
        let expected =
            #"{"version":7,"time":"2027-01-15T08:00:00Z","op":"revoke","type":"session","id":"s"}"#
            + "\n" + #"{"version":8,"time":"2027-01-15T08:00:00Z","op":"revoke","type":"session","#
            + #""id":"a\"\\\n\u0001é","user":"u","reason":"INC-1\t2"}"# + "\n"
        #expect(String(decoding: log.text.bytes, as: UTF8.self) == expected)
        #expect(log.text.modifiedAt == Timestamp(seconds: 1_800_000_000))
        #expect(log.text.generation == 1)
        #expect(log.sizeBytes == expected.utf8.count)
    }

    @Test("the older half is dropped at the end of a line, and the generation goes up")
    func bounded() {
        var log = EventLog(generation: 5, bytesMax: 2000)
        var generation: UInt64 = 5
        for version in 1...500 as ClosedRange<UInt64> {
            log.append(change(version))
            let text = String(decoding: log.text.bytes, as: UTF8.self)
            #expect(text.utf8.count <= 2000 && text.utf8.count == log.sizeBytes)
            #expect(text.hasPrefix("{\"version\":") && text.hasSuffix("}\n"))
            let last = text.split(separator: "\n").last
            #expect(last?.hasPrefix("{\"version\":\(version),") == true)
            if log.generation != generation {
                #expect(log.generation == generation + 1)
                #expect(text.utf8.count > 500 && text.utf8.count < 1300)
                generation += 1
            }
        }
        #expect(generation > 20)
    }

    @Test("a copy of the log stays as it was")
    func copies() {
        var log = EventLog()
        log.append(change(1))
        let copy = log
        log.append(change(2))
        #expect(copy.text.bytes.count < log.text.bytes.count)
    }
}
