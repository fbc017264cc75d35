// SPDX-License-Identifier: Apache-2.0

/// What a member must never forget beside its log (Raft thesis figure 3.1), and which disk it is.
package struct MemberState: Equatable, Sendable {
    /// This member's number in the group.
    package var member: UInt64
    /// Drawn once when the file is made; names this disk's life.
    package var incarnation: UInt64
    package var term: UInt64
    /// Whom it voted for in `term`.
    package var vote: UInt64?
    /// A snapshot whose installation has begun and is not known to be over.
    package var installing: SnapshotMark?
    /// Whether a leader has shown that this disk lost what it had acknowledged; once, for ever.
    package var isDoubted = false

    /// Which snapshot: the index and the term of the last entry it replaces.
    package struct SnapshotMark: Equatable, Sendable {
        package var index: UInt64
        package var term: UInt64

        /// The snapshot through `index`.
        package init(index: UInt64, term: UInt64) {
            self.index = index
            self.term = term
        }
    }

    /// A member that has seen no term yet, unless told otherwise.
    package init(
        member: UInt64,
        incarnation: UInt64,
        term: UInt64 = 0,
        vote: UInt64? = nil,
        installing: SnapshotMark? = nil
    ) {
        self.member = member
        self.incarnation = incarnation
        self.term = term
        self.vote = vote
        self.installing = installing
    }

    /// What would be forgotten if this came after `older`; nil when nothing.
    func fault(after older: MemberState) -> String? {
        guard member == older.member, incarnation == older.incarnation else {
            return "two members, or two lives of one"
        }
        guard isDoubted || !older.isDoubted else { return "the doubt is forgotten" }
        guard term >= older.term else { return "the term goes back" }
        guard term > older.term || older.vote == nil || vote == older.vote else {
            return "two votes in one term"
        }
        return nil
    }
}
