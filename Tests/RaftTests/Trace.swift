// SPDX-License-Identifier: Apache-2.0

import Raft
import Simulation

/// What happens at the borders of all members, held against the reference model.
struct Trace {
    private var model: ReferenceModel
    /// The first one; what comes after it proves nothing.
    private(set) var rejection: Rejection?

    init(_ options: Options) {
        model = ReferenceModel(
            electionTimeoutNanoseconds: options.electionTimeoutNanoseconds
        )
    }

    mutating func note(_ event: TraceEvent) {
        guard rejection == nil else { return }
        do throws(Rejection) {
            try model.accept(event)
        } catch {
            rejection = error
        }
    }

    func check() throws(Violation) {
        if let rejection { throw Violation("the reference model rejects \(rejection)") }
    }
}
