// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Raft

/// Where a member stands in its group, as the replica thread last said.
struct Standing: Equatable, Sendable {
    var member = MemberID(0)
    var role = Role.follower
    var leader: MemberID?
    var term: UInt64 = 0
    var applied: UInt64 = 0
    var committed: UInt64 = 0
    /// The node leads, knows its history and has a lease; until when is in `writableUntil`.
    var isWritable = false
    /// The end of the lease by the own clock; nil: it needs nobody else for it.
    var writableUntil: UInt64?
    var voters: [MemberID] = []
    var learners: [MemberID] = []
    /// In the order of their numbers.
    var members: [GroupMember] = []
    /// The number of the next member that is added.
    var nextMemberID: UInt64 = 0

    /// Looks at the clock as well: a lease ends by itself.
    func isWritable(now: UInt64) -> Bool {
        guard isWritable else { return false }
        return writableUntil.map { now < $0 } ?? true
    }

    /// Whether `cluster/` shows the same, its counters apart.
    func looksLike(_ other: Standing) -> Bool {
        var this = self
        this.applied = other.applied
        this.committed = other.committed
        this.writableUntil = other.writableUntil
        return this == other
    }

    /// Those of the members that the group counts as such.
    var membersNow: [GroupMember] {
        members.filter { member in
            let id = MemberID(member.id)
            return voters.contains(id) || learners.contains(id)
        }
    }

    /// A member's name; its number where nobody has said one.
    func name(of id: MemberID) -> String {
        members.first { $0.id == id.rawValue }?.name ?? "\(id)"
    }

    /// What `cluster/` shows.
    func cluster(of name: String, state: String, peers: [UInt64: PeerStanding]) -> ClusterState {
        let nodes = (voters + learners).map { id in
            let isSelf = id == member
            let peer = peers[id.rawValue]
            return ClusterNode(
                name: isSelf ? name : self.name(of: id),
                address: members.first { $0.id == id.rawValue }?.address ?? "",
                role: roleName(of: id),
                state: isSelf ? state : peer?.state ?? "unknown",
                applied: isSelf ? applied : peer?.applied ?? 0
            )
        }
        return ClusterState(
            role: ownRoleName,
            leader: leader.map { $0 == member ? name : self.name(of: $0) } ?? "",
            term: term,
            writable: isWritable,
            applied: applied,
            committed: committed,
            lagMilliseconds: 0,
            nodes: nodes.sorted {
                Array($0.name.utf8).lexicographicallyPrecedes(Array($1.name.utf8))
            }
        )
    }

    private func roleName(of id: MemberID) -> String {
        if id == leader { return "leader" }
        return learners.contains(id) ? "learner" : "follower"
    }

    private var ownRoleName: String {
        switch role {
        case .leader: "leader"
        case .preCandidate, .candidate: "candidate"
        case .follower, .stopped: learners.contains(member) ? "learner" : "follower"
        }
    }
}

/// What another member said of itself, and when it was last heard.
struct PeerStanding: Equatable, Sendable {
    var applied: UInt64
    var isReachable: Bool

    var state: String { isReachable ? "ok" : "unreachable" }
}
