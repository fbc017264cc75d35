// SPDX-License-Identifier: Apache-2.0

import FSMap
import Glibc
import Logging
import Synchronization
import Testing

@testable import FuseMount

/// What is handed to the kernel, and in which order.
@Suite final class NotifierTests {
    private let notifier = Notifier(notificationsMax: 100, log: Logger(label: "test"))
    private let sent = Mutex<[Invalidation]>([])

    private static func name(_ number: Int) -> Invalidation {
        .entry(parent: 2, name: "s\(number)")
    }

    /// Sends what waits; the kernel takes so long for each name.
    private func send(millisecondsForName: UInt32) {
        notifier.afterSending { [notifier] in notifier.stop() }
        notifier.run(
            notify: { invalidation in
                if case .entry = invalidation { usleep(millisecondsForName * 1000) }
                sent.withLock { $0.append(invalidation) }
                return 0
            },
            PollTable(),
            topNames: { [] },
            names: { _ in [] },
            forgot: { _ in }
        )
    }

    @Test("names go one by one while the kernel is quick with them")
    func quick() {
        let batch: [Invalidation] = [Self.name(1), .content(inode: 7), Self.name(2)]
        notifier.enqueue(batch)
        send(millisecondsForName: 0)
        #expect(sent.withLock { $0 } == batch)
    }

    @Test("one epoch stands for the names behind one that the kernel kept waiting")
    func slow() {
        let names = (1...50).map(Self.name)
        notifier.enqueue(names + [.content(inode: 7)] + (51...60).map(Self.name))
        send(millisecondsForName: 60)
        #expect(sent.withLock { $0 } == [names[0], .everything, .content(inode: 7)])
    }

    @Test("no epoch is sent where no name is left")
    func last() {
        let batch: [Invalidation] = [Self.name(1), .content(inode: 7), .listing(directory: 2)]
        notifier.enqueue(batch)
        send(millisecondsForName: 60)
        #expect(sent.withLock { $0 } == batch)
    }
}
