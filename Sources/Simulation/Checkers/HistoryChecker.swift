// SPDX-License-Identifier: Apache-2.0

import Identity
import Store

/// One history: it keeps its name, and its time never runs backwards.
struct HistoryChecker {
    private var name: UInt64?
    /// The last change that each run of a node has told of.
    private var last: [Int: Change] = [:]

    /// A history that has a name keeps it, on every node.
    mutating func note(_ metadata: StoreMetadata) throws(Violation) {
        guard metadata.serverVersion != 0 else { return }
        guard metadata.serverVersion == name ?? metadata.serverVersion else {
            throw Violation("the history has two names")
        }
        name = metadata.serverVersion
    }

    /// Changes come in their order and in the order of their times.
    mutating func note(_ changes: [Change], on node: Int) throws(Violation) {
        for change in changes {
            if let before = last[node] {
                guard change.version > before.version else {
                    throw Violation("node \(node + 1) tells of change \(change.version) again")
                }
                guard change.at >= before.at else {
                    throw Violation("time runs backwards with change \(change.version)")
                }
            }
            last[node] = change
        }
    }

    /// What a crash has taken of a state is told of again.
    mutating func restarted(_ node: Int) { last[node] = nil }
}
