// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Simulation
import Synchronization

/// A world whose promise was broken, and how to see it again.
struct Failure: Sendable {
    var seed: UInt64
    var profile: Profile
    var violation: String

    /// The shortest plan that still fails, in words.
    func shrunk(runsMax: Int) -> String {
        let plan = Plan(WorldOptions(profile, seed: seed), seed: seed)
        let shrunk = Shrinker(runsMax: runsMax).shrink(plan.items) { items in
            Campaign.violation(seed, profile, Plan(items)) != nil
        }
        guard let shrunk else { return "the failure does not come again" }
        let what = Campaign.violation(seed, profile, Plan(shrunk.items)) ?? ""
        let lines = shrunk.items.map { "  \($0.at / 1000) µs  \($0.step)" }
        let kind = shrunk.isMinimal ? "none of which can go" : "after \(shrunk.runCount) runs"
        return "\(shrunk.items.count) of \(plan.items.count) steps are enough, \(kind):\n"
            + lines.joined(separator: "\n") + "\n\(what)"
    }
}

/// Many worlds, several at a time.
struct Campaign {
    var first: UInt64
    var runs: UInt64
    var profile: @Sendable (UInt64) -> Profile
    var jobs: Int
    var seconds: Int
    /// More failing worlds than this tell nothing new.
    var failuresMax: Int

    struct Outcome {
        var statistics = Statistics()
        var failures: [Failure] = []
        var seconds = 0.0
    }

    private struct Progress {
        var next: UInt64
        var statistics = Statistics()
        var failures: [Failure] = []
    }

    func run() -> Outcome {
        let begin = DispatchTime.now()
        let progress = Mutex(Progress(next: first))
        let (end, deadline) = (first &+ runs, begin + .seconds(seconds))
        let profile = profile
        let isTimed = seconds > 0
        Traps.install()
        DispatchQueue.concurrentPerform(iterations: max(1, jobs)) { job in
            while let seed = take(progress, end) {
                if isTimed, DispatchTime.now() > deadline { return }
                Traps.note(seed, job: job)
                Self.run(seed, profile(seed), progress)
            }
        }
        let nanoseconds = DispatchTime.now().uptimeNanoseconds - begin.uptimeNanoseconds
        return progress.withLock {
            Outcome(
                statistics: $0.statistics,
                failures: $0.failures,
                seconds: Double(nanoseconds) / 1e9
            )
        }
    }

    private func take(_ progress: borrowing Mutex<Progress>, _ end: UInt64) -> UInt64? {
        progress.withLock { progress in
            guard progress.next != end, progress.failures.count < failuresMax else { return nil }
            defer { progress.next += 1 }
            return progress.next
        }
    }

    private static func run(
        _ seed: UInt64,
        _ profile: Profile,
        _ progress: borrowing Mutex<Progress>
    ) {
        var statistics = Statistics()
        let violation = violation(seed, profile, nil, &statistics)
        progress.withLock { progress in
            progress.statistics.add(statistics)
            guard let violation else { return }
            progress.failures.append(
                Failure(seed: seed, profile: profile, violation: violation)
            )
        }
    }

    /// What goes wrong in a world; nil when every promise holds.
    static func violation(_ seed: UInt64, _ profile: Profile, _ plan: Plan?) -> String? {
        var statistics = Statistics()
        return violation(seed, profile, plan, &statistics)
    }

    private static func violation(
        _ seed: UInt64,
        _ profile: Profile,
        _ plan: Plan?,
        _ statistics: inout Statistics
    ) -> String? {
        do {
            var cluster = try Cluster(seed: seed, profile: profile, plan: plan)
            defer { statistics = cluster.statistics }
            try cluster.run()
            return nil
        } catch {
            return "\(error)"
        }
    }
}
