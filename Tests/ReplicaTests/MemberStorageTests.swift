// SPDX-License-Identifier: Apache-2.0

import Log
import Replica
import Testing

@testable import Raft
@testable import Store

/// What a member keeps on its disk: what it starts from, and what it refuses to start from.
@Suite struct MemberStorageTests {
    private let disk = SimulatedDisk()
    private let state: StoreMetadata = {
        var state = StoreMetadata()
        state.configurations = [GroupConfiguration(index: 0, voters: [1, 2, 3])]
        return state
    }()

    private func open(
        _ disk: SimulatedDisk? = nil,
        member: UInt64 = 1,
        applied: UInt64 = 0
    ) throws(RecoveryError) -> MemberStorage<SimulatedDisk> {
        var state = state
        state.appliedIndex = applied
        return try MemberStorage(
            opening: "/log",
            on: disk ?? self.disk,
            member: MemberID(member),
            incarnation: 9,
            state: state,
            limits: LogLimits(
                segmentSizeBytes: 8192,
                payloadSizeBytesMax: 2000,
                spareSegmentsMax: 0
            )
        )
    }

    private func entry(_ index: UInt64, term: UInt64 = 1, bytes: Int = 1000) -> Entry {
        Entry(term: term, index: index, content: .payload(Array(repeating: 7, count: bytes)))
    }

    private func write(
        _ number: UInt64,
        truncateFrom: UInt64? = nil,
        _ entries: [Entry],
        term: UInt64? = nil
    ) -> Write {
        Write(
            number: number,
            snapshot: nil,
            truncateFrom: truncateFrom,
            entries: entries,
            hardState: term.map { HardState(term: $0, vote: MemberID(2)) }
        )
    }

    /// A member of term 1 with twelve entries in several segments.
    private func filled() throws -> MemberStorage<SimulatedDisk> {
        var storage = try open()
        for index in UInt64(1)...12 {
            try storage.perform(write(index, [entry(index)], term: index == 1 ? 1 : nil))
        }
        return storage
    }

    private func recover(_ applied: UInt64 = 0) throws(RecoveryError) -> Recovery {
        var state = state
        state.appliedIndex = applied
        return try open(applied: applied).recovery(over: state)
    }

    private func reason(_ body: () throws(RecoveryError) -> Void) -> String {
        do throws(RecoveryError) {
            try body()
            return "it starts"
        } catch {
            return "\(error)"
        }
    }

    @Test("a restart finds term, vote and entries")
    func found() throws {
        _ = try filled()
        let recovery = try recover()
        #expect(recovery.hardState == HardState(term: 1, vote: MemberID(2)))
        #expect(recovery.entries.map(\.index) == Array(1...12))
        #expect(recovery.appliedIndex == 0)
        #expect(recovery.snapshot.configuration.voters.count == 3)
        #expect(try recover(5).appliedIndex == 5)
        #expect(try open().incarnation == 9)
    }

    @Test("a new member starts from nothing")
    func new() throws {
        let recovery = try recover()
        #expect(recovery.hardState == HardState(term: 0, vote: nil))
        #expect(recovery.entries.isEmpty)
    }

    @Test("without its word of terms and votes a member does not start")
    func memberFileMissing() throws {
        _ = try filled()
        try disk.remove("/log/member")
        let told = reason { () throws(RecoveryError) in _ = try open() }
        #expect(told.contains("nobody knows whom this member voted for"))
    }

    @Test("nor with a state and nothing else")
    func everythingMissing() {
        let told = reason { () throws(RecoveryError) in _ = try open(applied: 5) }
        #expect(told.contains("nobody knows whom this member voted for"))
    }

    @Test("nor without its log once there was a term")
    func segmentsMissing() throws {
        _ = try filled()
        for name in try disk.list("/log") where name != "member" {
            try disk.remove("/log/" + name)
        }
        let told = reason { () throws(RecoveryError) in _ = try open() }
        #expect(told.contains("the segments are missing"))
    }

    @Test("a member whose first start was cut short begins again", arguments: 0..<40)
    func beginningCutShort(operations: Int) throws {
        var generator = SplitMix64(seed: UInt64(operations))
        disk.cutPower(afterOperations: operations)
        _ = try? open()
        let left = disk.crash(using: &generator)
        let storage = try open(left)
        #expect(storage.log.isEmpty)
    }

    @Test("another member's directory is refused")
    func wrongMember() throws {
        _ = try filled()
        #expect(throws: RecoveryError.wrongMember(found: 1, expected: 2)) { try open(member: 2) }
    }

    @Test("a state that is behind the log's beginning is refused")
    func behind() throws {
        var storage = try filled()
        try storage.discardPrefix(through: 12)
        let first = storage.log.firstIndex
        #expect(first > 2)
        #expect(try recover(first - 1).entries.first?.index == first)
        #expect(throws: RecoveryError.gap(applied: first - 2, logFirst: first, logLast: 12)) {
            _ = try recover(first - 2)
        }
    }

    @Test("a state that is ahead of the log's end is refused")
    func ahead() throws {
        _ = try filled()
        #expect(throws: RecoveryError.gap(applied: 13, logFirst: 1, logLast: 12)) {
            _ = try recover(13)
        }
    }

    @Test("an entry of a kind that this version does not know is refused")
    func undecodable() throws {
        var storage = try filled()
        try storage.perform(write(13, [entry(13)]))
        var log = try DurableLog(
            opening: "/log",
            on: disk,
            limits: storage.log.limits
        )
        try log.append([LogEntry(term: 1, index: 14, tag: 99, payload: [])])
        #expect(throws: RecoveryError.undecodable(index: 14)) { _ = try recover() }
    }

    @Test("a write that found no room is tried again, and nothing is lost or doubled")
    func noSpace() throws {
        var storage = try filled()
        let (long, total) = ((13...24).map { entry($0) }, Array(UInt64(1)...24))
        disk.setCapacity(0)
        for _ in 0..<3 {
            #expect(throws: LogError.self) { try storage.perform(write(13, long, term: 2)) }
        }
        #expect(storage.log.lastIndex == 12)
        disk.setCapacity(1 << 30)
        try storage.perform(write(13, long, term: 2))
        #expect(try recover().entries.map(\.index) == total)
        #expect(try recover().hardState.term == 2)
        // Once more, as somebody does who has not heard that it was made.
        try storage.perform(write(13, long, term: 2))
        #expect(try recover().entries.map(\.index) == total)
    }

    @Test("nor where the same write takes entries back")
    func noSpaceWithTruncation() throws {
        var storage = try filled()
        let long = (UInt64(5)...20).map { entry($0, term: 2) }
        let attempt = write(13, truncateFrom: 5, long, term: 2)
        disk.setCapacity(0)
        for _ in 0..<3 {
            #expect(throws: LogError.self) { try storage.perform(attempt) }
        }
        // What is there meanwhile is a part of the write, and nothing else.
        #expect(try recover().entries.allSatisfy { $0.index < 5 && $0.term == 1 })
        disk.setCapacity(1 << 30)
        try storage.perform(attempt)
        let recovery = try recover()
        #expect(recovery.entries.map(\.index) == Array(1...20))
        #expect(recovery.entries.map(\.term) == [1, 1, 1, 1] + Array(repeating: 2, count: 16))
        #expect(recovery.hardState.term == 2)
    }

    @Test("a crash within a write leaves a prefix of it", arguments: 0..<12)
    func crash(operations: Int) throws {
        for seed in UInt64(0)..<8 {
            let disk = SimulatedDisk()
            var generator = SplitMix64(seed: seed)
            var storage = try open(disk)
            try storage.perform(write(1, (1...8).map { entry($0, bytes: 200) }, term: 1))
            disk.cutPower(afterOperations: operations)
            let new = (UInt64(5)...9).map { entry($0, term: 2, bytes: 200) }
            try? storage.perform(write(2, truncateFrom: 5, new, term: 2))
            let left = disk.crash(using: &generator)
            let recovery = try open(left).recovery(over: state)
            let terms = recovery.entries.map(\.term)
            let isPrefix =
                terms == Array(repeating: 1, count: 8)
                || terms == [1, 1, 1, 1] + Array(repeating: 2, count: terms.count - 4)
            #expect(isPrefix, "\(terms), \(seed)")
            #expect(recovery.hardState.term == 1 || terms.count == 9, "\(terms), \(seed)")
        }
    }
}
