// SPDX-License-Identifier: Apache-2.0

package import Raft

/// What somebody who stands at the border of one member sees, one event at a time.
package enum TraceEvent: Equatable, Sendable {
    /// The member begins, with what its owner found on the disk; the clock is its own.
    case started(MemberID, at: UInt64, Recovery)
    /// One input, its effects in their order, and how the member looks from outside afterwards.
    case stepped(MemberID, at: UInt64, Input, [Effect], Observation)
    /// The memory of the member is gone, and any suffix of the writes under way with it.
    case crashed(MemberID)
}

/// How a member looks from outside after a step.
package struct Observation: Equatable, Sendable {
    package var role: Role
    package var term: Term
    package var commitIndex: LogIndex
    package var appliedIndex: LogIndex
    package var last: LogPosition
    package var configuration: Configuration

    /// Joins what can be seen.
    package init(
        role: Role,
        term: Term,
        commitIndex: LogIndex,
        appliedIndex: LogIndex,
        last: LogPosition,
        configuration: Configuration
    ) {
        self.role = role
        self.term = term
        self.commitIndex = commitIndex
        self.appliedIndex = appliedIndex
        self.last = last
        self.configuration = configuration
    }

    /// Looks at a member.
    package init(_ member: Member) {
        self.init(
            role: member.role,
            term: member.term,
            commitIndex: member.commitIndex,
            appliedIndex: member.appliedIndex,
            last: member.lastPosition,
            configuration: member.configuration
        )
    }
}

/// A transition that the thesis does not allow.
package struct Rejection: Error, CustomStringConvertible, Sendable {
    package var rule: Rule
    package var member: MemberID
    /// The number of the event; the first is 1.
    package var event: Int
    package var explanation: String

    package var description: String {
        "event \(event), member \(member): \(explanation) (\(rule.rawValue))"
    }
}

/// What the reference model holds a trace to, by the section of the thesis.
package enum Rule: String, CaseIterable, Sendable {
    /// Not the member is at fault but whoever feeds it.
    case trace = "the owner's part"
    case observation = "what is seen is what was said"
    case stop = "a member stops only when its disk fails"

    case invention = "section 3.2: the network makes nothing up"
    case term = "section 3.3: terms"
    case durableTerm = "section 3.8: a term is durable before it is answered in"
    case leader = "section 3.4: only who leads is followed, and speaks as a leader"

    case vote = "section 3.4: one vote in a term, and only for who asks"
    case durableVote = "section 3.8: a vote is durable before it is given"
    case restriction = "section 3.6.1: election restriction"
    case request = "section 3.4: a candidate asks with its own durable log"
    case majority = "section 3.4: votes of a majority"
    case preVote = "section 9.6: pre-vote"
    case stickiness = "section 4.2.3: whoever hears a leader helps nobody against it"
    case campaign = "section 4.2.2: who may campaign"
    case electionSafety = "figure 3.2: election safety"
    case leaderCompleteness = "figure 3.2: leader completeness"

    case appendOnly = "figure 3.2: a leader only appends, and what it was asked for"
    case sentEntries = "section 3.5: a leader sends its own log"
    case consistency = "section 3.5: consistency check"
    case truncation = "figure 3.1: only a conflict truncates, and nothing committed"
    case acknowledgement = "section 3.8: what is acknowledged is durable and the leader's"

    case count = "section 3.6.2: a leader commits by counting in its own term"
    case proven = "figure 3.1: nobody learns of more commits than are proven"
    case stateMachineSafety = "figure 3.2: state machine safety"
    case apply = "section 3.5: applied in order, once, when committed"
    case durableApply = "section 10.2.1: applied when durable"

    case snapshot = "section 5.1: a snapshot is of what is applied"
    case retain = "figure 5.3: a snapshot replaces only what lacks it"
    case recovery = "section 3.8: nothing durable is forgotten"

    case oneChange = "section 4.1: one change at a time"
    case ownTermChange = "section 4.1: a change waits for a commit of the leader's term"
    case change = "section 4.1: a change is of one member"
    case configuration = "section 4.1: the newest configuration in the log counts"

    case transfer = "section 3.10: only a voter with the whole log is told to campaign"
    case read = "section 6.4: a read knows all commits before it"
    case lease = "section 6.4.1: lease"
    case freshness = "section 6.4.1: a follower is as fresh as what it applied"
}
