// SPDX-License-Identifier: Apache-2.0

import Simulation
import Testing

/// Histories by hand, of which a person can see whether they are right.
@Suite("linearizability")
struct LinearizabilityTests {
    @Test("one client after the other is a run")
    func sequential() {
        var story = Story()
        story.tell(.read, .absent)
        story.tell(.revoke, .gone)
        story.tell(.create(1), .done)
        story.tell(.create(2), .alreadyExists)
        story.tell(.read, .live(1))
        story.tell(.put(3), .done)
        story.tell(.read, .live(3))
        story.tell(.revoke, .done)
        story.tell(.revoke, .gone)
        story.tell(.revokeAmongOthers, .done)
        story.tell(.create(4), .refusedAsRevoked)
        story.tell(.put(5), .refusedAsRevoked)
        story.tell(.read, .revoked)
        story.tell(.read, .gone)
        #expect(story.verdict.isLinearizable)
        #expect(Story().verdict.isLinearizable)
    }

    @Test("a read that shows the session after its revocation was acknowledged is no run")
    func staleRead() throws {
        var story = Story()
        story.tell(.create(1), .done)
        story.tell(.revoke, .done)
        story.tell(.read, .live(1))
        let found = try #require(story.verdict.counterexample)
        #expect(found.prefix.map(\.operation) == [.create(1), .revoke])
        #expect(found.state == .revoked)
        #expect(found.misfits.map(\.operation) == [.read])
        #expect(found.open.isEmpty)
        #expect(found.description.contains("[5..6] client 0: read -> live(1)"))
    }

    @Test("a read during the revocation may show either, but not the session after its end")
    func readDuringRevocation() {
        for (first, second, isRight) in [
            (SessionKey.Outcome.live(1), SessionKey.Outcome.live(1), true),
            (.live(1), .revoked, true),
            (.revoked, .revoked, true),
            (.revoked, .live(1), false),
        ] {
            var story = Story()
            story.tell(.create(1), .done)
            let revoke = story.call(.revoke, by: 1)
            story.tell(.read, first)
            story.tell(.read, second)
            story.answer(revoke, .done)
            #expect(story.verdict.isLinearizable == isRight, "\(first), then \(second)")
        }
    }

    @Test("a session that is live again after its revocation is no run")
    func resurrection() {
        for write in [SessionKey.Operation.create(2), .put(2)] {
            var story = Story()
            story.tell(.create(1), .done)
            story.tell(.revoke, .done)
            #expect(story.verdict.isLinearizable)
            story.tell(write, .done)
            #expect(story.verdict.counterexample?.misfits.map(\.operation) == [write])
        }
    }

    @Test("a create that was acknowledged and is not there is no run")
    func lostCreate() {
        var story = Story()
        story.tell(.create(1), .done)
        var other = story
        story.tell(.read, .absent)
        #expect(story.verdict.counterexample != nil)
        other.tell(.read, .gone)
        #expect(other.verdict.counterexample != nil)
    }

    @Test("a read that shows a revocation before anybody asked for it is no run")
    func readBeforeRevocation() {
        var story = Story()
        story.tell(.create(1), .done)
        story.tell(.read, .revoked)
        story.tell(.revoke, .done)
        #expect(story.verdict.counterexample != nil)
    }

    @Test("a refusal without a revocation, and an answer from before the session, are no runs")
    func wrongRefusals() {
        for (operation, outcome) in [
            (SessionKey.Operation.create(2), SessionKey.Outcome.refusedAsRevoked),
            (.put(2), .refusedAsRevoked), (.create(2), .done), (.revoke, .gone),
        ] {
            var story = Story()
            story.tell(.create(1), .done)
            story.tell(operation, outcome)
            #expect(story.verdict.counterexample != nil, "\(operation) \(outcome)")
        }
        for (operation, outcome) in [
            (SessionKey.Operation.create(1), SessionKey.Outcome.alreadyExists),
            (.revoke, .done), (.read, .revoked), (.read, .live(1)),
        ] {
            var story = Story()
            story.tell(operation, outcome)
            #expect(story.verdict.counterexample != nil, "\(operation) \(outcome)")
        }
    }

    @Test("a revocation of many that finds nobody, though the session is live, is no run")
    func nobodyFound() {
        var story = Story()
        story.tell(.revokeAmongOthers, .gone)
        story.tell(.put(1), .done)
        #expect(story.verdict.isLinearizable)
        var wrong = story
        wrong.tell(.revokeAmongOthers, .gone)
        #expect(wrong.verdict.counterexample?.misfits.map(\.operation) == [.revokeAmongOthers])
        // Once it is revoked, there may be nobody again.
        story.tell(.revokeAmongOthers, .done)
        story.tell(.revokeAmongOthers, .gone)
        #expect(story.verdict.isLinearizable)
    }

    @Test("a write of unknown outcome may take effect late, and only once")
    func lateEffect() {
        var story = Story()
        story.tell(.create(1), .done)
        story.lose(.put(2))
        story.tell(.read, .live(1))
        story.tell(.put(3), .done)
        story.tell(.read, .live(3))
        story.tell(.read, .live(2))
        #expect(story.verdict.isLinearizable)
        story.tell(.put(4), .done)
        #expect(story.verdict.isLinearizable)
        story.tell(.read, .live(2))
        #expect(story.verdict.counterexample != nil)
    }

    @Test("a write of unknown outcome may never take effect, but not before it was called")
    func noEffect() {
        var story = Story()
        story.tell(.create(1), .done)
        story.lose(.revoke)
        story.tell(.read, .live(1))
        story.tell(.put(2), .done)
        #expect(story.verdict.isLinearizable)
        story.tell(.read, .revoked)
        #expect(story.verdict.isLinearizable)
        story.tell(.read, .live(2))
        #expect(story.verdict.counterexample != nil)

        var early = Story()
        early.tell(.create(1), .done)
        early.tell(.read, .live(2))
        early.lose(.put(2))
        #expect(early.verdict.counterexample != nil)
    }

    @Test("two lost writes that ask the same may take effect twice, three times they may not")
    func twins() {
        var story = Story()
        story.tell(.create(1), .done)
        for _ in 0..<2 { story.lose(.put(2)) }
        for _ in 0..<2 {
            story.tell(.read, .live(2))
            story.tell(.put(1), .done)
        }
        #expect(story.verdict.isLinearizable)
        story.tell(.read, .live(2))
        #expect(story.verdict.counterexample != nil)
    }

    @Test("either of two lost writes may explain an answer, and the other is left for later")
    func eitherOfTwo() {
        for later in 1...2 {
            var story = Story()
            story.lose(.put(1))
            story.lose(.put(2))
            story.tell(.create(9), .alreadyExists)
            story.tell(.put(5), .done)
            story.tell(.read, .live(later))
            #expect(story.verdict.isLinearizable)
            story.tell(.read, .live(3 - later))
            #expect(story.verdict.counterexample != nil)
        }
    }

    @Test("an operation that is withdrawn has not happened")
    func withdrawn() {
        var story = Story()
        story.tell(.create(1), .done)
        let refused = story.call(.put(2))
        #expect(story.history.operations.count == 2)
        story.withdraw(refused)
        #expect(story.history.operations.count == 1)
        story.tell(.read, .live(2))
        #expect(story.verdict.counterexample != nil)
    }

    @Test("an open operation that would not have helped is told")
    func openTold() throws {
        var story = Story()
        story.tell(.create(1), .done)
        story.lose(.put(7))
        story.tell(.read, .live(2))
        let found = try #require(story.verdict.counterexample)
        #expect(found.open.map(\.operation) == [.put(7)])
        #expect(found.description.contains("client 0: put(7) -> unknown"))
    }

    @Test("events of one instant keep the order in which they were recorded")
    func oneInstant() {
        var history = History<SessionKey>()
        let create = history.call(.create(1), at: 5)
        history.return(create, .done, at: 5)
        let read = history.call(.read, at: 5)
        history.return(read, .absent, at: 5)
        let verdict = LinearizabilityChecker(SessionKey()).verdict(on: history)
        #expect(verdict.counterexample != nil)
    }

    @Test("a run may begin with a session that is there")
    func initialState() {
        var story = Story()
        story.tell(.read, .live(9))
        let checker = LinearizabilityChecker(SessionKey(initial: .live(9)))
        #expect(checker.verdict(on: story.history).isLinearizable)
        #expect(story.verdict.counterexample != nil)
    }
}
