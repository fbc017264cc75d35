// SPDX-License-Identifier: Apache-2.0

import Log

/// A member file through writes and losses of power, compared with what it acknowledged.
///
/// INVARIANT: everything follows from the seed.
struct MemberFileModel<D: Disk> {
    /// What was promised and then not kept.
    struct Violation: Error, CustomStringConvertible {
        var description: String
    }

    let wrap: (SimulatedDisk) -> D
    private var generator: SplitMix64
    private var disk = SimulatedDisk()
    /// What was acknowledged or shown last; nil while there may be no file.
    private var known: MemberState?

    init(seed: UInt64, wrap: @escaping (SimulatedDisk) -> D) {
        self.wrap = wrap
        generator = SplitMix64(seed: seed)
    }

    /// Makes the file, writes to it and opens it; the power goes at any call of each.
    mutating func run(steps: Int) throws {
        for _ in 0..<steps {
            let cut = Int(generator.next(upperBound: 14))
            disk.cutPower(afterOperations: cut)
            var candidates = [known]
            do {
                var file = try opened(&candidates)
                try check(file.state, candidates)
                candidates = [file.state]
                while !disk.isPowerOff {
                    let next = next(after: file.state)
                    candidates.append(next)
                    try file.write(next)
                    candidates = [next]
                }
            } catch is LogError where disk.isPowerOff {
                // Which of the candidates is there is for the next opening to say.
            }
            try lookAfterCrash(candidates)
        }
    }

    private func opened(
        _ candidates: inout [MemberState?]
    ) throws(LogError) -> MemberFile<D> {
        if let file = try MemberFile.open(in: logDirectory, on: wrap(disk)) { return file }
        let first = MemberState(member: 7, incarnation: 70)
        candidates.append(first)
        return try MemberFile.create(in: logDirectory, on: wrap(disk), first)
    }

    private mutating func next(after state: MemberState) -> MemberState {
        var next = state
        if state.vote != nil || generator.next(upperBound: 3) == 0 {
            next.term += 1 + generator.next(upperBound: 3)
            next.vote = nil
        }
        if generator.next(upperBound: 2) == 0, next.vote == nil {
            next.vote = generator.next(upperBound: 3)
        }
        next.installing =
            generator.next(upperBound: 3) == 0 ? .init(index: next.term, term: 1) : nil
        if !next.isDoubted { next.isDoubted = generator.next(upperBound: 12) == 0 }
        return next
    }

    /// What the loss of power left is one of the candidates, and what an opening shows lasts.
    private mutating func lookAfterCrash(_ candidates: [MemberState?]) throws {
        let mode = SimulatedDisk.CrashMode.allCases[Int(generator.next(upperBound: 3))]
        disk = disk.crash(mode, using: &generator)
        let shown = try MemberFile.open(in: logDirectory, on: wrap(disk))?.state
        try check(shown, candidates)
        known = shown
        disk = disk.crash(.losesAll, using: &generator)
        let again = try MemberFile.open(in: logDirectory, on: wrap(disk))?.state
        try check(again, [shown])
    }

    private func check(_ found: MemberState?, _ candidates: [MemberState?]) throws {
        guard !candidates.contains(found) else { return }
        throw Violation(description: "\(String(describing: found)) is none of \(candidates)")
    }
}
