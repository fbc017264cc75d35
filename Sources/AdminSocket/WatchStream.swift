// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import NIOCore
import Node
import SwiftProtobuf
import Synchronization

/// Rings when something has changed; at most once until it is reset.
final class ChangeBell: MountObserver {
    private let isRung = Atomic<Bool>(false)
    private let ring: @Sendable () -> Void

    init(_ ring: @escaping @Sendable () -> Void) {
        self.ring = ring
    }

    /// From here on the next change rings again.
    func reset() { isRung.store(false, ordering: .sequentiallyConsistent) }

    func willApply(_ effects: [Effect]) {}

    func didApply(_ effects: [Effect]) -> @Sendable () -> Void {
        { [self] in
            if !isRung.exchange(true, ordering: .sequentiallyConsistent) { ring() }
        }
    }
}

/// How many may watch at once.
final class WatchSeats: Sendable {
    private let free = Atomic<Int>(Limits.watchersMax)

    /// Whether there was a seat, which is now taken.
    func take() -> Bool {
        guard free.subtract(1, ordering: .relaxed).newValue >= 0 else {
            giveBack()
            return false
        }
        return true
    }

    func giveBack() { free.add(1, ordering: .relaxed) }
}

/// The changes on their way to one watcher.
///
/// INVARIANT: used on the connection's event loop alone.
/// INVARIANT: one frame is under way at most; the next is read when the client has taken it.
final class WatchStream {
    private let node: LocalNode
    private let channel: any Channel
    private let seats: WatchSeats
    private var feed: ChangeFeed
    private var bell: ChangeBell?
    private var isWriting = false

    /// Starts at once; nil where too many watch already.
    init?(
        _ watch: Brokerfs_Admin_Watch,
        node: LocalNode,
        seats: WatchSeats,
        channel: any Channel
    ) throws(ViewError) {
        let start = watch.hasSince ? watch.since : try node.newestVersion()
        guard seats.take() else { return nil }
        self.node = node
        self.channel = channel
        self.seats = seats
        feed = ChangeFeed(after: start, types: watch.types.map { RecordType(nameOrURL: $0) })
        let loop = channel.eventLoop
        let stream = NIOLoopBound(self, eventLoop: loop)
        let bell = ChangeBell { loop.execute { stream.value.pump() } }
        self.bell = bell
        node.add(bell)
        pump()
    }

    /// Ends the stream.
    ///
    /// Idempotent.
    func close() {
        guard let bell else { return }
        self.bell = nil
        node.remove(bell)
        seats.giveBack()
    }

    private func pump() {
        guard let bell, !isWriting else { return }
        // Before reading: what changes from now on rings again.
        bell.reset()
        do throws(ViewError) {
            let before = feed.version
            let page = try node.changes(after: before, limit: Limits.watchedChangesMax)
            if page == .changes([]) { return }
            let lines = feed.take(page)
            write(
                .with {
                    $0.events.lines = String(decoding: lines, as: UTF8.self)
                    $0.events.through = feed.version
                }
            )
        } catch {
            close()
            channel.writeAndFlush(Brokerfs_Admin_Response.failure(.io, "\(error)"), promise: nil)
            channel.close(promise: nil)
        }
    }

    private func write(_ response: Brokerfs_Admin_Response) {
        isWriting = true
        channel.writeAndFlush(response).assumeIsolated().whenComplete { [self] _ in
            isWriting = false
            pump()
        }
    }
}
