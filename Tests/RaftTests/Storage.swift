// SPDX-License-Identifier: Apache-2.0

import Raft

/// A generator for tests: the same seed gives the same numbers (Steele, Lea and Flood, 2014).
struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    mutating func number(below bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// True in `percent` of a hundred cases.
    mutating func chance(_ percent: Int) -> Bool { number(below: 100) < percent }
}

/// Draws numbers that leave the same remainder, so that a play says whose timer goes off first.
struct FixedGenerator: RandomNumberGenerator, Sendable {
    /// What T ticks are lengthened by, of 10.
    var remainder: UInt64
    /// No two runs draw the same numbers.
    var run: UInt64 = 0
    private var count: UInt64 = 0

    init(remainder: UInt64, run: UInt64 = 0) {
        self.remainder = remainder
        self.run = run
    }

    mutating func next() -> UInt64 {
        count += 1
        return run * 1_000_000 + count * 10 + remainder
    }
}

/// What a member has on its disk.
struct Storage: Equatable, Sendable {
    var hardState = HardState(term: 0, vote: nil)
    var snapshot: Snapshot
    var entries: [Entry] = []
    /// What the state had applied when it was last written out.
    var appliedIndex: LogIndex = 0

    init(_ snapshot: Snapshot) {
        self.snapshot = snapshot
        appliedIndex = snapshot.position.index
    }

    var recovery: Recovery {
        Recovery(
            hardState: hardState,
            snapshot: snapshot,
            entries: entries,
            appliedIndex: appliedIndex
        )
    }

    var lastIndex: LogIndex { entries.last?.index ?? snapshot.position.index }

    mutating func perform(_ write: Write) {
        if let new = write.snapshot {
            snapshot = new
            entries = []
            appliedIndex = new.position.index
        }
        if let index = write.truncateFrom { entries.removeAll { $0.index >= index } }
        precondition(write.entries.first.map { $0.index == lastIndex + 1 } ?? true, "a gap")
        entries += write.entries
        if let hardState = write.hardState { self.hardState = hardState }
    }

    /// The owner's part of a compaction: the state is written out, so the log may be shortened.
    mutating func keep(_ new: Snapshot) {
        snapshot = new
        appliedIndex = max(appliedIndex, new.position.index)
        entries.removeAll { $0.index <= new.position.index }
    }
}

func ids(_ numbers: UInt64...) -> [MemberID] { numbers.map { MemberID($0) } }

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
