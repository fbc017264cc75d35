// SPDX-License-Identifier: Apache-2.0

import Simulation
import Testing

/// The checker against the definition on small histories, and against its own witness on long ones.
@Suite("linearizability, at random")
struct LinearizabilitySearchTests {
    private let checker = LinearizabilityChecker(SessionKey())

    @Test("the verdict on a small history is that of trying every order", arguments: UInt64(0)..<4)
    func small(group: UInt64) {
        var rightCount = 0
        var wrongCount = 0
        for seed in (group * 1000)..<(group * 1000 + 1000) {
            let corruptions = Int(seed % 4)
            let traffic = Self.small(seed: seed, corruptions: corruptions)
            let history = traffic.history
            let reference = ReferenceSearch(
                specification: SessionKey(),
                operations: history.operations
            )
            let isRight = reference.isLinearizable
            #expect(isRight || corruptions > 0, "seed \(seed): the traffic itself is wrong")
            let verdict = checker.verdict(on: history)
            #expect(verdict.isLinearizable == isRight, "seed \(seed)")
            #expect((verdict.counterexample == nil) == isRight, "seed \(seed)")
            let plain = LinearizabilityChecker(SessionKeyWithoutHint())
                .verdict(on: SessionTraffic.history(of: traffic.calls))
            #expect(plain.isLinearizable == isRight, "seed \(seed), without the hint")
            #expect((plain.counterexample == nil) == isRight, "seed \(seed), without the hint")
            if case .linearizable(let order, stepCount: _) = verdict {
                #expect(reference.isWitness(order), "seed \(seed)")
            }
            if isRight { rightCount += 1 } else { wrongCount += 1 }
        }
        // A checker that always says the same would pass, were there not enough of both.
        #expect(rightCount >= 400, "\(rightCount) of 1000")
        #expect(wrongCount >= 400, "\(wrongCount) of 1000")
    }

    @Test("a long history that happened is accepted, in some steps for each operation")
    func long() {
        for seed in UInt64(0)..<Self.longCount {
            let traffic = Self.long(seed: seed)
            let operations = traffic.history.operations
            let verdict = checker.verdict(on: traffic.history)
            guard case .linearizable(let order, let stepCount) = verdict else {
                Issue.record("seed \(seed): \(verdict.counterexample.map { "\($0)" } ?? "unknown")")
                continue
            }
            #expect(operations.count == 500)
            #expect(stepCount < 100 * operations.count, "seed \(seed)")
            let reference = ReferenceSearch(specification: SessionKey(), operations: operations)
            #expect(reference.isWitness(order), "seed \(seed)")
        }
    }

    @Test("one wrong answer in a long history is found, as a rule")
    func corrupted() {
        var rejectedCount = 0
        for seed in UInt64(0)..<Self.longCount {
            var traffic = Self.long(seed: seed)
            traffic.corrupt()
            switch checker.verdict(on: traffic.history) {
            case .linearizable(let order, stepCount: _):
                // Some other order may explain the wrong answer; then this is one.
                let operations = traffic.history.operations
                let reference = ReferenceSearch(specification: SessionKey(), operations: operations)
                #expect(reference.isWitness(order), "seed \(seed)")
            case .notLinearizable(let found, stepCount: _):
                rejectedCount += 1
                #expect(!found.misfits.isEmpty)
            case .unknown: Issue.record("seed \(seed): the budget was spent")
            }
        }
        #expect(rejectedCount >= Int(Self.longCount) * 8 / 10, "\(rejectedCount)")
    }

    @Test("many writes of unknown outcome do not double the work with each")
    func manyOpen() {
        var story = Story()
        story.tell(.create(0), .done)
        for number in 1...60 {
            story.lose(.put(number))
            story.lose(.put(1000))
            story.lose(.create(number))
        }
        story.lose(.revoke)
        story.tell(.read, .live(0))
        for number in 50...59 {
            story.tell(.read, .live(number))
            story.tell(.put(number + 1000), .done)
        }
        #expect(story.verdict.isLinearizable)
        story.tell(.read, .live(50))
        #expect(story.verdict.counterexample != nil)
        #expect(story.verdict.stepCount < 400_000, "\(story.verdict.stepCount)")
    }

    @Test("a spent budget is neither verdict, and more of it gives one")
    func budget() {
        var story = Story()
        let calls = (0..<12).map { story.call(.put($0), by: $0) }
        let read = story.call(.read, by: 12)
        for call in calls { story.answer(call, .done) }
        story.answer(read, .live(99))
        let poor = LinearizabilityChecker(SessionKey(), stepsMax: 1000).verdict(on: story.history)
        #expect(poor.isUnknown)
        #expect(poor.stepCount == 1000)
        #expect(story.verdict.counterexample != nil)
        #expect(story.verdict.stepCount > 1000)
    }

    private static var longCount: UInt64 {
        #if DEBUG
        15
        #else
        400
        #endif
    }

    private static func small(seed: UInt64, corruptions: Int) -> SessionTraffic {
        let mix = SessionTraffic.Mix(
            clientCount: 2 + Int(seed / 4 % 2),
            operationCount: 3 + Int(seed / 8 % 5),
            numberCount: 2,
            revocations: 150,
            lost: 35
        )
        var traffic = SessionTraffic(seed: seed, mix)
        for _ in 0..<corruptions { traffic.corrupt() }
        return traffic
    }

    private static func long(seed: UInt64) -> SessionTraffic {
        let mix = SessionTraffic.Mix(
            clientCount: 8,
            operationCount: 500,
            numberCount: 1000,
            revocations: 2,
            lost: 5
        )
        return SessionTraffic(seed: seed, mix)
    }
}
