// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Whether what the mounts show is fresh enough to be shown (G2).
///
/// A node on its own always is: nothing is acknowledged anywhere else.
extension SharedState {
    /// The state with this index is fresh as of a moment; on the replica thread.
    func offerFreshness(_ moment: UInt64, at index: UInt64) {
        let newest = ledger.withLock { ledger in
            ledger.offer(freshAsOf: moment, at: index)
            return ledger.freshAsOf
        }
        vouched.store(newest, ordering: .releasing)
    }

    /// The mounts show nothing any more of before this entry; on the reply thread.
    func noteForgotten(_ index: UInt64) {
        let newest = ledger.withLock { ledger in
            ledger.forget(through: index)
            return ledger.freshAsOf
        }
        vouched.store(newest, ordering: .releasing)
        forgotten.noteForgotten(index)
    }

    /// The newest moment before which everything acknowledged is visible here; 0: unknown.
    var freshAsOf: UInt64 { vouched.load(ordering: .acquiring) }

    /// How old what is shown may be at most, nanoseconds; 0 on a node on its own.
    func ageNanoseconds(now: UInt64) -> UInt64 {
        guard isInGroup else { return 0 }
        let moment = freshAsOf
        return now > moment ? now - moment : 0
    }

    /// Whether a mount may show anything.
    func mayShow(now: UInt64) -> Bool {
        guard isInGroup else { return true }
        let moment = freshAsOf
        return moment > 0 && moment + stalenessMaxNanoseconds > now
    }
}
