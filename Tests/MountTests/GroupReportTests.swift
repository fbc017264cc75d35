// SPDX-License-Identifier: Apache-2.0

import Identity
import SwiftProtobuf
import Testing

@testable import AdminSocket
@testable import brokerfs

/// What is counted before the group is changed, and what is printed of it.
struct GroupArithmeticTests {
    private typealias Node = GroupArithmetic.Node

    private func refusal(
        _ change: GroupArithmetic.Change,
        _ nodes: GroupArithmetic.Node...
    ) -> GroupArithmetic.Refusal? {
        GroupArithmetic(nodes: nodes).refusal(of: change)
    }

    @Test("a change that keeps a quorum in reach is asked for")
    func allowed() {
        let learner = Node("d", isVoter: false)
        #expect(refusal(.add("d"), Node("a"), Node("b"), Node("c")) == nil)
        #expect(refusal(.promote("d"), Node("a"), Node("b"), Node("c"), learner) == nil)
        #expect(refusal(.remove("c"), Node("a"), Node("b"), Node("c", isReachable: false)) == nil)
        #expect(refusal(.remove("c"), Node("a"), Node("b"), Node("c")) == nil)
        #expect(refusal(.transfer(to: "b"), Node("a"), Node("b")) == nil)
        let dead = Node("d", isVoter: false, isReachable: false)
        #expect(refusal(.remove("d"), Node("a"), dead) == nil)
    }

    @Test("one that loses it is refused, with the numbers")
    func quorumLost() {
        let gone = Node("c", isReachable: false)
        let refused = refusal(.remove("b"), Node("a"), Node("b"), gone)
        #expect(
            "\(refused, default: "")"
                == "the group would have 2 voters, a quorum of 2, 1 reachable: "
                + "nothing could be decided any more"
        )
        let learner = Node("d", isVoter: false)
        let four = refusal(.promote("d"), Node("a"), Node("b"), gone, learner)
        #expect(four == nil, "3 of 4 are reachable, which is the quorum of 4")
        let gone2 = Node("b", isReachable: false)
        let none = refusal(.add("e"), Node("a"), gone2, gone)
        #expect("\(none, default: "")".contains("3 voters, a quorum of 2, 1 reachable"))
    }

    @Test("what cannot be meant is refused")
    func senseless() {
        let learner = Node("b", isVoter: false)
        #expect(refusal(.add("a"), Node("a")) == .alreadyMember("a"))
        #expect(refusal(.promote("x"), Node("a")) == .unknown("x"))
        #expect(refusal(.promote("a"), Node("a")) == .alreadyVoter("a"))
        #expect(refusal(.remove("x"), Node("a")) == .unknown("x"))
        #expect(refusal(.remove("a"), Node("a"), learner) == .lastVoter("a"))
        #expect(refusal(.transfer(to: "b"), Node("a"), learner) == .noVoter("b"))
        #expect(refusal(.transfer(to: "x"), Node("a")) == .unknown("x"))
        let gone = Node("b", isVoter: false, isReachable: false)
        #expect(refusal(.promote("b"), Node("a"), gone) == .unreachable("b"))
        let voter = Node("b", isReachable: false)
        #expect(refusal(.transfer(to: "b"), Node("a"), voter) == .unreachable("b"))
    }
}

struct GroupReportTests {
    private func report(_ states: [(role: String, state: String)]) -> GroupReport {
        GroupReport(
            .with {
                $0.leader = "n1"
                $0.nodes = states.enumerated().map { index, node in
                    .with {
                        $0.id = UInt64(index + 1)
                        $0.name = "n\(index + 1)"
                        $0.address = index == 0 ? "a:1" : "bb.example:12"
                        $0.role = node.role
                        $0.state = node.state
                        $0.applied = UInt64(index * 100)
                    }
                }
            }
        )
    }

    @Test("a table lines up")
    func table() {
        let three = report([("leader", "ok"), ("follower", "unreachable"), ("learner", "ok")])
        #expect(
            three.table == [
                "NAME  ID  ADDRESS        ROLE      STATE        APPLIED",
                "n1    1   a:1            leader    ok           0",
                "n2    2   bb.example:12  follower  unreachable  100",
                "n3    3   bb.example:12  learner   ok           200",
            ]
        )
    }

    @Test("it says what the group bears")
    func arithmetic() {
        let (leader, follower, gone) = (
            ("leader", "ok"), ("follower", "ok"), ("follower", "unreachable")
        )
        #expect(report([leader]).arithmetic == "1 voter, quorum 1: bears no loss")
        #expect(
            report([leader, follower, follower]).arithmetic
                == "3 voters, quorum 2: bears the loss of 1"
        )
        #expect(
            report([leader, follower, ("learner", "ok")]).arithmetic
                == "2 voters, quorum 2: bears no loss"
        )
        #expect(
            report([leader, gone, gone]).arithmetic
                == "3 voters, quorum 2, 1 reachable: no changes until more are"
        )
        #expect(
            report([leader, follower, gone]).arithmetic
                == "3 voters, quorum 2, 2 reachable: bears no further loss"
        )
    }

    @Test("a revocation names where it has not arrived, and the bound")
    func receipt() {
        var report = RevocationReport(
            "user:alice",
            .with {
                $0.count = 3
                $0.recordVersion = 40
                $0.index = 7
                $0.term = 2
                $0.acceptedAt = Timestamp(seconds: 0).message
            }
        )
        let first = ["user:alice: revoked 3, version 40", "index 7, term 2, 1970-01-01T00:00:00Z"]
        #expect(report.lines == first)
        #expect(report.missingText == nil)
        report.add(
            .with {
                $0.maxStalenessMs = 1500
                $0.members = [
                    .with {
                        $0.name = "n1"
                        $0.reached = true
                        $0.appliedAt = Timestamp(seconds: 1).message
                        $0.forgottenAt = Timestamp(seconds: 2).message
                    },
                    .with { $0.name = "n22" },
                ]
            }
        )
        #expect(
            report.lines == first + [
                "n1   applied 1970-01-01T00:00:01Z  forgotten 1970-01-01T00:00:02Z",
                "n22  no answer",
            ]
        )
        #expect(report.missingText?.hasPrefix("not on n22 yet; it may show") == true)
        #expect(report.missingText?.contains("1500 ms") == true)
    }

    @Test("nothing left to revoke has no place in the log")
    func nothing() {
        let report = RevocationReport("user:bob", .with { $0.recordVersion = 40 })
        #expect(report.lines == ["user:bob: nothing was left to revoke"])
    }
}
