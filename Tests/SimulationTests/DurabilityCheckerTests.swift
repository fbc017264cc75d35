// SPDX-License-Identifier: Apache-2.0

import Raft
import Testing

@testable import Simulation

@Suite("durability checker")
struct DurabilityCheckerTests {
    private var checker = DurabilityChecker()
    private let group = Configuration(voters: [1, 2, 3].map { MemberID($0) })
    private let id = MemberID(1)

    /// A write that ends the log at `last`, in a term, perhaps with a vote.
    private mutating func write(_ last: LogPosition, term: Term, vote: UInt64?) {
        let hardState = HardState(term: term, vote: vote.map { MemberID($0) })
        checker.note(hardState, by: id, last: last)
    }

    /// What is said of a start with this on the disk; nil when nothing is wrong.
    private func start(_ last: LogPosition, term: Term, vote: UInt64?) -> String? {
        let recovery = Recovery(
            hardState: HardState(term: term, vote: vote.map { MemberID($0) }),
            snapshot: Snapshot(position: last, configuration: group)
        )
        do throws(Violation) {
            try checker.noteStart(id, recovery)
            return nil
        } catch {
            return error.description
        }
    }

    private let end = LogPosition(index: 4, term: 2)

    @Test("a member that finds what it had, or more")
    mutating func kept() {
        #expect(start(end, term: 1, vote: nil) == nil)
        write(end, term: 3, vote: nil)
        #expect(start(end, term: 3, vote: nil) == nil)
        #expect(start(end, term: 3, vote: 2) == nil)
        #expect(start(end, term: 4, vote: nil) == nil)
        #expect(checker.hardState(of: id) == HardState(term: 3, vote: nil))
    }

    @Test("a term that is forgotten")
    mutating func term() {
        write(end, term: 3, vote: nil)
        #expect(start(end, term: 2, vote: nil) == "1 was in term 3 and starts in 2")
    }

    @Test("a vote that is forgotten, or another one", arguments: [nil, 3] as [UInt64?])
    mutating func vote(found: UInt64?) {
        write(end, term: 3, vote: 2)
        #expect(start(end, term: 3, vote: 2) == nil)
        #expect(start(end, term: 3, vote: found) == "1 has forgotten its vote in term 3")
        #expect(start(end, term: 4, vote: found) == nil)
    }

    @Test("a log that has lost entries, or has what was taken back", arguments: [3, 5] as [UInt64])
    mutating func log(index: LogIndex) {
        write(end, term: 3, vote: nil)
        let told = start(LogPosition(index: index, term: 2), term: 3, vote: nil)
        #expect(told?.hasPrefix("1 had a log up to") == true)
        // A crash within a write leaves any part of it; term and vote it does not take back.
        checker.noteCut(of: id)
        #expect(start(LogPosition(index: index, term: 2), term: 3, vote: nil) == nil)
        #expect(start(end, term: 2, vote: nil) != nil)
    }
}
