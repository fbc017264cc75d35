// SPDX-License-Identifier: Apache-2.0

package import Identity

/// Where the history stands; one row, written with every command, and one of the group's members,
/// written when it changes.
package struct StoreMetadata: Equatable, Sendable {
    /// Names this history; changes only when it begins anew.
    package var serverVersion: UInt64 = 0
    /// The version of the newest change.
    package var recordVersion: UInt64 = 0
    package var appliedIndex: UInt64 = 0
    package var appliedTerm: UInt64 = 0
    /// The highest object number given.
    package var lastNumber: UInt64 = 0
    /// The oldest change still in the change log.
    package var earliestChange: UInt64 = 1
    /// The time of the newest applied command.
    package var lastAppliedAt = Timestamp.epoch
    /// Whether any type ever had options; without, a put need not look for them.
    package var hasOptions = false
    /// The newest changes of the group that are applied, oldest first.
    package var configurations: [GroupConfiguration] = []

    /// The outcomes that are remembered by their origins, oldest first.
    var origins = Ring()
    /// The receipts of revocations that are kept, oldest first, and when one last came or went.
    var revocations = Ring()
    var revocationsModifiedAt = Timestamp.epoch
    /// What the entry behind the applied index has revoked already, in its steps so far; 0 where
    /// none is in steps.
    package internal(set) var stepCount: UInt64 = 0

    /// Names the cluster; empty for a node of its own, and for directories made before clusters.
    package var clusterID = ""
    /// What is known of the members, by their ids, ascending: who is in the group or about to be.
    ///
    /// A member may be in the group and not here.
    package internal(set) var members: [GroupMember] = []
    /// The highest id that any member ever had.
    package internal(set) var lastMemberID: UInt64 = 0

    /// An id that no member ever had.
    package var nextMemberID: UInt64 { lastMemberID + 1 }

    /// Where the history begins.
    package init() {}
}

/// The ordinals of rows of which the oldest go first.
struct Ring: Equatable, Sendable {
    /// The oldest; `end` where there is none.
    var first: UInt64 = 0
    /// What the next one gets.
    var end: UInt64 = 0

    var count: UInt64 { end - first }
}
