// SPDX-License-Identifier: Apache-2.0

import Replica
import Synchronization

/// Whether what the mounts show is fresh enough to be shown (G2).
///
/// A node on its own always is: nothing is acknowledged anywhere else.
extension SharedState {
    /// The state with this index is fresh as of a moment; on the replica thread.
    func offerFreshness(_ moment: UInt64, at index: UInt64) {
        ledger.withLock { ledger in
            ledger.offer(freshAsOf: moment, at: index)
            // Within the lock: of two threads the later one must not store the older moment.
            vouched.store(ledger.freshAsOf, ordering: .releasing)
        }
    }

    /// The mounts show nothing any more of before this entry; on the reply thread.
    func noteForgotten(_ index: UInt64) {
        ledger.withLock { ledger in
            ledger.forget(through: index)
            vouched.store(ledger.freshAsOf, ordering: .releasing)
        }
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
        return StalenessGate.isFresh(asOf: freshAsOf, now: now, within: stalenessMaxNanoseconds)
    }
}
