// SPDX-License-Identifier: Apache-2.0

import Raft

/// A member starts again with what it had on its disk (thesis section 3.8): no vote is forgotten,
/// no entry lost, and none that was taken back is there again.
struct DurabilityChecker {
    /// What a member was told to be durable.
    private struct Promise {
        var hardState = HardState(term: 0, vote: nil)
        var last = LogPosition(index: 0, term: 0)
        /// A crash has cut a write short: the end of the log is any part of what that would do.
        var isUnsure = false
    }

    private var promises: [MemberID: Promise] = [:]

    /// A write is durable, perhaps with term and vote; it ends the log at `last`.
    mutating func note(_ hardState: HardState?, by id: MemberID, last: LogPosition) {
        var promise = promises[id] ?? Promise()
        promise.hardState = hardState ?? promise.hardState
        promise.last = last
        promise.isUnsure = false
        promises[id] = promise
    }

    /// Term and vote that a member was told to be durable.
    func hardState(of id: MemberID) -> HardState? { promises[id]?.hardState }

    /// A crash may have come in the middle of a write.
    mutating func noteCut(of id: MemberID) { promises[id, default: Promise()].isUnsure = true }

    /// What a member finds at its start.
    func noteStart(_ id: MemberID, _ found: Recovery) throws(Violation) {
        guard let promise = promises[id] else { return }
        let (promised, hardState) = (promise.hardState, found.hardState)
        guard hardState.term >= promised.term else {
            throw Violation("\(id) was in term \(promised.term) and starts in \(hardState.term)")
        }
        if hardState.term == promised.term, promised.vote != nil, hardState.vote != promised.vote {
            throw Violation("\(id) has forgotten its vote in term \(promised.term)")
        }
        guard !promise.isUnsure else { return }
        let last = found.entries.last.map { LogPosition(index: $0.index, term: $0.term) }
        guard last ?? found.snapshot.position == promise.last else {
            throw Violation("\(id) had a log up to \(promise.last) and starts with another one")
        }
    }
}
