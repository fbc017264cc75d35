// SPDX-License-Identifier: Apache-2.0

import Raft
import Replica

/// Trace validation: every step of every Raft member is held against the reference model.
extension Cluster {
    /// What the member of a node has done since the last look.
    mutating func takeJournal(_ node: Int) throws {
        guard let steps = nodes[node].replica.journal, !steps.isEmpty else { return }
        nodes[node].replica.journal?.removeAll(keepingCapacity: true)
        let id = nodes[node].id
        for step in steps {
            for case .apply(let entries) in step.effects {
                try raft.noteCommitted(entries, by: id, in: step.term)
            }
            let seen = Observation(
                role: step.role,
                term: step.term,
                commitIndex: step.commitIndex,
                appliedIndex: step.appliedIndex,
                last: step.last,
                configuration: step.configuration
            )
            try trace(.stepped(id, at: step.at, step.input, step.effects, seen))
        }
    }

    mutating func traceStart(_ node: Int) throws {
        let now = nodes[node].clock.monotonic(at: time)
        try trace(.started(nodes[node].id, at: now, nodes[node].recovery))
    }

    mutating func trace(_ event: TraceEvent) throws {
        do throws(Rejection) {
            try reference.accept(event)
        } catch {
            throw Violation("the reference model rejects \(error)")
        }
    }
}
