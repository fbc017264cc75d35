// SPDX-License-Identifier: Apache-2.0

/// What happened in one run or many: so that nobody takes a quiet world for a safe one.
package struct Statistics: Sendable {
    package var schedules = 0
    package var events = 0
    package var messages = 0
    package var nanoseconds: UInt64 = 0
    package var leaders = 0
    package var revocations = 0
    package var operations = 0
    package var unknownOutcomes = 0
    /// Faults and other things by their names.
    package var counts: [String: Int] = [:]
    /// Hashes of how the group stood whenever somebody's role changed.
    package var states: Set<UInt64> = []

    /// Nothing happened yet.
    package init() {}

    mutating func note(_ what: String) { counts[what, default: 0] += 1 }

    /// Adds what happened in another run.
    package mutating func add(_ other: Statistics) {
        schedules += other.schedules
        events += other.events
        messages += other.messages
        nanoseconds += other.nanoseconds
        leaders += other.leaders
        revocations += other.revocations
        operations += other.operations
        unknownOutcomes += other.unknownOutcomes
        for (name, count) in other.counts { counts[name, default: 0] += count }
        states.formUnion(other.states)
    }
}

extension Statistics {
    /// What happened, for people; `seconds` is what it took.
    package func report(seconds: Double) -> String {
        let simulated = Double(nanoseconds) / 1e9
        let minutes = max(seconds, 0.001) / 60
        var lines = [
            "\(schedules) schedules, \(Int(simulated)) simulated seconds, \(events) events, "
                + "\(messages) messages, in \(Int(seconds)) s "
                + "(\(Int(Double(schedules) / minutes)) schedules a minute)",
            "\(leaders) leaders, \(revocations) revocations acknowledged, "
                + "\(operations) session histories, \(states.count) distinct states",
        ]
        for name in counts.keys.sorted() { lines.append("  \(counts[name] ?? 0)  \(name)") }
        return lines.joined(separator: "\n")
    }
}
