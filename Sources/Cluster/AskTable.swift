// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Node

/// The questions to one peer that have no answer yet.
struct AskTable {
    typealias Completion = @Sendable (Result<PeerAnswer, PeerFailure>) -> Void

    private struct Waiting {
        var completion: Completion
        /// The connection it was written to; nil while it waits here.
        var connection: UInt64?
        var timeout: Scheduled<Void>?
    }

    private var waiting: [UInt64: Waiting] = [:]
    private var lastNumber: UInt64 = 0

    var count: Int { waiting.count }

    mutating func add(_ completion: @escaping Completion) -> UInt64 {
        lastNumber += 1
        waiting[lastNumber] = Waiting(completion: completion)
        return lastNumber
    }

    /// False where the answer has come already.
    mutating func setTimeout(_ timeout: Scheduled<Void>, for number: UInt64) -> Bool {
        guard waiting[number] != nil else { return false }
        waiting[number]?.timeout = timeout
        return true
    }

    /// False where nobody waits for the answer any more.
    func isWaiting(_ number: UInt64) -> Bool { waiting[number] != nil }

    /// From here on it may have arrived, whatever comes.
    mutating func leaves(_ number: UInt64, on connection: UInt64) {
        waiting[number]?.connection = connection
    }

    /// Whom to tell the answer.
    mutating func answered(_ number: UInt64) -> Completion? {
        guard let ask = waiting.removeValue(forKey: number) else { return nil }
        ask.timeout?.cancel()
        return ask.completion
    }

    /// Whom to tell that there is none, and why.
    mutating func failed(_ number: UInt64) -> (Completion, PeerFailure)? {
        guard let ask = waiting.removeValue(forKey: number) else { return nil }
        ask.timeout?.cancel()
        return (ask.completion, ask.connection == nil ? .unreachable : .noAnswer)
    }

    /// The same for all that were written to a connection.
    mutating func failedAll(on connection: UInt64) -> [(Completion, PeerFailure)] {
        waiting.filter { $0.value.connection == connection }
            .keys.sorted().compactMap { failed($0) }
    }

    /// The same for all that were not written yet.
    mutating func failedUnsent() -> [(Completion, PeerFailure)] {
        waiting.filter { $0.value.connection == nil }.keys.sorted().compactMap { failed($0) }
    }

    mutating func failedAll() -> [(Completion, PeerFailure)] {
        waiting.keys.sorted().compactMap { failed($0) }
    }
}
