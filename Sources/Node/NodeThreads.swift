// SPDX-License-Identifier: Apache-2.0

import Identity
import Logging
import Replica
import Store
import Synchronization

/// The flush thread: writes the state's own files, so that the log behind them can go.
func flushStore(
    _ shown: ShownState,
    _ requests: Mailbox<UInt64>,
    _ inbox: Mailbox<LocalNode.Inbound>,
    _ log: Logger
) {
    while let indexes = requests.takeAll() {
        guard let index = indexes.last else { continue }
        do {
            try shown.store.flush()
            inbox.send(.event(.flushed(through: index)))
        } catch {
            // Nothing is lost: the log is kept, and the next flush tries again.
            log.error("the state could not be flushed", metadata: ["error": "\(error)"])
            inbox.send(.event(.flushed(through: 0)))
        }
    }
}

/// The reply thread.
///
/// Content goes before the reply, names after it (ARCHITECTURE.md, rule 4).
func runReplies(_ jobs: Mailbox<ReplyJob>, _ shared: SharedState) {
    while let waiting = jobs.takeAll() {
        for job in waiting { reply(job, shared) }
        shared.writeEvents()
    }
    shared.forgotten.close()
}

private func reply(_ job: ReplyJob, _ shared: SharedState) {
    let names =
        if job.isReplacement {
            job.observers.map { $0.didReplace() }
        } else if job.effects.isEmpty {
            [] as [@Sendable () -> Void]
        } else {
            job.observers.map { $0.didApply(job.effects) }
        }
    for (completion, result) in job.replies { completion(result) }
    if job.applied > 0 { shared.forgotten.noteContentForgotten(job.applied) }
    for invalidate in names { invalidate() }
    if let (before, after) = job.cluster {
        for observer in job.observers { observer.clusterChanged(before, after) }
    }
    guard job.applied > 0 else { return }
    noteForgotten(job.applied, by: job.observers, shared)
}

/// Counts an entry as forgotten once the last mount has.
private func noteForgotten(
    _ index: UInt64,
    by observers: [any MountObserver],
    _ shared: SharedState
) {
    guard !observers.isEmpty else { return shared.noteForgotten(index) }
    let countdown = Countdown(observers.count) { shared.noteForgotten(index) }
    for observer in observers { observer.afterForgetting { countdown.signal() } }
}

/// Calls something once it has been signalled so many times.
final class Countdown: Sendable {
    private let left: Atomic<Int>
    private let end: @Sendable () -> Void

    init(_ count: Int, _ end: @escaping @Sendable () -> Void) {
        left = Atomic(count)
        self.end = end
    }

    func signal() {
        if left.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { end() }
    }
}
