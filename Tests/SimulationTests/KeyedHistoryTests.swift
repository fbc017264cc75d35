// SPDX-License-Identifier: Apache-2.0

import Simulation
import Testing

@Suite("histories of many keys")
struct KeyedHistoryTests {
    private typealias Keyed = KeyedHistory<String, SessionKey>

    private let checker = LinearizabilityChecker(SessionKey())

    @Test("a revocation of many is one operation on each of its keys")
    func bulk() {
        for (seen, violated) in [
            (SessionKey.Outcome.revoked, [String]()), (.live(2), ["b"]),
        ] {
            var keyed = Keyed()
            tell(&keyed, .create(1), ["a"], .done)
            tell(&keyed, .create(2), ["b"], .done)
            let call = keyed.call(.revokeAmongOthers, on: ["a", "b", "c"], at: 1)
            // Until it has returned, one may be gone while the other is there.
            tell(&keyed, .read, ["a"], .revoked)
            tell(&keyed, .read, ["b"], .live(2))
            keyed.return(call, .done, at: 2)
            tell(&keyed, .read, ["b"], seen)
            tell(&keyed, .create(3), ["c"], .done)
            let report = keyed.report(by: checker)
            #expect(report.violations.map(\.key) == violated)
            #expect(report.linearizableCount == 3 - violated.count)
            #expect(report.isLinearizable == violated.isEmpty)
            #expect(keyed.operationCount == 9)
        }
    }

    @Test("keys are reported in order, and a spent budget is no success")
    func undecided() {
        var keyed = Keyed()
        for key in ["c", "a", "b"] {
            tell(&keyed, .create(1), [key], .done)
            tell(&keyed, .read, [key], key == "b" ? .live(1) : .absent)
        }
        #expect(keyed.report(by: checker).violations.map(\.key) == ["a", "c"])
        let report = keyed.report(by: LinearizabilityChecker(SessionKey(), stepsMax: 1))
        #expect(report.undecided == ["a", "b", "c"])
        #expect(report.violations.isEmpty)
        #expect(report.linearizableCount == 0)
        #expect(!report.isLinearizable)
        #expect(report.stepCount == 3)
    }

    @Test("a withdrawn call has happened on none of its keys")
    func withdrawn() {
        var keyed = Keyed()
        let call = keyed.call(.put(1), on: ["a", "b"], at: 0)
        keyed.withdraw(call)
        tell(&keyed, .read, ["a"], .live(1))
        tell(&keyed, .read, ["b"], .absent)
        #expect(keyed.report(by: checker).violations.map(\.key) == ["a"])
        #expect(keyed.history(of: "b").operations.count == 1)
        #expect(keyed.history(of: "z").operations.isEmpty)
    }

    private func tell(
        _ keyed: inout Keyed,
        _ operation: SessionKey.Operation,
        _ keys: [String],
        _ outcome: SessionKey.Outcome
    ) {
        let call = keyed.call(operation, on: keys, at: 0)
        keyed.return(call, outcome, at: 0)
    }
}
