// SPDX-License-Identifier: Apache-2.0

import Identity
import Logging
import NIOPosix
import Node
import Raft
import Replica
import Synchronization

/// The snapshots that are to be sent, at most one for each member under way; their copies are
/// below `<data>/outgoing/`.
///
/// INVARIANT: for every ``send(_:)`` the node is told once whether it has arrived.
final class SnapshotSender: Sendable {
    private struct Slot {
        var running: SnapshotTransfer?
        /// Asked for while another one runs, which it replaces.
        var waiting: SnapshotTransfer?
        /// What is left of one that did not arrive, to go on with.
        var kept: OutgoingSnapshot?
    }

    private struct State {
        var slots: [UInt64: Slot] = [:]
        var copies: UInt64 = 0
        var isClosed = false
    }

    private let context: PeerContext
    private let link: @Sendable (MemberID) -> PeerLink?
    private let directory: String
    private let pool: NIOThreadPool
    private let state = Mutex(State())

    init(_ context: PeerContext, link: @escaping @Sendable (MemberID) -> PeerLink?) {
        self.context = context
        self.link = link
        directory = context.configuration.dataDirectory + "/outgoing"
        pool = NIOThreadPool(numberOfThreads: context.limits.snapshots.concurrentMax)
    }

    func start() throws(PeersError) {
        try SnapshotFiles.clear(directory)
        pool.start()
    }

    /// Sends a copy of the state as soon as a thread is free; a request before it gives way.
    ///
    /// Never blocks.
    func send(_ message: Raft.Message) {
        let transfer = SnapshotTransfer(message, context)
        let id = message.to.rawValue
        let (start, replaced) = state.withLock { state -> (Bool, SnapshotTransfer?) in
            guard !state.isClosed else { return (false, transfer) }
            var slot = state.slots[id] ?? Slot()
            defer { state.slots[id] = slot }
            guard let running = slot.running else {
                slot.running = transfer
                return (true, nil)
            }
            running.cancel()
            defer { slot.waiting = transfer }
            return (false, slot.waiting)
        }
        if let replaced { report(replaced, false) }
        if start { run(transfer) }
    }

    private func run(_ transfer: SnapshotTransfer) {
        pool.submit { [self] poolState in
            var succeeded = false
            if case .active = poolState { succeeded = perform(transfer) }
            let id = transfer.message.to.rawValue
            let next = state.withLock { state -> SnapshotTransfer? in
                let next = state.slots[id]?.waiting
                state.slots[id]?.running = next
                state.slots[id]?.waiting = nil
                return next
            }
            report(transfer, succeeded)
            if let next { run(next) }
        }
    }

    private func report(_ transfer: SnapshotTransfer, _ succeeded: Bool) {
        context.host.deliver(.snapshotSent(to: transfer.message.to, succeeded: succeeded))
    }

    private func perform(_ transfer: SnapshotTransfer) -> Bool {
        let id = transfer.message.to
        guard !transfer.isCancelled, let log = link(id)?.log else { return false }
        do throws(SnapshotError) {
            let snapshot = try snapshot(for: transfer)
            log.notice(
                "sending a snapshot",
                metadata: [
                    "index": "\(snapshot.offer.index)", "bytes": "\(snapshot.offer.bytes)",
                ]
            )
            do throws(SnapshotError) {
                try transfer.send(snapshot) { link(id) }
            } catch {
                try leave(snapshot, error)
                throw error
            }
            log.notice("the snapshot has arrived", metadata: ["index": "\(snapshot.offer.index)"])
            try SnapshotFiles.remove(snapshot.directory)
            return true
        } catch {
            log.warning("a snapshot has not arrived", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// What was kept of an earlier try, if it reaches far enough; a new copy otherwise.
    private func snapshot(
        for transfer: SnapshotTransfer
    ) throws(SnapshotError) -> OutgoingSnapshot {
        guard case .snapshot(let wanted) = transfer.message.kind else {
            throw .badOffer("it is no snapshot")
        }
        let id = transfer.message.to
        let (kept, number) = state.withLock { state -> (OutgoingSnapshot?, UInt64) in
            defer { state.slots[id.rawValue]?.kept = nil }
            state.copies += 1
            return (state.slots[id.rawValue]?.kept, state.copies)
        }
        if var kept {
            if kept.offer.index >= wanted.position.index {
                // The term and the sender are those of now.
                var message = transfer.message
                message.kind = kept.offer.message.kind
                kept.offer.message = message
                return kept
            }
            try SnapshotFiles.remove(kept.directory)
        }
        let directory = "\(directory)/\(id)-\(number)"
        do throws(SnapshotError) {
            return try transfer.copy(to: directory)
        } catch {
            try SnapshotFiles.remove(directory)
            throw error
        }
    }

    /// Keeps a copy that may still arrive.
    private func leave(
        _ snapshot: OutgoingSnapshot,
        _ error: SnapshotError
    ) throws(SnapshotError) {
        var isWorthwhile = error.isTransient
        if case .stalled = error { isWorthwhile = true }
        let isKept = state.withLock { state in
            let id = snapshot.offer.message.to.rawValue
            guard isWorthwhile, !state.isClosed, state.slots[id] != nil else { return false }
            var snapshot = snapshot
            snapshot.keptAt = Clock.monotonicNanoseconds()
            state.slots[id]?.kept = snapshot
            return true
        }
        if !isKept { try SnapshotFiles.remove(snapshot.directory) }
    }

    /// Ends transfers to those who are not in the group any more, and forgets copies that nobody
    /// has asked for in long.
    func expire(members: [GroupMember], now: UInt64) {
        let (transfers, copies) = state.withLock { state in
            var (transfers, copies): ([SnapshotTransfer], [OutgoingSnapshot]) = ([], [])
            for id in state.slots.keys.sorted() {
                let isMember = members.contains { $0.id == id }
                if !isMember {
                    guard let running = state.slots[id]?.running else {
                        if let kept = state.slots.removeValue(forKey: id)?.kept {
                            copies.append(kept)
                        }
                        continue
                    }
                    transfers.append(running)
                }
                guard let kept = state.slots[id]?.kept else { continue }
                let age = now - min(now, kept.keptAt)
                guard age > context.limits.snapshots.keptNanoseconds else { continue }
                copies.append(kept)
                state.slots[id]?.kept = nil
            }
            return (transfers, copies)
        }
        for transfer in transfers { transfer.cancel() }
        for copy in copies {
            do throws(SnapshotError) {
                try SnapshotFiles.remove(copy.directory)
            } catch {
                context.log.error("a copy is left behind", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Ends all transfers, and waits until they have; on no thread of the pool.
    func close() {
        let transfers = state.withLock { state in
            state.isClosed = true
            return state.slots.keys.sorted().flatMap { id in
                [state.slots[id]?.running, state.slots[id]?.waiting].compactMap(\.self)
            }
        }
        for transfer in transfers { transfer.cancel() }
        try? pool.syncShutdownGracefully()
    }
}
