// SPDX-License-Identifier: Apache-2.0

import Identity
import Logging
import NIOPosix
import Node
import Raft
import Synchronization

/// The copies of the state that are arriving, below `<data>/incoming/`: one for each sender, a few
/// at a time.
///
/// What has come stays when a connection breaks, so that the next one goes on from there.
final class SnapshotReceiver: Sendable {
    private struct State {
        /// In the order they began.
        var transfers: [IncomingSnapshot] = []
        /// What became of the last copy of each sender, for one that did not hear of it.
        var finished: [(member: UInt64, id: [UInt8], verdict: Brokerfs_Peer_SnapshotReceived?)] = []
        var lastClaim: UInt64 = 0
        var isClosed = false
    }

    private let context: PeerContext
    private let directory: String
    private let state = Mutex(State())
    /// What writes to the disk; one job of each connection at a time.
    let pool: NIOThreadPool

    init(_ context: PeerContext) {
        self.context = context
        directory = context.configuration.dataDirectory + "/incoming"
        pool = NIOThreadPool(numberOfThreads: context.limits.snapshots.concurrentMax)
    }

    func start() throws(PeersError) {
        try SnapshotFiles.clear(directory)
        pool.start()
    }

    private var limits: SnapshotLimits { context.limits.snapshots }

    /// What the sender is told: where to go on, or that the copy has been taken already.
    enum Reception {
        case resume(IncomingSnapshot, claim: UInt64, Brokerfs_Peer_SnapshotResume)
        case finished(Brokerfs_Peer_SnapshotReceived)
    }

    /// Begins a transfer, or goes on with it.
    func receive(
        _ message: Brokerfs_Peer_SnapshotOffer,
        from member: MemberID
    ) throws(SnapshotError) -> Reception {
        let offer = try SnapshotOffer(
            message,
            from: member,
            to: context.own,
            limits: limits
        )
        if let finished = state.withLock({ state in
            state.finished.first { $0.member == member.rawValue && $0.id == offer.id }
        }) {
            guard let verdict = finished.verdict else { throw .busy }
            return .finished(verdict)
        }
        let (transfer, claim) = try transfer(of: offer)
        return .resume(transfer, claim: claim, try transfer.attach(offer, claim))
    }

    private func transfer(
        of offer: SnapshotOffer
    ) throws(SnapshotError) -> (IncomingSnapshot, UInt64) {
        let (known, claim, old) = state.withLock { state in
            state.lastClaim += 1
            let own = state.transfers.filter { $0.sender == offer.message.from }
            let known = own.first { $0.isSame(as: offer) }
            var old = own.filter { $0 !== known }
            if known == nil, state.transfers.count - old.count >= limits.concurrentMax,
                let idle = state.transfers.first(where: { transfer in
                    transfer.detachedAt != nil && !old.contains { $0 === transfer }
                })
            {
                old.append(idle)
            }
            state.transfers.removeAll { transfer in old.contains { $0 === transfer } }
            return (known, state.lastClaim, old)
        }
        for transfer in old { try transfer.abandon() }
        if let known { return (known, claim) }
        let new = try IncomingSnapshot(offer, in: directory, claim: claim, limits: limits)
        let isTaken = state.withLock { state in
            guard !state.isClosed, state.transfers.count < limits.concurrentMax else {
                return false
            }
            state.transfers.append(new)
            return true
        }
        guard isTaken else {
            try new.abandon()
            throw .busy
        }
        context.log.notice(
            "a snapshot is arriving",
            metadata: [
                "from": "\(offer.message.from)", "index": "\(offer.index)",
                "bytes": "\(offer.bytes)", "files": "\(offer.files.count)",
            ]
        )
        return (new, claim)
    }

    /// Everything has come: it is made durable and goes to the node; `completion` runs once.
    func finish(
        _ transfer: IncomingSnapshot,
        _ claim: UInt64,
        completion: @escaping @Sendable (Brokerfs_Peer_SnapshotReceived) -> Void
    ) throws(SnapshotError) {
        let message = try transfer.finish(claim)
        let sender = transfer.sender.rawValue
        state.withLock { state in
            state.transfers.removeAll { $0 === transfer }
            state.finished.removeAll { $0.member == sender }
            state.finished.append((sender, transfer.id, nil))
        }
        context.host.receiveSnapshot(message, transfer.directory) { [self] isTaken in
            var verdict = Brokerfs_Peer_SnapshotReceived()
            verdict.isTaken = isTaken
            if !isTaken { verdict.reason = "the node has not taken it" }
            state.withLock { state in
                guard let place = state.finished.firstIndex(where: { $0.id == transfer.id }) else {
                    return
                }
                state.finished[place].verdict = verdict
            }
            completion(verdict)
        }
    }

    /// Gives up what cannot become whole any more.
    func abandon(_ transfer: IncomingSnapshot) {
        state.withLock { $0.transfers.removeAll { $0 === transfer } }
        remove(transfer)
    }

    /// Forgets what nobody has gone on with for long, and what came from those who are gone.
    func expire(members: [GroupMember], now: UInt64) {
        let old = state.withLock { state in
            state.finished.removeAll { row in !members.contains { $0.id == row.member } }
            let old = state.transfers.filter { transfer in
                guard let detachedAt = transfer.detachedAt else { return false }
                let sender = transfer.sender.rawValue
                return now - min(now, detachedAt) > limits.keptNanoseconds
                    || !members.contains { $0.id == sender }
            }
            state.transfers.removeAll { transfer in old.contains { $0 === transfer } }
            return old
        }
        for transfer in old { remove(transfer) }
    }

    private func remove(_ transfer: IncomingSnapshot) {
        do throws(SnapshotError) {
            try transfer.abandon()
        } catch {
            context.log.error("a snapshot is left behind", metadata: ["error": "\(error)"])
        }
    }

    /// Ends the transfers; on no thread of the pool.
    func close() {
        let transfers = state.withLock { state in
            state.isClosed = true
            defer { state.transfers = [] }
            return state.transfers
        }
        try? pool.syncShutdownGracefully()
        for transfer in transfers { remove(transfer) }
    }
}
