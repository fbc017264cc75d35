// SPDX-License-Identifier: Apache-2.0

package import Identity
import Raft

extension LocalNode {
    /// This node as a member; without an address where the group has not said one.
    package var ownMember: GroupMember {
        let number = configuration.member.rawValue
        return group.first { $0.id == number }
            ?? GroupMember(id: number, name: configuration.name, address: "")
    }

    /// Who is in the group now, voters and learners; ``group`` also knows who is about to be.
    package var membersNow: [GroupMember] { shared.standing.membersNow }
}
