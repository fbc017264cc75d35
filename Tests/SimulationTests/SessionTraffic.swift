// SPDX-License-Identifier: Apache-2.0

import Simulation

/// Several clients at once on one session id that behaves, so that every history is linearizable;
/// and answers that are then exchanged for others, so that most are not.
struct SessionTraffic {
    /// What the clients do.
    struct Mix {
        var clientCount: Int
        var operationCount: Int
        /// How many numbers the writes choose from; few make reads ambiguous.
        var numberCount: Int
        /// Per thousand operations.
        var revocations: Int
        /// Per hundred writes.
        var lost: Int
    }

    /// An event of a history: a call, or the answer to the call before.
    struct Call {
        var operation: SessionKey.Operation
        var client: Int
        var calledAt: Int
        var returnedAt: Int?
        var outcome: SessionKey.Outcome?
    }

    private enum Pace {
        case idle
        case asked(Int)
        case done(Int, SessionKey.Outcome)

        var isIdle: Bool {
            guard case .idle = self else { return false }
            return true
        }
    }

    private(set) var calls: [Call] = []
    private var chance: Chance
    private let mix: Mix
    private var session: SessionKey.State = .absent
    private var paces: [Pace]
    /// Writes of unknown outcome that may still take effect.
    private var adrift: [SessionKey.Operation] = []
    private var time = 0

    init(seed: UInt64, _ mix: Mix) {
        chance = Chance(seed: seed)
        self.mix = mix
        paces = Array(repeating: .idle, count: mix.clientCount)
        while calls.count < mix.operationCount || paces.contains(where: { !$0.isIdle }) { move() }
    }

    var history: History<SessionKey> { Self.history(of: calls) }

    /// Records the same events for any specification that asks and answers alike.
    static func history<Specification: SequentialSpecification>(
        of calls: [Call]
    ) -> History<Specification>
    where
        Specification.Operation == SessionKey.Operation,
        Specification.Outcome == SessionKey.Outcome
    {
        var events: [(time: Int, call: Int, isReturn: Bool)] = []
        for (index, call) in calls.enumerated() {
            events.append((call.calledAt, index, false))
            if let returnedAt = call.returnedAt { events.append((returnedAt, index, true)) }
        }
        var history = History<Specification>()
        var ids: [Int: OperationID] = [:]
        for event in events.sorted(by: { $0.time < $1.time }) {
            let (call, time) = (calls[event.call], UInt64(event.time))
            if !event.isReturn {
                ids[event.call] = history.call(call.operation, by: call.client, at: time)
            } else if let id = ids[event.call], let outcome = call.outcome {
                history.return(id, outcome, at: time)
            }
        }
        return history
    }

    /// Exchanges one answer for another that the question may have.
    mutating func corrupt() {
        let answered = calls.indices.filter { calls[$0].outcome != nil }
        guard let index = answered.randomElement(using: &chance) else { return }
        let others = answers(to: calls[index].operation).filter { $0 != calls[index].outcome }
        calls[index].outcome = others.randomElement(using: &chance) ?? calls[index].outcome
    }

    private mutating func move() {
        time += 1
        if !adrift.isEmpty, chance.isLucky(10) {
            _ = perform(adrift.remove(at: chance.below(adrift.count)))
        }
        let client = chance.below(paces.count)
        switch paces[client] {
        case .idle:
            guard calls.count < mix.operationCount else { return }
            let call = Call(operation: operation(), client: client, calledAt: time)
            calls.append(call)
            paces[client] = .asked(calls.count - 1)
        case .asked(let call):
            let operation = calls[call].operation
            if operation != .read, chance.isLucky(mix.lost) {
                // One half is still under way; a part of that never arrives.
                if chance.isLucky(50) { adrift.append(operation) } else { _ = perform(operation) }
                paces[client] = .idle
            } else {
                paces[client] = .done(call, perform(operation))
            }
        case .done(let call, let outcome):
            calls[call].returnedAt = time
            calls[call].outcome = outcome
            paces[client] = .idle
        }
    }

    private mutating func operation() -> SessionKey.Operation {
        if chance.below(1000) < mix.revocations {
            return chance.isLucky(50) ? .revoke : .revokeAmongOthers
        }
        return switch chance.below(10) {
        case 0...5: .read
        case 6: .create(chance.below(mix.numberCount))
        default: .put(chance.below(mix.numberCount))
        }
    }

    /// What the key does, said once more, and not in the words of the specification.
    private mutating func perform(_ operation: SessionKey.Operation) -> SessionKey.Outcome {
        let before = session
        let isLive = before != .absent && before != .revoked
        switch operation {
        case .read:
            switch before {
            case .absent: return chance.isLucky(50) ? .absent : .gone
            case .revoked: return chance.isLucky(50) ? .revoked : .gone
            case .live(let number): return .live(number)
            }
        case .create(let number), .put(let number):
            if before == .revoked { return .refusedAsRevoked }
            if isLive, operation == .create(number) { return .alreadyExists }
            session = .live(number)
            return .done
        case .revoke, .revokeAmongOthers:
            if isLive { session = .revoked }
            return isLive || operation == .revokeAmongOthers ? .done : .gone
        }
    }

    private func answers(to operation: SessionKey.Operation) -> [SessionKey.Outcome] {
        switch operation {
        case .create: [.done, .alreadyExists, .refusedAsRevoked]
        case .put: [.done, .refusedAsRevoked]
        case .revoke: [.done, .gone]
        case .revokeAmongOthers: [.done]
        case .read:
            [.absent, .revoked, .gone] + (0..<mix.numberCount).map { .live($0) }
        }
    }
}
