// SPDX-License-Identifier: Apache-2.0

package import FSMap
package import Identity
import Node
import Synchronization

extension Mount: MountObserver {
    package func willApply(_ effects: [Effect]) {
        server.keepBefore()
        server.files.willApply(effects, now: server.node.monotonicNanoseconds())
    }

    /// Cached content goes now: that takes no lock that a request could hold.
    package func didApply(_ effects: [Effect]) -> @Sendable () -> Void {
        let (content, names) = server.files.invalidations(for: effects, view: server.node.view())
        let now = server.node.monotonicNanoseconds()
        // Now, and not after the replies: what this mount asked for is known as its own until then.
        let replays = server.replayer.replays(for: effects, now: now, files: server.files)
        // Before INIT the kernel has cached nothing, and would take a notification amiss.
        guard server.isInitialized.load(ordering: .relaxed), server.gate.enter() else {
            return {}
        }
        for invalidation in content { _ = session.notify(invalidation) }
        server.gate.leave()
        let (notifier, replayer, polls) = (server.notifier, server.replayer, server.polls)
        return {
            notifier.enqueue(names)
            if !polls.isEmpty { notifier.wakePollers() }
            replayer.enqueue(replays)
        }
    }

    /// The thread that watches is told, and looks for itself.
    package func gateChanged(isOpen: Bool) {
        if !isOpen { loop.hasGateClosed.store(true, ordering: .sequentiallyConsistent) }
        loop.wakeWatch()
    }

    package func willReplace() {
        server.files.willReplace(now: server.node.monotonicNanoseconds())
    }

    /// As ``didApply(_:)``, for all there is.
    package func didReplace() -> @Sendable () -> Void {
        // They are of the state that has gone.
        server.before.withLock { $0 = [] }
        let (content, names) = server.files.replaced(view: server.node.view())
        guard server.isInitialized.load(ordering: .relaxed), server.gate.enter() else {
            return {}
        }
        for invalidation in content { _ = session.notify(invalidation) }
        server.gate.leave()
        let notifier = server.notifier
        return {
            notifier.enqueue(names)
            notifier.wakePollers()
        }
    }

    package func clusterChanged(_ before: ClusterState, _ after: ClusterState) {
        let replays = server.replayer.replays(from: before, to: after, files: server.files)
        if !server.polls.isEmpty { server.notifier.wakePollers() }
        server.replayer.enqueue(replays)
    }

    /// Their content goes at once; names wait for the notifier.
    package func afterForgetting(_ body: @escaping @Sendable () -> Void) {
        server.notifier.afterSending(body)
    }

    /// Nobody vouches for the state: the kernel has to ask for all it has.
    ///
    /// Nothing here waits for the lock of a directory, as the notifier may.
    func forgetAll() {
        let (files, notifier) = (server.files, server.notifier)
        let invalidations = files.forgetAll(now: server.node.monotonicNanoseconds())
        guard server.isInitialized.load(ordering: .relaxed), server.gate.enter() else { return }
        defer { server.gate.leave() }
        for invalidation in invalidations {
            // A kernel that knows no epoch has the names taken one by one.
            if !session.isUnderstood(invalidation) {
                notifier.enqueue([invalidation])
            } else if invalidation == .everything {
                files.forgot(invalidation)
            }
        }
        notifier.wakePollers()
    }
}
