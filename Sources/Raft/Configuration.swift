// SPDX-License-Identifier: Apache-2.0

/// Who is in the group, and the arithmetic of majorities (thesis sections 3.2 and 4).
///
/// A learner is sent everything and counts for nothing ("non-voting server", section 4.2.1).
/// INVARIANT: both lists are in ascending order, without repetition, and share no member.
package struct Configuration: Equatable, Sendable {
    /// Those whose votes and copies count.
    package private(set) var voters: [MemberID]
    /// Those who only receive.
    package private(set) var learners: [MemberID]

    /// A group of these members; a member named in both lists is a voter.
    package init(voters: [MemberID], learners: [MemberID] = []) {
        self.voters = Self.ordered(voters)
        self.learners = Self.ordered(learners.filter { !voters.contains($0) })
    }

    /// How many voters are a majority; 1 in a group of one.
    package var quorumSize: Int { voters.count / 2 + 1 }

    /// Voters and learners in ascending order.
    package var members: [MemberID] { Self.ordered(voters + learners) }

    /// Whether the member's votes and copies count.
    package func isVoter(_ id: MemberID) -> Bool { voters.contains(id) }

    /// Whether the member is in the group at all.
    package func contains(_ id: MemberID) -> Bool { voters.contains(id) || learners.contains(id) }

    /// The largest value that a majority of the voters has reached; 0 without voters.
    func quorumValue(_ value: (MemberID) -> UInt64) -> UInt64 {
        guard voters.count != 1 else { return value(voters[0]) }
        guard !voters.isEmpty else { return 0 }
        return voters.map(value).sorted(by: >)[quorumSize - 1]
    }

    /// Whether these are a majority; those who are no voters do not count.
    func isQuorum(_ members: [MemberID]) -> Bool {
        !voters.isEmpty && voters.count(where: members.contains) >= quorumSize
    }

    /// Whether a majority is out of reach for whoever these refused.
    func isHopeless(refusals: [MemberID]) -> Bool {
        voters.count - voters.count(where: refusals.contains) < quorumSize
    }

    private static func ordered(_ members: [MemberID]) -> [MemberID] {
        var result: [MemberID] = []
        for id in members.sorted() where result.last != id { result.append(id) }
        return result
    }
}

/// A change of the group by one member at a time.
///
/// "It suffices to allow only one server to be added or removed at a time: any majority of the old
/// configuration overlaps with any majority of the new one" (thesis section 4.1, shortened). A
/// voter is always added by promotion of a learner, after it has caught up.
package enum MembershipChange: Equatable, Sendable {
    case addLearner(MemberID)
    /// Makes a learner that has caught up a voter.
    case promote(MemberID)
    /// Removes a voter or a learner; the leader too.
    case remove(MemberID)
}

/// Why a change of the group is refused.
package enum MembershipError: Error, Equatable, Sendable {
    /// An earlier change is not committed yet.
    case changeInFlight
    /// The leader has not committed an entry of its own term yet (thesis section 4.1, as corrected
    /// by its author in 2015: without this two configurations could both decide).
    case leaderNotReady
    case alreadyMember(MemberID)
    case notMember(MemberID)
    case notLearner(MemberID)
    /// Its log is too far behind the leader's; try again later.
    case notCaughtUp(MemberID)
    /// Nobody would be left to decide.
    case lastVoter
    /// Too few voters of the new group have been heard of lately.
    case quorumUnreachable
}

extension Configuration {
    /// The group after one change.
    func applying(_ change: MembershipChange) throws(MembershipError) -> Configuration {
        switch change {
        case .addLearner(let id):
            guard !contains(id) else { throw .alreadyMember(id) }
            return Configuration(voters: voters, learners: learners + [id])
        case .promote(let id):
            guard contains(id) else { throw .notMember(id) }
            guard learners.contains(id) else { throw .notLearner(id) }
            return Configuration(voters: voters + [id], learners: learners)
        case .remove(let id):
            guard contains(id) else { throw .notMember(id) }
            guard voters != [id] else { throw .lastVoter }
            return Configuration(
                voters: voters.filter { $0 != id },
                learners: learners.filter { $0 != id }
            )
        }
    }
}

/// The configurations of the log: each is in effect from its entry on, committed or not.
///
/// "A server always uses the latest configuration in its log, regardless of whether the entry is
/// committed" (thesis section 4.1, shortened); so truncation brings the one before back.
struct ConfigurationHistory: Equatable, Sendable {
    private struct Row: Equatable {
        var index: LogIndex
        var configuration: Configuration
    }

    /// INVARIANT: never empty; indexes ascend; the first is that of the snapshot below the log.
    private var rows: [Row]

    init(_ snapshot: Snapshot) {
        rows = [Row(index: snapshot.position.index, configuration: snapshot.configuration)]
    }

    var latest: Configuration { rows[rows.count - 1].configuration }
    /// Where the latest was appended.
    var latestIndex: LogIndex { rows[rows.count - 1].index }

    /// Whether the member is a voter, or was one before changes that are not known as committed:
    /// more than one, because a restart forgets how far the commit index had come.
    ///
    /// "A server that is not part of its own latest configuration should still start new elections,
    /// as it might still be needed until the new configuration is committed" (section 4.2.2).
    func isNeeded(_ id: MemberID, committed: LogIndex) -> Bool {
        let known = rows.lastIndex { $0.index <= committed } ?? 0
        return rows[known...].contains { $0.configuration.isVoter(id) }
    }

    /// What was in effect at an index that is not compacted.
    func configuration(at index: LogIndex) -> Configuration {
        (rows.last { $0.index <= index } ?? rows[0]).configuration
    }

    /// Whether all of them name this member as the only voter.
    func isSoleVoterThroughout(_ id: MemberID) -> Bool {
        rows.allSatisfy { $0.configuration.voters == [id] }
    }

    mutating func adopt(_ entries: [Entry]) {
        for entry in entries {
            guard case .configuration(let configuration) = entry.content else { continue }
            rows.append(Row(index: entry.index, configuration: configuration))
        }
    }

    mutating func truncate(from index: LogIndex) {
        while rows.count > 1, rows[rows.count - 1].index >= index { rows.removeLast() }
    }

    mutating func compact(through index: LogIndex) {
        while rows.count > 1, rows[1].index <= index { rows.removeFirst() }
    }
}
