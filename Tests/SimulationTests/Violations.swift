// SPDX-License-Identifier: Apache-2.0

@testable import Simulation

/// What a checker says; nil when nothing is wrong.
func violation(_ body: () throws(Violation) -> Void) -> String? {
    do throws(Violation) {
        try body()
        return nil
    } catch {
        return error.description
    }
}
