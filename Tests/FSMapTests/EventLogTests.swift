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

    private func text(_ log: EventLog) -> String { String(decoding: log.bytes, as: UTF8.self) }

    @Test("a change is one line of JSON with its keys in order")
    func line() {
        var log = EventLog()
        log.append(change(1))
        log.append(change(2, id: "a\"\\\n\u{1}é", user: "u", reason: "INC-1\t2"))
        let expected =
            #"{"version":1,"time":"2027-01-15T08:00:00Z","op":"revoke","type":"session","id":"s"}"#
            + "\n" + #"{"version":2,"time":"2027-01-15T08:00:00Z","op":"revoke","type":"session","#
            + #""id":"a\"\\\n\u0001é","user":"u","reason":"INC-1\t2"}"# + "\n"
        #expect(text(log) == expected)
        #expect(log.modifiedAt == Timestamp(seconds: 1_800_000_000))
        #expect(log.generation == 1)
        #expect(log.sizeBytes == expected.utf8.count)
    }

    @Test("the older half is dropped at the end of a line; the first line says through where")
    func bounded() throws {
        var log = EventLog(generation: 5, bytesMax: 2000)
        var generation: UInt64 = 5
        for version in 1...500 as ClosedRange<UInt64> {
            log.append(change(version))
            let lines = text(log).split(separator: "\n")
            #expect(text(log).hasSuffix("}\n"))
            #expect(log.bytes.count <= 2000 && log.bytes.count == log.sizeBytes)
            #expect(lines.last?.hasPrefix("{\"version\":\(version),") == true)
            if generation > 5 {
                let dropped = version - UInt64(lines.count - 1)
                #expect(lines[0] == "{\"gap\":true,\"dropped_through\":\(dropped)}")
                #expect(lines[1].hasPrefix("{\"version\":\(dropped + 1),"))
            }
            if log.generation != generation {
                #expect(log.generation == generation + 1)
                #expect(log.sizeBytes > 500 && log.sizeBytes < 1500)
                generation += 1
            }
        }
        #expect(generation > 20)
    }

    @Test("where changes are missing a line says so, also for one that is too long")
    func gaps() {
        var log = EventLog(bytesMax: 4000)
        log.append(change(5))
        log.append(change(6, reason: String(repeating: "x", count: 1000)))
        log.append(change(7))
        let keys = text(log).split(separator: "\n").map { $0.prefix(32) }
        #expect(
            keys == [
                #"{"gap":true,"dropped_through":4}"#, #"{"version":5,"time":"2027-01-15T"#,
                #"{"gap":true,"dropped_through":6}"#, #"{"version":7,"time":"2027-01-15T"#,
            ]
        )
    }

    @Test("any part of the log is the same part of the whole", arguments: [2000, 1 << 20])
    func parts(bytesMax: Int) {
        var log = EventLog(bytesMax: bytesMax)
        for version in 1...3000 as ClosedRange<UInt64> { log.append(change(version)) }
        let whole = log.bytes
        #expect(whole.count == log.sizeBytes)
        for offset in stride(from: 0, to: whole.count + 300, by: 97) {
            for count in [0, 1, 83, 84, 4096, 200_000] {
                let part = log.bytes(from: UInt64(offset), count: count)
                #expect(part == Array(whole.dropFirst(offset).prefix(count)))
            }
        }
    }

    @Test("a copy of the log stays as it was")
    func copies() {
        var log = EventLog()
        log.append(change(1))
        let copy = log
        log.append(change(2))
        #expect(copy.bytes.count < log.bytes.count)
        #expect(log.bytes.starts(with: copy.bytes))
    }
}
