// SPDX-License-Identifier: Apache-2.0

import CFuse3
import FSMap
import Glibc
import Synchronization

/// A libfuse session and what is sent to the kernel unasked; fuse_lowlevel_notify_*(3).
///
/// INVARIANT: used by the mount's own threads until they have ended, and by others only between
///            ``SessionGate/enter()`` and ``SessionGate/leave()``; destroyed after both.
final class Session: Sendable {
    // SAFETY: libfuse's session may be used from many threads; its life is guarded as said above.
    private nonisolated(unsafe) let pointer: OpaquePointer
    private let isEpochKnown = Atomic<Bool>(true)
    private let isPruneKnown = Atomic<Bool>(true)

    /// Makes a session that serves `server`, which must outlive it.
    init(_ server: FuseServer, arguments: [String]) throws(MountError) {
        var operations = fuseOperations(server.kind)
        var values = arguments.map { strdup($0) }
        defer { for value in values { free(value) } }
        let size = MemoryLayout<fuse_lowlevel_ops>.size
        let userdata = Unmanaged.passUnretained(server).toOpaque()
        let count = Int32(values.count)
        let made = values.withUnsafeMutableBufferPointer { values in
            var list = fuse_args(argc: count, argv: values.baseAddress, allocated: 0)
            defer { fuse_opt_free_args(&list) }
            return fuse_session_new(&list, &operations, size, userdata)
        }
        guard let made else { throw .failed("libfuse refuses its options", errno: EINVAL) }
        pointer = made
    }

    /// Mounts by fusermount3(1), whose error text goes to stderr.
    ///
    /// False: it refused.
    func mountAsUser(_ directory: String) -> Bool {
        fuse_session_mount(pointer, directory) == 0
    }

    /// The descriptor that a mount by ``mountAsUser(_:)`` has.
    var descriptor: Int32 { fuse_session_fd(pointer) }

    /// Reads and writes `descriptor` by our own functions, so that the INIT reply can be mended.
    func useOwnIO(_ descriptor: Int32) -> Bool {
        var functions = fuse_custom_io()
        functions.read = { descriptor, buffer, count, _ in read(descriptor, buffer, count) }
        functions.writev = writeReply
        return fuse_session_custom_io(pointer, &functions, descriptor) == 0
    }

    /// Reads one request and handles it.
    ///
    /// False: the session has ended.
    ///
    /// A signal makes it return without a request.
    func serve(_ buffer: inout fuse_buf, counting requests: RequestCounts) -> Bool {
        let count = fuse_session_receive_buf(pointer, &buffer)
        if count == -EINTR || count == -EAGAIN { return !isEnded }
        guard count > 0 else { return false }
        requests.count(opcode: buffer.mem.load(fromByteOffset: 4, as: UInt32.self))
        fuse_session_process_buf(pointer, &buffer)
        return true
    }

    /// Whether the kernel has ended the session or ``end()`` was called.
    var isEnded: Bool { fuse_session_exited(pointer) != 0 }

    /// Makes the threads stop at the next request or signal.
    func end() { fuse_session_exit(pointer) }

    /// Closes the descriptor, which aborts the connection, and frees the session.
    func destroy() { fuse_session_destroy(pointer) }

    /// Tells the kernel to forget something; a name it does not know is success.
    ///
    /// May wait for the directory's lock, except for `.content`, `.attributes`, `.listing`,
    /// `.unused` and the epoch. EINVAL: the kernel is too old for `.unused` or the epoch.
    /// Returns an errno value; 0 for success.
    func notify(_ invalidation: Invalidation) -> Int32 {
        let result =
            switch invalidation {
            case .content(let inode): fuse_lowlevel_notify_inval_inode(pointer, inode, 0, 0)
            // A negative offset leaves the pages alone.
            case .attributes(let inode): fuse_lowlevel_notify_inval_inode(pointer, inode, -1, 0)
            case .listing(let inode): fuse_lowlevel_notify_inval_inode(pointer, inode, 0, 0)
            case .entry(let parent, let name): invalidateEntry(parent, name)
            case .delete(let parent, let child, let name): delete(parent, child, name)
            case .unused(let inodes): prune(inodes)
            case .everything: advanceEpoch()
            }
        return result == -ENOENT ? 0 : -result
    }

    /// The same; false where the kernel is too old for it.
    func isUnderstood(_ invalidation: Invalidation) -> Bool { notify(invalidation) != EINVAL }

    private func invalidateEntry(_ parent: UInt64, _ name: String) -> Int32 {
        fuse_lowlevel_notify_inval_entry(pointer, parent, name, name.utf8.count)
    }

    private func delete(_ parent: UInt64, _ child: UInt64, _ name: String) -> Int32 {
        let result =
            fuse_lowlevel_notify_delete(pointer, parent, child, name, name.utf8.count)
        guard result != 0, result != -ENOENT else { return result }
        // A directory that is not empty in the cache cannot be deleted there, only forgotten.
        return invalidateEntry(parent, name)
    }

    /// Has all cached names looked up again when they are next used.
    ///
    /// FUSE_NOTIFY_INC_EPOCH of protocol 7.44, for which libfuse 3.14 has no call.
    private func advanceEpoch() -> Int32 {
        send(code: 8, [], isEpochKnown)
    }

    /// Has inodes forgotten that are cached and not used; takes no directory's lock.
    ///
    /// FUSE_NOTIFY_PRUNE of protocol 7.45, for which libfuse 3.14 has no call.
    private func prune(_ inodes: [UInt64]) -> Int32 {
        // struct fuse_notify_prune_out { uint32_t count; uint32_t padding; uint64_t spare; }
        send(code: 9, [UInt64(UInt32(inodes.count)), 0] + inodes, isPruneKnown)
    }

    /// Writes a notification; -EINVAL from a kernel that does not know it, which is then not asked
    /// again.
    private func send(code: UInt64, _ body: [UInt64], _ isKnown: borrowing Atomic<Bool>) -> Int32 {
        guard isKnown.load(ordering: .relaxed) else { return -EINVAL }
        // struct fuse_out_header { uint32_t len; int32_t error; uint64_t unique; }, little-endian.
        let bytes = UInt64((body.count + 2) * MemoryLayout<UInt64>.size)
        let message = [bytes | code << 32, 0] + body
        let written = message.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard written < 0 else { return 0 }
        let number = errno
        if number == EINVAL { isKnown.store(false, ordering: .relaxed) }
        return -number
    }
}

/// writev(2), except that the INIT reply gets FUSE_PARALLEL_DIROPS.
///
/// libfuse before 3.17 forgets to pass that flag on, and without it the kernel sends the lookups
/// in one directory one after the other.
private func writeReply(
    _ descriptor: Int32,
    _ parts: UnsafeMutablePointer<iovec>?,
    _ count: Int32,
    _ userdata: UnsafeMutableRawPointer?
) -> Int {
    let server = FuseServer.server(userdata)
    guard !server.isInitialized.load(ordering: .relaxed) else {
        return writev(descriptor, parts, count)
    }
    // A struct fuse_out_header of 16 bytes and a struct fuse_init_out of 64; its flags are at 12.
    guard let parts, count == 2, parts[0].iov_len == 16, parts[1].iov_len == 64,
        let reply = parts[1].iov_base
    else {
        return writev(descriptor, parts, count)
    }
    let flags = reply.loadUnaligned(fromByteOffset: 12, as: UInt32.self)
    let patched = flags | UInt32(FUSE_CAP_PARALLEL_DIROPS)
    reply.storeBytes(of: patched, toByteOffset: 12, as: UInt32.self)
    let written = writev(descriptor, parts, count)
    if written > 0 {
        server.isInitialized.store(true, ordering: .relaxed)
        server.initialized.post()
    }
    return written
}
