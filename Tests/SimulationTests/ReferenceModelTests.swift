// SPDX-License-Identifier: Apache-2.0

import Raft
import Simulation
import Testing

/// Each rule of the reference model: what it lets pass, and what it alone stops.
@Suite("reference model")
struct ReferenceModelTests {
    @Test(
        "what a rule allows is accepted, what it forbids is rejected by it",
        arguments: Rule.allCases
    )
    func rule(_ rule: Rule) throws {
        let play = Play.of(rule)
        var script = try Script()
        try play.scene(&script)
        var other = script
        try play.good(&script)
        let rejection = #expect(throws: Rejection.self) { try play.bad(&other) }
        #expect(rejection?.rule == rule, "\(rejection.map { "\($0)" } ?? "")")
    }

    @Test("a restarted member votes for nobody in its own term either, as long as it is quiet")
    func quietInOwnTerm() throws {
        var script = try Script()
        try script.campaign()
        let request = Script.message(1, 2, .vote(last: Script.root, isTransfer: false))
        let term = Script.write(1, vote: Script.vote(nil))
        try script.step(2, .receive(request), [Script.role(.follower), term])
        try script.step(2, .persisted(through: 1))
        try script.model.accept(.crashed(MemberID(2)))
        let snapshot = Snapshot(bootstrapping: Script.group)
        try script.start(2, Recovery(hardState: Script.vote(nil), snapshot: snapshot))
        var other = script
        let vote = Script.write(1, vote: Script.vote(1))
        let rejection = #expect(throws: Rejection.self) {
            try other.step(2, .receive(request), [vote], at: 1099)
        }
        #expect(rejection?.rule == .stickiness)
        try script.step(2, .receive(request), [vote], at: 1100)
    }

    @Test("a write that is cut short leaves a prefix of it, and term and vote come last")
    func prefixes() throws {
        var script = try Script()
        try script.lead()
        try script.model.accept(.crashed(MemberID(1)))
        let snapshot = Snapshot(bootstrapping: Script.group)
        let forgotten = Recovery(hardState: Script.vote(1), snapshot: snapshot)
        var other = script
        try other.start(1, forgotten)
        let whole = Recovery(
            hardState: Script.vote(1),
            snapshot: snapshot,
            entries: [Script.entry(1)]
        )
        other = script
        try other.start(1, whole)
        let made = Recovery(
            hardState: Script.vote(1),
            snapshot: snapshot,
            entries: [Script.entry(1), Script.entry(2)]
        )
        #expect(throws: Rejection.self) { try script.start(1, made) }
    }

    @Test("a rejection says which event of whom breaks which rule")
    func wording() throws {
        var script = try Script()
        let rejection = #expect(throws: Rejection.self) {
            try script.step(2, .tick, [Script.role(.follower, 3)])
        }
        let words = "event 5, member 2: it goes from term 0 to 3 (section 3.3: terms)"
        #expect(rejection?.description == words)
    }
}
