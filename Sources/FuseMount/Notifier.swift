// SPDX-License-Identifier: Apache-2.0

import FSMap
import Glibc
import Logging
import Synchronization

/// The queue of what the kernel is to forget, worked off by one thread.
///
/// INVARIANT: in order, and without a second time what is waiting already.
/// INVARIANT: bounded. When it is full, the names in it and those to come are exchanged for one
///            epoch, which covers them all; inodes stay, because an open file is not looked up.
/// INVARIANT: whoever enqueues never waits; only the thread does, for the kernel's locks.
/// INVARIANT: names wait for no more than a few of those locks, however busy a directory is: then
///            one epoch, which needs no lock, stands for the rest of what was taken with them.
final class Notifier: Sendable {
    private struct Queue {
        var waiting: [Invalidation] = []
        var known: Set<Invalidation> = []
        var isOverflowing = false
        var isPollDue = false
        var isStopped = false
        /// Whether the thread has taken what it has not sent yet.
        var isSending = false
        /// Who is called once all that waits is sent; the last ones.
        var fences: [@Sendable () -> Void] = []
        var lost: UInt64 = 0
        var sent: UInt64 = 0
    }

    private let queue = Mutex(Queue())
    private let arrived = Semaphore()
    private let stopped = Semaphore()
    private let notificationsMax: Int
    private let log: Logger

    init(notificationsMax: Int, log: Logger) {
        self.notificationsMax = notificationsMax
        self.log = log
    }

    /// How many notifications wait, were sent, and could not be kept.
    var counts: (waiting: Int, sent: UInt64, lost: UInt64) {
        queue.withLock { ($0.waiting.count, $0.sent, $0.lost) }
    }

    /// Queues what the kernel is to forget.
    ///
    /// Returns at once.
    func enqueue(_ invalidations: [Invalidation]) {
        guard !invalidations.isEmpty else { return }
        let wasEmpty = queue.withLock { queue -> Bool in
            guard !queue.isStopped else { return false }
            let wasEmpty = queue.waiting.isEmpty
            for invalidation in invalidations { append(invalidation, to: &queue) }
            return wasEmpty && !queue.waiting.isEmpty
        }
        if wasEmpty { arrived.post() }
    }

    /// Calls `body` once all that was queued before is sent, or never will be.
    ///
    /// Returns at once. Where too many wait, the oldest are dropped: whoever is called later can
    /// say the same and more.
    func afterSending(_ body: @escaping @Sendable () -> Void) {
        let isIdle = queue.withLock { queue -> Bool in
            guard !queue.isStopped, queue.isSending || !queue.waiting.isEmpty else { return true }
            if queue.fences.count == Self.fencesMax { queue.fences.removeFirst() }
            queue.fences.append(body)
            return false
        }
        // What waits has had the thread woken already.
        if isIdle { body() }
    }

    private static let fencesMax = 1024

    /// Wakes who waits in poll(2), after what waits now.
    func wakePollers() {
        queue.withLock { $0.isPollDue = true }
        arrived.post()
    }

    private func append(_ invalidation: Invalidation, to queue: inout Queue) {
        if queue.isOverflowing && invalidation.isName { return }
        guard !queue.known.contains(invalidation) else { return }
        if queue.waiting.count >= notificationsMax {
            collapse(&queue)
            if invalidation.isName { return }
            guard queue.waiting.count < notificationsMax else {
                queue.lost += 1
                return
            }
        }
        queue.known.insert(invalidation)
        queue.waiting.append(invalidation)
    }

    private func collapse(_ queue: inout Queue) {
        guard !queue.isOverflowing else { return }
        queue.isOverflowing = true
        queue.waiting = Self.collapsed(queue.waiting[...])
        queue.known = Set(queue.waiting)
    }

    /// The same with one epoch for all names.
    private static func collapsed(_ invalidations: ArraySlice<Invalidation>) -> [Invalidation] {
        [.everything] + invalidations.filter { !$0.isName }
    }

    /// Ends the thread as soon as the kernel lets go of it; what waits is dropped.
    func stop() {
        let fences = queue.withLock { queue in
            queue.isStopped = true
            queue.waiting = []
            queue.known = []
            defer { queue.fences = [] }
            return queue.fences
        }
        for fence in fences { fence() }
        arrived.post()
    }

    /// For a thread that never started.
    func markStopped() {
        stop()
        stopped.post()
    }

    /// Whether the thread has ended within the time.
    func waitUntilStopped(milliseconds: Int) -> Bool {
        guard stopped.wait(milliseconds: milliseconds) else { return false }
        stopped.post()
        return true
    }

    /// The thread: sends until it is stopped.
    ///
    /// `notify` hands one to the kernel and returns its errno; `topNames` are the names in the
    /// root, `names` those of inodes; `forgot` is told what the kernel has forgotten.
    func run(
        notify: (Invalidation) -> Int32,
        _ polls: PollTable,
        topNames: () -> [String],
        names: ([UInt64]) -> [Invalidation],
        forgot: (Invalidation) -> Void
    ) {
        defer { stopped.post() }
        while true {
            arrived.wait()
            while let batch = take(), !batch.isEmpty {
                // What is never sent is not waited for either.
                defer { for fence in batch.fences { fence() } }
                let isSent = send(batch.invalidations) { invalidation in
                    send(invalidation, notify, topNames, names)
                    forgot(invalidation)
                }
                guard isSent else { return }
                if batch.isPollDue { polls.wakeAll() }
            }
            if queue.withLock({ $0.isStopped }) { return }
        }
    }

    /// How long names may keep the thread.
    ///
    /// A name is forgotten under the lock of its directory, which each of those who make or revoke
    /// something in it holds until the node has answered. Behind many of them the thread would be
    /// so late that the mount had to refuse what it cannot vouch for.
    private static let namesDurationMax = Duration.milliseconds(50)

    /// Sends one after the other; false where it was stopped before the last.
    private func send(_ batch: [Invalidation], _ body: (Invalidation) -> Void) -> Bool {
        let start = ContinuousClock.now
        var isCollapsed = false
        var rest = batch[...]
        while let invalidation = rest.popFirst() {
            if queue.withLock({ $0.isStopped }) { return false }
            body(invalidation)
            guard !isCollapsed, ContinuousClock.now - start > Self.namesDurationMax else {
                continue
            }
            isCollapsed = true
            if rest.contains(where: \.isName) { rest = Self.collapsed(rest)[...] }
        }
        return true
    }

    /// What is sent in one go.
    private struct Batch {
        var invalidations: [Invalidation]
        var fences: [@Sendable () -> Void]
        var isPollDue: Bool
        var isEmpty: Bool { invalidations.isEmpty && fences.isEmpty && !isPollDue }
    }

    private func take() -> Batch? {
        queue.withLock { queue in
            guard !queue.isStopped else { return nil }
            let batch = Batch(
                invalidations: queue.waiting,
                fences: queue.fences,
                isPollDue: queue.isPollDue
            )
            queue.waiting = []
            queue.known = []
            queue.fences = []
            queue.isPollDue = false
            queue.isOverflowing = false
            queue.isSending = !batch.isEmpty
            queue.sent += UInt64(batch.invalidations.count)
            return batch
        }
    }

    private func send(
        _ invalidation: Invalidation,
        _ notify: (Invalidation) -> Int32,
        _ topNames: () -> [String],
        _ names: ([UInt64]) -> [Invalidation]
    ) {
        var status = notify(invalidation)
        if status == EINVAL, case .unused(let inodes) = invalidation {
            // Linux before 6.18: an inode that no name leads to is forgotten as well.
            status = names(inodes).reduce(0) { max($0, notify($1)) }
        }
        if status == EINVAL, invalidation == .everything {
            // Without an epoch (Linux before 6.16) the names in the root go, and with a directory
            // the kernel forgets all that is below it.
            status = 0
            for name in topNames() {
                let entry = Invalidation.entry(parent: FileSystem.rootInode, name: name)
                status = max(status, notify(entry))
            }
            status = max(status, notify(.listing(directory: FileSystem.rootInode)))
        }
        guard status != 0, status != ENODEV, status != ENOTCONN else { return }
        log.warning(
            "the kernel refused an invalidation",
            metadata: ["reason": "\(String(cString: strerror(status)))"]
        )
    }
}

extension Invalidation {
    /// Whether an epoch covers it.
    fileprivate var isName: Bool {
        switch self {
        case .entry, .delete, .everything: true
        case .content, .attributes, .listing, .unused: false
        }
    }
}
