// SPDX-License-Identifier: Apache-2.0

import CFuse3
import FSMap
import Glibc
import Node
import Synchronization

/// The open files on whose news somebody waits in poll(2); fuse_pollhandle of libfuse.
///
/// INVARIANT: at most one poll handle for each open file, destroyed once, by whoever takes it out.
final class PollTable: Sendable {
    private struct State {
        /// The addresses of the poll handles, by the file's handle.
        var waiting: [UInt64: UInt] = [:]
        var isClosed = false
    }

    private let state = Mutex(State())

    /// Whether nobody waits.
    var isEmpty: Bool { state.withLock { $0.waiting.isEmpty } }

    /// Keeps a poll handle until the next news; the one before it is of no more use.
    func add(_ pollHandle: OpaquePointer, for handle: UInt64) {
        let address = UInt(bitPattern: pollHandle)
        let useless = state.withLock { state -> UInt? in
            guard !state.isClosed else { return address }
            return state.waiting.updateValue(address, forKey: handle)
        }
        Self.destroy(useless)
    }

    /// The file is closed, or never has news.
    func remove(_ handle: UInt64) {
        Self.destroy(state.withLock { $0.waiting.removeValue(forKey: handle) })
    }

    /// Wakes everybody who waits: they poll again.
    ///
    /// Never from a request's handler, like all that is sent to the kernel unasked.
    func wakeAll() {
        let addresses = state.withLock { state in
            defer { state.waiting = [:] }
            return state.waiting.sorted { $0.key < $1.key }.map(\.value)
        }
        for address in addresses {
            // Who has gone meanwhile is not missed.
            _ = fuse_lowlevel_notify_poll(OpaquePointer(bitPattern: address))
            Self.destroy(address)
        }
    }

    /// Keeps nothing any more; the session is about to go.
    func close() {
        let addresses = state.withLock { state in
            defer { (state.waiting, state.isClosed) = ([:], true) }
            return state.waiting.sorted { $0.key < $1.key }.map(\.value)
        }
        for address in addresses { Self.destroy(address) }
    }

    private static func destroy(_ address: UInt?) {
        guard let address, let pollHandle = OpaquePointer(bitPattern: address) else { return }
        fuse_pollhandle_destroy(pollHandle)
    }
}

/// POLL: `events/all.jsonl` is readable when it has more than the handle has read, a value of
/// `cluster/` when it is not what the handle has read.
///
/// All other files always are, as files on a disk.
func pollFile(
    _ request: fuse_req_t?,
    _ inode: fuse_ino_t,
    _ information: UnsafeMutablePointer<fuse_file_info>?,
    _ pollHandle: OpaquePointer?
) {
    let server = FuseServer.serving(request)
    let handle = handle(information)
    // Before looking: news from now on wakes whoever waits.
    if let pollHandle { server.polls.add(pollHandle, for: handle) }
    guard let reply = server.admit(request, about: inode) else { return }
    switch server.files.hasNews(handle, view: server.node.view()) {
    case true?: reply.polled(POLLIN | POLLRDNORM)
    case false?: reply.polled(0)
    case nil:
        server.polls.remove(handle)
        reply.polled(POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM)
    }
}
