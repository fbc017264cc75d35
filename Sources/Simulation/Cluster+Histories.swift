// SPDX-License-Identifier: Apache-2.0

import Identity
import Replica

/// What the clients saw, held against what one session at a time can do.
extension Cluster {
    mutating func checkHistories() throws {
        let checker = LinearizabilityChecker(SessionKey(), stepsMax: 200_000)
        let report = clients.history.report(by: checker)
        if let violation = report.violations.first {
            throw Violation("s\(violation.key): \(violation.counterexample)")
        }
        for _ in report.undecided { statistics.note("history undecided") }
        statistics.operations = report.linearizableCount
    }
}
