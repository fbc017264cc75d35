// SPDX-License-Identifier: Apache-2.0

import Dispatch
import FSMap
import Identity
import Replica
import Synchronization

/// When each member had forgotten what a revocation took, as far as this node has asked.
///
/// One question is under way at a time; what is revoked meanwhile shares the next one, so the times
/// are at the latest, never too early.
final class ReceiptBook: Sendable {
    private struct Page {
        var index: UInt64
        var nodes: [NodeProgress]
    }

    private struct State {
        /// Ascending.
        var pages: [Page] = []
        var isAsking = false
        var wanted: UInt64?
    }

    private static let pagesMax = 1000

    private let state = Mutex(State())

    /// A revocation is applied at this index; true where the caller is to ask now.
    func begin(_ index: UInt64) -> Bool {
        state.withLock { state in
            guard !state.isAsking else {
                state.wanted = max(state.wanted ?? 0, index)
                return false
            }
            state.isAsking = true
            return true
        }
    }

    /// Everybody has answered, or has not in time; the index to ask for next, if there is one.
    func end(_ index: UInt64, _ nodes: [NodeProgress]) -> UInt64? {
        state.withLock { state in
            if state.pages.last.map({ $0.index < index }) ?? true {
                state.pages.append(Page(index: index, nodes: nodes))
            }
            if state.pages.count > Self.pagesMax { state.pages.removeFirst() }
            defer { state.wanted = nil }
            state.isAsking = state.wanted != nil
            return state.wanted
        }
    }

    /// What is known of the revocation at this index; nothing where nobody has asked.
    func nodes(of index: UInt64) -> [NodeProgress] {
        state.withLock { state in
            state.pages.first { $0.index >= index }?.nodes ?? []
        }
    }
}

extension LocalNode {
    /// Finds out when each member has forgotten what was revoked up to this index.
    func askForReceipts(of index: UInt64) {
        guard shared.receipts.begin(index) else { return }
        ask(of: index)
    }

    private func ask(of index: UInt64) {
        let nanoseconds = configuration.replica.commitTimeoutNanoseconds
        progress(index: index, nanoseconds: nanoseconds) { [weak self] answers in
            guard let self else { return }
            let nodes = answers.map { member, progress in
                NodeProgress(
                    node: member.name,
                    appliedAt: progress?.appliedAt,
                    forgottenAt: progress?.forgottenAt
                )
            }
            guard let next = shared.receipts.end(index, nodes), !shared.isClosed else { return }
            // Not on the stack of the answer: many could follow each other at once.
            forwarder.queue.async { [weak self] in self?.ask(of: next) }
        }
    }
}
