// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Synchronization

/// A queue into one thread, which takes everything that waits at once.
///
/// Senders never block; what bounds the queue is the sender's own limit (``Replica`` answers
/// `busy`), so that a full queue is an answer and not a stall.
final class Mailbox<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let arrivals = DispatchSemaphore(value: 0)

    /// False once the mailbox is closed: the element goes nowhere.
    @discardableResult
    func send(_ element: Element) -> Bool {
        let (wasEmpty, accepted) = state.withLock { state in
            guard !state.isClosed else { return (false, false) }
            state.elements.append(element)
            return (state.elements.count == 1, true)
        }
        if wasEmpty { arrivals.signal() }
        return accepted
    }

    /// Everything that waits; empty after `timeout`, nil once closed and empty.
    func takeAll(timeout: DispatchTimeInterval = .never) -> [Element]? {
        _ = arrivals.wait(timeout: timeout == .never ? .distantFuture : .now() + timeout)
        return state.withLock { state in
            guard !(state.isClosed && state.elements.isEmpty) else { return nil }
            defer { state.elements = [] }
            return state.elements
        }
    }

    /// Lets the thread take what waits, and then end.
    func close() {
        state.withLock { $0.isClosed = true }
        arrivals.signal()
    }
}
