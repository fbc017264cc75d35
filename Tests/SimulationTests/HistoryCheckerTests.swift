// SPDX-License-Identifier: Apache-2.0

import Identity
import Store
import Testing

@testable import Simulation

@Suite("history checker")
struct HistoryCheckerTests {
    private var checker = HistoryChecker()

    /// What is said of changes with these versions and times, seconds; nil when nothing is wrong.
    private mutating func note(_ changes: (UInt64, Int64)..., on node: Int = 0) -> String? {
        let changes = changes.map { version, seconds in
            Change(
                version: version,
                kind: .put,
                type: .session,
                id: "s7",
                at: Timestamp(seconds: seconds),
                userID: "u3",
                reason: ""
            )
        }
        do throws(Violation) {
            try checker.note(changes, on: node)
            return nil
        } catch {
            return error.description
        }
    }

    private mutating func note(name: UInt64) -> String? {
        var metadata = StoreMetadata()
        metadata.serverVersion = name
        do throws(Violation) {
            try checker.note(metadata)
            return nil
        } catch {
            return error.description
        }
    }

    @Test("changes that follow each other, on each node by itself and again after a crash")
    mutating func inOrder() {
        #expect(note((1, 10), (2, 10)) == nil)
        #expect(note((5, 11)) == nil)
        #expect(note((1, 10), on: 1) == nil)
        checker.restarted(0)
        #expect(note((2, 10)) == nil)
    }

    @Test("a change that is told of again", arguments: [1, 2] as [UInt64])
    mutating func again(version: UInt64) {
        #expect(note((1, 10), (2, 10)) == nil)
        #expect(note((version, 20)) == "node 1 tells of change \(version) again")
    }

    @Test("time that runs backwards")
    mutating func backwards() {
        #expect(note((1, 10)) == nil)
        #expect(note((2, 9)) == "time runs backwards with change 2")
    }

    @Test("a history with two names")
    mutating func names() {
        #expect(note(name: 0) == nil)
        #expect(note(name: 7) == nil)
        #expect(note(name: 0) == nil)
        #expect(note(name: 7) == nil)
        #expect(note(name: 8) == "the history has two names")
    }
}
