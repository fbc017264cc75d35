// SPDX-License-Identifier: Apache-2.0

/// A number of time's passing: at most one leader in each (thesis section 3.3).
package typealias Term = UInt64

/// A place in the log; the first entry is at 1, and 0 is the place before it.
package typealias LogIndex = UInt64

/// Who a member is, for ever: a member that lost its disk comes back under another number.
package struct MemberID: Hashable, Comparable, Sendable {
    /// The number the operator gave.
    package let rawValue: UInt64

    /// Wraps a number that no other member ever had.
    package init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    package static func < (left: MemberID, right: MemberID) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension MemberID: CustomStringConvertible {
    package var description: String { String(rawValue) }
}

/// One entry of the replicated log.
package struct Entry: Equatable, Sendable {
    /// What an entry says.
    package enum Content: Equatable, Sendable {
        /// Nothing: a leader's first entry, which commits those of the terms before.
        case empty
        /// A command of the state machine; opaque here.
        case payload([UInt8])
        /// Who is in the group from this entry on (thesis section 4.1).
        case configuration(Configuration)
    }

    /// The term of the leader that made it.
    package var term: Term
    /// Its place in the log.
    package var index: LogIndex
    package var content: Content

    /// Joins a place and what is said there.
    package init(term: Term, index: LogIndex, content: Content) {
        self.term = term
        self.index = index
        self.content = content
    }

    /// What the entry counts for in batches and windows: its payload and a fixed part for the rest.
    package var sizeBytes: Int {
        switch content {
        case .empty: Self.overheadBytes
        case .payload(let payload): payload.count + Self.overheadBytes
        case .configuration(let configuration):
            8 * (configuration.voters.count + configuration.learners.count) + Self.overheadBytes
        }
    }

    /// So that an endless number of empty entries does not fit into a bound on bytes.
    private static let overheadBytes = 24

    var position: LogPosition { LogPosition(index: index, term: term) }
}

/// A place in a log together with the term found there.
///
/// "Raft determines which of two logs is more up-to-date by comparing the index and term of the
/// last entries in the logs" (thesis section 3.6.1): terms first, then indexes.
package struct LogPosition: Equatable, Comparable, Sendable {
    package var index: LogIndex
    package var term: Term

    /// Joins an index and the term of its entry.
    package init(index: LogIndex, term: Term) {
        self.index = index
        self.term = term
    }

    package static func < (left: LogPosition, right: LogPosition) -> Bool {
        (left.term, left.index) < (right.term, right.index)
    }
}

/// What a snapshot stands for: the state after the entry at `position`, and who was in the group.
///
/// The bytes of the state are the owner's; the core sees only this.
package struct Snapshot: Equatable, Sendable {
    package var position: LogPosition
    /// The configuration in effect at `position` (thesis section 5.1).
    package var configuration: Configuration

    /// Describes the state after the entry at `position`.
    package init(position: LogPosition, configuration: Configuration) {
        self.position = position
        self.configuration = configuration
    }

    /// Before the first entry: what a new group begins with.
    package init(bootstrapping configuration: Configuration) {
        self.init(position: LogPosition(index: 0, term: 0), configuration: configuration)
    }
}
