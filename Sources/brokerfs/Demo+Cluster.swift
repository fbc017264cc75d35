// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Synchronization

extension Demo {
    /// Shows three nodes, and leaves nothing behind whatever happens.
    func showCluster() async throws {
        // Who closes the output ends the demo by an error, and not the process.
        signal(SIGPIPE, SIG_IGN)
        let signals = await EndSignals()
        let cluster = try DemoCluster()
        let telling = Telling(cluster, stays: Self.isOnTerminal)
        _ = await signals.watch { telling.waitForEnd() }
        let outcome = Result { try cluster.end() }
        telling.release()
        try outcome.get()
        try cluster.remove()
        try telling.outcome.get()
    }
}

/// The tour, on a thread of its own.
///
/// INVARIANT: that thread starts the nodes and lives as long as they, because the kernel ends them
///            with it.
private final class Telling: Sendable {
    private let state = Mutex<Result<Void, any Error>>(.failure(DemoCluster.isEnded))
    private let end = DispatchSemaphore(value: 0)
    private let released = DispatchSemaphore(value: 0)
    private let over = DispatchSemaphore(value: 0)

    private static let leaveSecondsMax = 30

    init(_ cluster: DemoCluster, stays: Bool) {
        Thread.detachNewThread { self.tell(cluster, stays: stays) }
    }

    private func tell(_ cluster: DemoCluster, stays: Bool) {
        let shell = DemoShell(directory: cluster.root)
        let outcome = Result {
            try cluster.start()
            try ClusterTour(cluster, shell).run()
            if stays { try shell.say(Self.hints(cluster)) }
        }
        state.withLock { $0 = outcome }
        var isOver = !stays
        if case .failure = outcome {
            isOver = true
            if !cluster.isEnding { Self.showLogs(of: cluster) }
        }
        if isOver { end.signal() }
        released.wait()
        over.signal()
    }

    /// What the nodes said last, for whoever wonders why the tour failed.
    private static func showLogs(of cluster: DemoCluster) {
        let words = cluster.nodes.map { "\($0.name) said last:\n\($0.lastWords)\n" }
        // Best effort: nothing may end the process here, and somebody may read the failure itself.
        _ = Console.writeAll(Array(words.joined().utf8)[...], to: STDERR_FILENO)
    }

    /// What came of the tour so far.
    var outcome: Result<Void, any Error> { state.withLock { $0 } }

    /// Returns when the demo ends by itself.
    func waitForEnd() { end.wait() }

    /// Lets the thread go, after the nodes have ended.
    func release() {
        released.signal()
        // A command of the tour may be under way; without nodes nothing keeps it for long.
        _ = over.wait(timeout: .now() + .seconds(Self.leaveSecondsMax))
    }

    private static func hints(_ cluster: DemoCluster) -> String {
        let nodes = cluster.nodes.map {
            "  export BROKERFS_DATA=\($0.data)   # \($0.name): process \($0.processID)"
        }
        return """

            The mounts stay until Ctrl-C. In another terminal:
              cd \(cluster.root)
              ls n?/mnt/users/alice/sessions
              cat n1/mnt/cluster/leader
            For commands that ask a node, one of
            \(nodes.joined(separator: "\n"))
            and then
              brokerfs status
              brokerfs nodes
              brokerfs revoke user:alice --wait all
            """
    }
}
