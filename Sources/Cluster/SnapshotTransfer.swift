// SPDX-License-Identifier: Apache-2.0

import Crypto
import Foundation
import Identity
import Logging
import NIOCore
import NIOSSL
import Node
import Raft
import Synchronization

/// A copy of the state in a directory of its own, and what it is offered as.
struct OutgoingSnapshot: Sendable {
    var offer: SnapshotOffer
    var directory: String
    /// When a transfer of it last ended without success.
    var keptAt: UInt64 = 0
}

/// One snapshot on its way to one member, over as many connections as it takes.
///
/// On a thread of its own, which waits for disks and for the peer.
final class SnapshotTransfer: Sendable {
    private struct State {
        var isCancelled = false
        var channel: (any Channel)?
    }

    let message: Raft.Message
    private let context: PeerContext
    private let state = Mutex(State())

    init(_ message: Raft.Message, _ context: PeerContext) {
        self.message = message
        self.context = context
    }

    private var limits: SnapshotLimits { context.limits.snapshots }

    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Ends it soon; from any thread.
    func cancel() {
        let channel = state.withLock { state in
            state.isCancelled = true
            return state.channel
        }
        channel?.close(promise: nil)
    }

    /// Makes a copy of the state below `directory`.
    func copy(to directory: String) throws(SnapshotError) -> OutgoingSnapshot {
        let described: Raft.Message
        do {
            described = try context.host.checkpoint(message, directory)
        } catch {
            throw .checkpoint("\(error)")
        }
        guard case .snapshot = described.kind, described.to == message.to else {
            throw .checkpoint("the state belongs to no group yet")
        }
        let files = try SnapshotFiles.list(directory) { isCancelled }
        let id = (0..<SnapshotOffer.idBytes).map { _ in UInt8.random(in: 0...(.max)) }
        return OutgoingSnapshot(
            offer: SnapshotOffer(id: id, message: described, files: files),
            directory: directory
        )
    }

    /// Brings the copy to the member `link` leads to; throws once there is no hope.
    func send(_ snapshot: OutgoingSnapshot, over link: () -> PeerLink?) throws(SnapshotError) {
        var lastProgress = Clock.monotonicNanoseconds()
        var furthest: (UInt32, UInt64) = (0, 0)
        var failures = 0
        while true {
            guard !isCancelled, let link = link() else { throw .superseded }
            do {
                try attempt(snapshot, link) { file, offset in
                    guard (file, offset) > furthest else { return }
                    furthest = (file, offset)
                    lastProgress = Clock.monotonicNanoseconds()
                    failures = 0
                }
                return
            } catch let error as SnapshotError where !error.isTransient {
                throw error
            } catch {
                failures += 1
                link.log.info(
                    "a snapshot's connection ended",
                    metadata: ["error": "\(error)", "failures": "\(failures)"]
                )
            }
            let idle = Clock.monotonicNanoseconds() - lastProgress
            guard idle < UInt64(limits.stallNanoseconds) else {
                throw .stalled
            }
            let pause = context.backoff(failures: failures)
            try? link.eventLoop.scheduleTask(in: pause) {}.futureResult.wait()
        }
    }

    private func attempt(
        _ snapshot: OutgoingSnapshot,
        _ link: PeerLink,
        progress: (UInt32, UInt64) -> Void
    ) throws {
        guard let address = PeerAddress(link.member.address) else {
            throw PeersError.address(link.member.address)
        }
        let exchange = try connect(to: address, link, snapshot.offer)
        defer {
            state.withLock { $0.channel = nil }
            exchange.channel.close(promise: nil)
        }
        do {
            let resume = try exchange.waitForResume(nanoseconds: limits.stallNanoseconds)
            progress(resume.file, resume.offset)
            try stream(snapshot, from: resume, exchange, progress)
            exchange.channel.write(.snapshotDone(.init()), limits: context.limits)
            let verdict = try exchange.waitForVerdict(nanoseconds: limits.installNanoseconds)
            guard verdict.isTaken else { throw SnapshotError.refused(verdict.reason) }
        } catch {
            // What the receiver said explains why the connection ended.
            guard let verdict = exchange.saidVerdict else { throw error }
            guard verdict.isTaken else { throw SnapshotError.refused(verdict.reason) }
        }
    }

    private func connect(
        to address: PeerAddress,
        _ link: PeerLink,
        _ offer: SnapshotOffer
    ) throws -> SnapshotExchange {
        let contexts = context.tls.current()
        let timeout = TimeAmount.nanoseconds(limits.stallNanoseconds)
        let exchange = try context.connect(to: address, on: link.eventLoop, timeout: timeout)
            .flatMapThrowing { [context] channel in
                let exchange = SnapshotExchange(channel)
                do {
                    try channel.pipeline.syncOperations.addHandlers([
                        StalledWriteHandler(timeout: timeout),
                        try NIOSSLClientHandler(context: contexts.client, serverHostname: nil),
                        PeerFraming.decoder(frameBytesMax: context.limits.frameBytesMax),
                        SnapshotOutgoingHandler(exchange, link, offer),
                    ])
                } catch {
                    exchange.end(error)
                    throw error
                }
                return exchange
            }.wait()
        let isCancelled = state.withLock { state in
            state.channel = exchange.channel
            return state.isCancelled
        }
        if isCancelled { exchange.channel.close(promise: nil) }
        return exchange
    }

    /// Writes all chunks from a place on, a few ahead of what the socket has taken.
    private func stream(
        _ snapshot: OutgoingSnapshot,
        from resume: Brokerfs_Peer_SnapshotResume,
        _ exchange: SnapshotExchange,
        _ progress: (UInt32, UInt64) -> Void
    ) throws {
        let files = snapshot.offer.files
        guard resume.file <= UInt32(files.count) else {
            throw SnapshotError.badChunk("there is no such file")
        }
        var inFlight: [EventLoopFuture<Void>] = []
        for number in Int(resume.file)..<files.count {
            var offset = number == Int(resume.file) ? resume.offset : 0
            guard offset <= files[number].bytes else {
                throw SnapshotError.badChunk("there is no such place")
            }
            guard offset < files[number].bytes else { continue }
            let file = try SnapshotFile(reading: snapshot.directory + "/" + files[number].name)
            defer { file.close() }
            while offset < files[number].bytes {
                let rest = files[number].bytes - offset
                let bytes = try file.read(
                    at: offset,
                    bytesMax: Int(min(rest, UInt64(limits.chunkBytes)))
                )
                guard !bytes.isEmpty else {
                    throw SnapshotError.checkpoint("\(files[number].name) has become shorter")
                }
                inFlight.append(try write(bytes, UInt32(number), offset, exchange.channel))
                offset += UInt64(bytes.count)
                if inFlight.count >= limits.chunksInFlightMax {
                    try exchange.wait(
                        inFlight.removeFirst(),
                        nanoseconds: limits.stallNanoseconds
                    )
                    progress(UInt32(number), offset)
                }
            }
        }
        for future in inFlight {
            try exchange.wait(future, nanoseconds: limits.stallNanoseconds)
        }
    }

    private func write(
        _ bytes: [UInt8],
        _ file: UInt32,
        _ offset: UInt64,
        _ channel: any Channel
    ) throws -> EventLoopFuture<Void> {
        var chunk = Brokerfs_Peer_SnapshotChunk()
        chunk.file = file
        chunk.offset = offset
        chunk.data = Data(bytes)
        chunk.sha256 = Data(SHA256.hash(data: bytes))
        var buffer = channel.allocator.buffer(capacity: bytes.count + 128)
        try PeerFraming.append(
            .snapshotChunk(chunk),
            to: &buffer,
            frameBytesMax: context.limits.frameBytesMax
        )
        return channel.writeAndFlush(buffer)
    }
}
