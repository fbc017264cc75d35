// SPDX-License-Identifier: Apache-2.0

import Testing

/// One place that breaks one rule, printed as compilers do.
struct Violation: Equatable, CustomStringConvertible {
    var path: String
    /// Counts from 1.
    var line: Int
    var message: String

    var description: String { "\(path):\(line): \(message)" }
}

/// Records each violation as an issue of the running test.
func expectNone(_ violations: [Violation], sourceLocation: SourceLocation = #_sourceLocation) {
    for violation in violations {
        Issue.record("\(violation)", sourceLocation: sourceLocation)
    }
}
