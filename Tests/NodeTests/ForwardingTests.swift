// SPDX-License-Identifier: Apache-2.0

import Identity
import Replica
import Testing

@testable import Node

/// What is said of a request that was passed on.
@Suite("requests passed on") struct ForwardingTests {
    @Test("an unknown outcome stays unknown, unless the state machine itself has answered")
    func unknown() {
        let refusal = ProposalError.refused(.notFound(id: "s1"))
        #expect(refusal.told(isUncertain: true) == refusal)
        for error in [ProposalError.noSpace, .busy, .stopped, .io("broken")] {
            #expect(error.told(isUncertain: true) == .timedOut)
            #expect(error.told(isUncertain: false) == error)
        }
    }
}
