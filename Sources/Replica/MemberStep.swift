// SPDX-License-Identifier: Apache-2.0

package import Raft

/// One step of the Raft member inside a replica, for whoever checks it from outside.
package struct MemberStep: Sendable {
    /// The member's clock, nanoseconds.
    package var at: UInt64
    package var input: Input
    package var effects: [Effect]
    package var role: Role
    package var term: Term
    package var commitIndex: LogIndex
    package var appliedIndex: LogIndex
    package var last: LogPosition
    package var configuration: Configuration

    /// What went in and came out, and how the member looks now.
    init(at: UInt64, _ input: Input, _ effects: [Effect], _ member: Member) {
        self.at = at
        self.input = input
        self.effects = effects
        role = member.role
        term = member.term
        commitIndex = member.commitIndex
        appliedIndex = member.appliedIndex
        last = member.lastPosition
        configuration = member.configuration
    }
}
