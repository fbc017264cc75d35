// SPDX-License-Identifier: Apache-2.0

import Glibc
import Log

/// Random changes and crashes on a log, compared with a plain array after every step.
///
/// INVARIANT: everything follows from the seed.
struct DurableLogModel<D: Disk> {
    /// What was promised and then not kept.
    struct Violation: Error, CustomStringConvertible {
        var description: String
    }

    /// What a log should hold.
    struct Contents: Equatable {
        /// The index and term before the first entry ever.
        var base: UInt64 = 0
        var baseTerm: UInt64 = 0
        var entries: [LogEntry] = []

        var lastIndex: UInt64 { base + UInt64(entries.count) }
        var lastTerm: UInt64 { entries.last?.term ?? baseTerm }
    }

    enum Change {
        case append([LogEntry])
        case truncate(UInt64)
        case discard(UInt64)
        case reset(UInt64, UInt64)
        case settle
    }

    let wrap: (SimulatedDisk) -> D
    private var generator: SplitMix64
    private var disk = SimulatedDisk()
    private var log: DurableLog<D>
    private var expected = Contents()
    private var discarded: UInt64 = 0
    private var serial: UInt64 = 0
    private(set) var crashCount = 0

    init(seed: UInt64, wrap: @escaping (SimulatedDisk) -> D) throws(LogError) {
        self.wrap = wrap
        generator = SplitMix64(seed: seed)
        log = try open(on: wrap(disk))
    }

    mutating func run(steps: Int) throws {
        for step in 0..<steps {
            let change = nextChange()
            switch chance(10) {
            case 0...2: try crash(during: change)
            case 3: try fillUp(during: change)
            case 4: try fail(during: change)
            case 5:
                try perform(change)
                log = try open(on: wrap(disk))
            default: try perform(change)
            }
            try check(candidates: [expected])
            // A look costs as much as an opening.
            if step % 8 == 0 { try look() }
        }
    }

    private func look() throws {
        let changes = disk.diary.count
        try compare(LogInspection(of: logDirectory, on: disk), tornTail: nil)
        guard disk.diary.count == changes else {
            throw Violation(description: "a look has changed the disk")
        }
    }

    private mutating func chance(_ bound: UInt64) -> UInt64 { generator.next(upperBound: bound) }

    private mutating func nextChange() -> Change {
        let last = expected.lastIndex
        switch chance(20) {
        case 0...11: return .append(nextEntries())
        case 12...14:
            let count = 1 + chance(6)
            guard last >= log.firstIndex + count else { return .settle }
            return .truncate(last - count)
        case 15...17: return .discard(last - min(last, chance(20)))
        case 18 where chance(4) == 0: return .reset(last + chance(50), expected.lastTerm + 1)
        default: return .settle
        }
    }

    private mutating func nextEntries() -> [LogEntry] {
        let term = expected.lastTerm + chance(2)
        return (0..<(1 + chance(8))).map { offset in
            serial += 1
            let size = [0, 100, 500, 500, 1000, 1500, 4000][Int(chance(7))]
            let payload = entry(serial, size: size).payload
            let index = expected.lastIndex + 1 + offset
            return LogEntry(term: term, index: index, tag: UInt32(index % 3), payload: payload)
        }
    }

    private mutating func perform(_ change: Change) throws(LogError) {
        switch change {
        case .append(let entries): try log.append(entries)
        case .truncate(let index): try log.truncateSuffix(from: index)
        case .discard(let index): try log.discardPrefix(through: index)
        case .reset(let index, let term): try log.reset(after: index, term: term)
        case .settle: try log.settle()
        }
        if case .discard(let index) = change { discarded = max(discarded, index) }
        expected = after(change)
    }

    private func after(_ change: Change) -> Contents {
        var contents = expected
        switch change {
        case .append(let entries): contents.entries += entries
        case .truncate(let index):
            contents.entries.removeLast(Int(contents.lastIndex + 1 - index))
        case .reset(let index, let term): contents = Contents(base: index, baseTerm: term)
        case .discard, .settle: break
        }
        return contents
    }

    /// The power goes at some call of the change, or right after it.
    private mutating func crash(during change: Change) throws {
        disk.cutPower(afterOperations: Int(chance(8)))
        var candidates: [Contents] = []
        do throws(LogError) {
            try perform(change)
            candidates = [expected]
        } catch {
            candidates = possible(after: change)
        }
        try reopenAfterCrash()
        try check(candidates: candidates)
    }

    /// What may be in the log when a change was cut short.
    private mutating func possible(after change: Change) -> [Contents] {
        var candidates = [expected]
        switch change {
        case .append(let entries):
            for count in 1...entries.count {
                candidates.append(after(.append(Array(entries.prefix(count)))))
            }
        case .discard(let index): discarded = max(discarded, index)
        case .truncate, .reset, .settle: candidates.append(after(change))
        }
        return candidates
    }

    /// A write or a sync fails; when that stops the log, the process starts again.
    private mutating func fail(during change: Change) throws {
        let countdown = Int(1 + chance(4))
        if chance(3) == 0 {
            disk.fail(.init(.syncData, at: countdown, errno: EIO))
        } else {
            let errno = chance(3) == 0 ? EIO : ENOSPC
            let part = Int(chance(4000))
            disk.fail(.init(.write, at: countdown, errno: errno, bytesWritten: part))
        }
        var candidates: [Contents] = []
        do throws(LogError) {
            try perform(change)
            candidates = [expected]
        } catch {
            candidates = [expected]
            if case .io = error { candidates = possible(after: change) }
        }
        disk.disarm()
        log = try open(on: wrap(disk))
        try check(candidates: candidates)
    }

    /// Opens what the crash left; at times the power goes again during that.
    private mutating func reopenAfterCrash() throws {
        while true {
            crashCount += 1
            let mode = SimulatedDisk.CrashMode.allCases[min(2, Int(chance(6)))]
            disk = disk.crash(mode, using: &generator)
            // The directory itself may be lost.
            let isLookedAt = crashCount % 4 == 0
            let look = isLookedAt ? try? LogInspection(of: logDirectory, on: disk) : nil
            if chance(4) == 0 { disk.cutPower(afterOperations: Int(chance(12))) }
            do throws(LogError) {
                log = try open(on: wrap(disk))
                if disk.isPowerOff { continue }
            } catch {
                guard disk.isPowerOff else { throw error }
                continue
            }
            disk.cutPower(afterOperations: .max)
            if isLookedAt { try compare(look, tornTail: log.recovery.tornTail) }
            return
        }
    }

    /// A look at the log sees what the log itself does.
    private func compare(
        _ look: LogInspection<SimulatedDisk>?,
        tornTail: LogRecovery.TornTail?
    ) throws {
        guard let look, !look.segments.isEmpty else {
            guard log.isEmpty else { throw Violation(description: "the look saw no log") }
            return
        }
        let seen = try all(look)
        guard look.fault == nil, look.tornTail == tornTail, try seen == all(log),
            look.firstIndex == log.firstIndex, look.lastIndex == log.lastIndex,
            look.lastTerm == log.lastTerm, look.segments.count == log.segmentCount
        else { throw Violation(description: "the look saw another log: \(look)") }
    }

    private mutating func fillUp(during change: Change) throws {
        disk.setCapacity(Int(chance(2)) * 40_000)
        defer { disk.setCapacity(1 << 30) }
        do throws(LogError) {
            try perform(change)
        } catch {
            guard case .noSpace = error else { throw error }
        }
    }

    /// Checks that the log is one of the candidates, which is what it is from now on.
    private mutating func check(candidates: [Contents]) throws {
        let found = try all(log)
        for candidate in candidates where candidate.lastIndex == log.lastIndex {
            let kept = candidate.entries.suffix(found.count)
            guard log.firstIndex > candidate.base, Array(kept) == found else { continue }
            guard log.lastTerm == candidate.lastTerm else { continue }
            let needed = max(candidate.base, min(discarded, candidate.lastIndex)) + 1
            guard log.firstIndex <= needed else {
                throw Violation(description: "entries from \(needed) on are gone")
            }
            expected = candidate
            return
        }
        throw Violation(
            description: "the log holds \(log.firstIndex)...\(log.lastIndex), "
                + "none of \(candidates.map(\.lastIndex)) byte for byte"
        )
    }
}

extension SplitMix64 {
    /// A number below `upperBound`, slightly uneven, the same on every version of the library.
    mutating func next(upperBound: UInt64) -> UInt64 { next() % upperBound }
}
