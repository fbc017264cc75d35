// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Identity
import Synchronization

/// How far the node and its mounts are, and who waits for it.
///
/// INVARIANT: everybody who waits is answered once: when it is reached, at the deadline, or when
/// the node ends.
final class ForgottenWaiters: Sendable {
    /// Whether it was reached.
    typealias Completion = @Sendable (PeerProgress, _ isReached: Bool) -> Void

    private struct Waiter {
        var number: UInt64
        var index: UInt64
        /// Whether cached names must be gone as well, and not content alone.
        var includesNames: Bool
        var appliedAt: Timestamp
        var completion: Completion
    }

    private struct State {
        var applied: UInt64 = 0
        /// The mounts have dropped content up to here.
        var contentForgotten: UInt64 = 0
        var forgotten: UInt64 = 0
        var waiters: [Waiter] = []
        var nextNumber: UInt64 = 0
        var isClosed = false

        func reached(_ includesNames: Bool) -> UInt64 {
            includesNames ? forgotten : contentForgotten
        }
    }

    /// Requests that may wait; more are answered with how far it is.
    private static let waitersMax = 65_536

    private let state = Mutex(State())
    private let timer = DispatchQueue(label: "brokerfs.waiters")

    /// Calls `completion` once this index is applied and the mounts have forgotten what it changed.
    ///
    /// Without names, whoever holds a lock that their invalidation needs can wait as well.
    func wait(
        for index: UInt64,
        includesNames: Bool = true,
        nanoseconds: UInt64,
        completion: @escaping Completion
    ) {
        let now = Clock.wall()
        let (progress, number, isReached) = state.withLock {
            state -> (PeerProgress, UInt64?, Bool) in
            let progress = PeerProgress(
                applied: state.applied,
                forgotten: state.forgotten,
                appliedAt: now,
                forgottenAt: now
            )
            guard state.reached(includesNames) < index, !state.isClosed,
                state.waiters.count < Self.waitersMax
            else { return (progress, nil, state.reached(includesNames) >= index) }
            state.nextNumber += 1
            state.waiters.append(
                Waiter(
                    number: state.nextNumber,
                    index: index,
                    includesNames: includesNames,
                    appliedAt: state.applied >= index ? now : .epoch,
                    completion: completion
                )
            )
            return (progress, state.nextNumber, false)
        }
        guard let number else { return completion(progress, isReached) }
        let delay = DispatchTimeInterval.nanoseconds(Int(clamping: nanoseconds))
        timer.asyncAfter(deadline: .now() + delay) { [self] in expire(number) }
    }

    /// The state has everything up to here.
    func noteApplied(_ index: UInt64) {
        state.withLock { state in
            guard index > state.applied else { return }
            state.applied = index
            guard !state.waiters.isEmpty else { return }
            let now = Clock.wall()
            for place in state.waiters.indices
            where state.waiters[place].index <= index && state.waiters[place].appliedAt == .epoch {
                state.waiters[place].appliedAt = now
            }
        }
    }

    /// No mount shows any more what the entries up to here have changed.
    func noteForgotten(_ index: UInt64) {
        note(index) { state in
            state.forgotten = max(state.forgotten, index)
            state.contentForgotten = max(state.contentForgotten, index)
        }
    }

    /// No mount shows the content any more that the entries up to here have changed.
    func noteContentForgotten(_ index: UInt64) {
        note(index) { $0.contentForgotten = max($0.contentForgotten, index) }
    }

    private func note(_ index: UInt64, _ change: (inout State) -> Void) {
        let (applied, reached) = state.withLock { state -> (UInt64, [Waiter]) in
            change(&state)
            guard !state.waiters.isEmpty else { return (state.applied, []) }
            let reached = state.waiters.filter { $0.index <= state.reached($0.includesNames) }
            let (names, content) = (state.forgotten, state.contentForgotten)
            state.waiters.removeAll { $0.index <= ($0.includesNames ? names : content) }
            return (state.applied, reached)
        }
        let now = Clock.wall()
        for waiter in reached {
            let progress = PeerProgress(
                applied: max(applied, waiter.index),
                forgotten: max(index, waiter.index),
                appliedAt: waiter.appliedAt == .epoch ? now : waiter.appliedAt,
                forgottenAt: now
            )
            waiter.completion(progress, true)
        }
    }

    /// Answers whoever waits; nobody waits after it.
    func close() {
        let (progress, waiters) = state.withLock { state -> (PeerProgress, [Waiter]) in
            state.isClosed = true
            defer { state.waiters = [] }
            return (unreached(state), state.waiters)
        }
        for waiter in waiters { waiter.completion(progress, false) }
    }

    private func expire(_ number: UInt64) {
        let (progress, waiter) = state.withLock { state -> (PeerProgress, Waiter?) in
            guard let place = state.waiters.firstIndex(where: { $0.number == number }) else {
                return (unreached(state), nil)
            }
            return (unreached(state), state.waiters.remove(at: place))
        }
        waiter?.completion(progress, false)
    }

    private func unreached(_ state: State) -> PeerProgress {
        PeerProgress(
            applied: state.applied,
            forgotten: state.forgotten,
            appliedAt: .epoch,
            forgottenAt: .epoch
        )
    }
}
