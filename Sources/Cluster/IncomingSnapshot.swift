// SPDX-License-Identifier: Apache-2.0

import Crypto
import Foundation
import Glibc
import Identity
import Raft
import Synchronization

/// A copy of the state that is arriving: its files grow one after the other, each is durable and
/// compared with its hash before the next one begins.
///
/// INVARIANT: what is before (`file`, `offset`) is on disk as its chunks' hashes say.
final class IncomingSnapshot: Sendable {
    private struct State {
        /// Of the newest connection: the sender may be of another term by now.
        var message: Raft.Message
        var file = 0
        var offset: UInt64 = 0
        var open: SnapshotFile?
        var hash = SHA256()
        /// The connection that may write; a newer one takes over.
        var claim: UInt64
        var isAttached = true
        var detachedAt: UInt64 = 0
        var isAbandoned = false
    }

    let sender: MemberID
    let id: [UInt8]
    let directory: String
    private let parent: String
    private let files: [SnapshotFiles.File]
    private let chunkBytesMax: Int
    private let state: Mutex<State>

    /// Makes the directory.
    init(
        _ offer: SnapshotOffer,
        in parent: String,
        claim: UInt64,
        limits: SnapshotLimits
    ) throws(SnapshotError) {
        sender = offer.message.from
        id = offer.id
        files = offer.files
        chunkBytesMax = limits.chunkBytes
        self.parent = parent
        directory = "\(parent)/\(offer.message.from)-\(offer.name)"
        state = Mutex(State(message: offer.message, claim: claim))
        guard mkdir(directory, 0o700) == 0 else { throw .failed(directory) }
    }

    /// Whether it is this copy that is offered, perhaps by a later leadership of the sender.
    func isSame(as offer: SnapshotOffer) -> Bool {
        sender == offer.message.from && id == offer.id && files == offer.files
            && state.withLock { $0.message.kind == offer.message.kind }
    }

    /// Lets a connection go on; answers where.
    func attach(
        _ offer: SnapshotOffer,
        _ claim: UInt64
    ) throws(SnapshotError) -> Brokerfs_Peer_SnapshotResume {
        typealias Outcome = Result<Brokerfs_Peer_SnapshotResume, SnapshotError>
        let result = state.withLock { state -> Outcome in
            guard !state.isAbandoned else { return .failure(.superseded) }
            state.claim = claim
            state.message = offer.message
            state.isAttached = true
            do throws(SnapshotError) {
                try finishFiles(&state)
            } catch {
                return .failure(error)
            }
            var resume = Brokerfs_Peer_SnapshotResume()
            resume.file = UInt32(state.file)
            resume.offset = state.offset
            return .success(resume)
        }
        return try result.get()
    }

    /// The connection has ended; answers whether it was the one that may write.
    func detach(_ claim: UInt64, now: UInt64) {
        state.withLock { state in
            guard state.claim == claim else { return }
            state.isAttached = false
            state.detachedAt = now
        }
    }

    /// When the last connection ended; nil while there is one.
    var detachedAt: UInt64? {
        state.withLock { $0.isAttached ? nil : $0.detachedAt }
    }

    func write(_ chunk: Brokerfs_Peer_SnapshotChunk, _ claim: UInt64) throws(SnapshotError) {
        let data = [UInt8](chunk.data)
        guard !data.isEmpty, data.count <= chunkBytesMax else { throw .badChunk("its size") }
        guard Array(SHA256.hash(data: data)) == [UInt8](chunk.sha256) else {
            throw .badChunk("it is not what its hash says")
        }
        let result = state.withLock { state -> Result<Void, SnapshotError> in
            do throws(SnapshotError) {
                try write(data, chunk, claim, &state)
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    private func write(
        _ data: [UInt8],
        _ chunk: Brokerfs_Peer_SnapshotChunk,
        _ claim: UInt64,
        _ state: inout State
    ) throws(SnapshotError) {
        guard !state.isAbandoned, state.claim == claim else { throw .superseded }
        guard state.file < files.count, chunk.file == UInt32(state.file),
            chunk.offset == state.offset,
            UInt64(data.count) <= files[state.file].bytes - state.offset
        else { throw .badChunk("it is not the next one") }
        if state.open == nil { state.open = try SnapshotFile(creating: path(of: state.file)) }
        try state.open?.write(data, at: state.offset)
        state.hash.update(data: data)
        state.offset += UInt64(data.count)
        try finishFiles(&state)
    }

    /// Ends the file that is whole, and those behind it that have no bytes.
    private func finishFiles(_ state: inout State) throws(SnapshotError) {
        while state.file < files.count {
            let file = files[state.file]
            guard state.offset == file.bytes else { return }
            // A file without bytes has no chunk that would have made it.
            if state.open == nil { state.open = try SnapshotFile(creating: path(of: state.file)) }
            guard let open = state.open else { return }
            defer { open.close() }
            state.open = nil
            try open.sync()
            guard Array(state.hash.finalize()) == file.sha256 else {
                throw .corrupt(file: file.name)
            }
            state.hash = SHA256()
            state.file += 1
            state.offset = 0
        }
    }

    private func path(of file: Int) -> String { directory + "/" + files[file].name }

    /// Makes the whole copy durable, and answers what it is; from here on nobody writes to it.
    func finish(_ claim: UInt64) throws(SnapshotError) -> Raft.Message {
        let result = state.withLock { state -> Result<Raft.Message, SnapshotError> in
            guard !state.isAbandoned, state.claim == claim else { return .failure(.superseded) }
            guard state.file == files.count else {
                return .failure(.badChunk("there are files missing"))
            }
            state.isAbandoned = true
            return .success(state.message)
        }
        let message = try result.get()
        try SnapshotFiles.sync(directory: directory)
        try SnapshotFiles.sync(directory: parent)
        return message
    }

    /// Ends the transfer and removes what has come.
    func abandon() throws(SnapshotError) {
        state.withLock { state in
            state.isAbandoned = true
            state.open?.close()
            state.open = nil
        }
        try SnapshotFiles.remove(directory)
    }
}
