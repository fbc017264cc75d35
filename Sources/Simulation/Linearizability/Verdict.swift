// SPDX-License-Identifier: Apache-2.0

/// Whether some order explains a history.
package enum Verdict<Specification: SequentialSpecification>: Sendable {
    /// This order explains it. Operations of unknown outcome are in it where they took effect.
    case linearizable(order: [RecordedOperation<Specification>], stepCount: Int)
    case notLinearizable(Counterexample<Specification>, stepCount: Int)
    /// The budget was spent first. This is no success: count it, and give such a history more.
    case unknown(stepCount: Int)

    /// How many steps of the specification it took.
    package var stepCount: Int {
        switch self {
        case .linearizable(order: _, let stepCount): stepCount
        case .notLinearizable(_, let stepCount): stepCount
        case .unknown(let stepCount): stepCount
        }
    }
}

/// Why no order explains a history: how far the best one came, and what stopped it.
package struct Counterexample<Specification: SequentialSpecification>: Sendable {
    /// The longest order that explains what it contains, by the number of answered operations.
    package let prefix: [RecordedOperation<Specification>]
    /// What the key holds after it.
    package let state: Specification.State
    /// The answered operations one of which would have to be next, and none of which fits.
    package let misfits: [RecordedOperation<Specification>]
    /// The operations of unknown outcome that might be next, but lead nowhere either.
    package let open: [RecordedOperation<Specification>]
}

extension Counterexample: CustomStringConvertible {
    /// How much of a long prefix is told: what is wrong is most often at its end.
    private static var prefixLinesMax: Int { 20 }

    package var description: String {
        let hidden = max(0, prefix.count - Self.prefixLinesMax)
        var lines = ["no order explains this history; the longest that begins well:"]
        if hidden > 0 { lines.append("  ... \(hidden) before these") }
        lines += prefix.dropFirst(hidden).map { "  \($0)" }
        lines.append("after it the state is \(state), and none of these can be next:")
        lines += misfits.map { "  \($0)" }
        if !open.isEmpty {
            lines.append("nor does any of these help, whose outcome is unknown:")
            lines += open.map { "  \($0)" }
        }
        return lines.joined(separator: "\n")
    }
}
