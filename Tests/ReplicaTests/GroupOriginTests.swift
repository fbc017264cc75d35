// SPDX-License-Identifier: Apache-2.0

import Identity
import Log
import Raft
import Replica
import Store
import Testing

/// A change that is asked for twice happens once, whoever is asked.
@Suite struct GroupOriginTests {
    private var group: Group

    init() throws {
        group = try Group(voters: [1, 2, 3])
        try group.elect(1)
        try group.pass(ticks: 1)
    }

    private mutating func put(_ number: UInt64, session: String, to id: UInt64) throws {
        let json = Array(#"{"user_id":"alice"}"#.utf8)
        let write = try Document.parse(json, type: .session, id: session)
        try propose(number, .put([write]), sequence: 1, to: id)
    }

    private mutating func propose(
        _ number: UInt64,
        _ kind: Command.Kind,
        sequence: UInt64,
        to id: UInt64
    ) throws {
        let origin = RequestOrigin(client: 5, sequence: sequence)
        let proposal = Proposal(id: ProposalID(number), kind: kind, origin: origin)
        try group.step(id, .propose([proposal]))
        try group.pass(ticks: 2)
    }

    @Test("asked again of another leader, after a restart of all, it is what it was the first time")
    mutating func another() throws {
        try put(1, session: "s1", to: 1)
        try propose(2, .revoke(.session("s1"), reason: ""), sequence: 2, to: 1)
        let receipts = [1, 2].map { group.receipts[$0] }
        var chance = SplitMix64(seed: 1)
        for id in UInt64(1)...3 { try group.restart(id, cutBy: &chance) }
        try group.elect(2)
        try group.pass(ticks: 2)
        try put(3, session: "s1", to: 2)
        try propose(4, .revoke(.session("s1"), reason: ""), sequence: 2, to: 2)
        #expect(group.answers[3] == ["success"] && group.answers[4] == ["success"])
        #expect([3, 4].map { group.receipts[$0] } == receipts)
        #expect(receipts.allSatisfy { $0?.term == 1 })
        #expect(group[2].store.metadata.recordVersion == 2)
        for id in UInt64(1)...3 { #expect(try group.state(id) == group.state(2)) }
    }

    @Test("both in one batch are one change and two answers")
    mutating func together() throws {
        let json = Array(#"{"user_id":"alice"}"#.utf8)
        let write = try Document.parse(json, type: .session, id: "s1")
        let origin = RequestOrigin(client: 5, sequence: 9)
        let proposals = [UInt64(1), 2].map { number in
            Proposal(id: ProposalID(number), kind: .put([write]), origin: origin)
        }
        try group.step(1, .propose(proposals))
        try group.pass(ticks: 2)
        #expect(group.answers[1] == ["success"] && group.answers[2] == ["success"])
        #expect(group.receipts[1] != nil && group.receipts[1] == group.receipts[2])
        #expect(group[1].store.metadata.recordVersion == 1)
    }
}
