// SPDX-License-Identifier: Apache-2.0

import CFuse3
import FSMap
import Glibc
import Identity

/// The answer that one kernel request is owed; fuse_reply_*(3) of libfuse.
///
/// INVARIANT: every request is answered exactly once. Each method consumes the value, and a value
/// that is dropped answers EIO, so a forgotten reply is an error and never a hang.
/// INVARIANT: what depends on the state of a node in a group is sent only while the node vouches
/// for it, by the clock as it is then; and the kernel may believe nothing for longer.
struct Reply: ~Copyable {
    private let request: fuse_req_t?
    /// Whether the answer depends on the state; not so where it tells how a change went.
    private let needsVouching: Bool

    /// Takes over the duty to answer.
    init(_ request: fuse_req_t?, needsVouching: Bool = false) {
        self.request = request
        self.needsVouching = needsVouching
    }

    private var isVouched: Bool { !needsVouching || FuseServer.serving(request).isVouched }

    deinit {
        fuse_reply_err(request, errnoValue(for: .io("the reply was forgotten")))
    }

    /// Hands the duty to whoever holds the request from now on.
    consuming func surrender() -> fuse_req_t? {
        let request = request
        discard self
        return request
    }

    /// On whose behalf the kernel asks.
    var caller: Caller {
        let context = fuse_req_ctx(request)?.pointee
        return Caller(uid: context?.uid ?? .max, gid: context?.gid ?? .max)
    }

    /// The thread that waits in the kernel, by its number in the daemon's namespace.
    var callerThread: Int32 { FuseMount.callerThread(request) }

    /// The process that asks; 0 for one that this process cannot see.
    var callerPID: Int32 {
        fuse_req_ctx(request)?.pointee.pid ?? 0
    }

    private var cacheSecondsMax: Double { FuseServer.serving(request).cacheSecondsMax }

    /// Answers with an errno value, 0 for success.
    consuming func status(_ number: Int32) {
        fuse_reply_err(request, number)
        discard self
    }

    /// Answers with a refusal.
    consuming func error(_ error: FSError) {
        status(errnoValue(for: isVouched ? error : .stale))
    }

    /// Answers that nothing is to be answered; only for forget.
    consuming func none() {
        fuse_reply_none(request)
        discard self
    }

    /// Answers with a name's inode.
    ///
    /// False: the caller has gone, the kernel did not take it; or nobody vouches for it any more.
    consuming func entry(_ entry: Entry) -> Bool {
        guard isVouched else {
            error(.stale)
            return false
        }
        var parameters = entryParameters(entry, secondsMax: cacheSecondsMax)
        let delivered = fuse_reply_entry(request, &parameters) == 0
        discard self
        return delivered
    }

    /// Answers that a name does not exist; the kernel may believe so for a while.
    consuming func missing(seconds: Double) {
        let seconds = min(seconds, cacheSecondsMax)
        guard isVouched, seconds > 0 else { return error(.notFound) }
        var parameters = fuse_entry_param()
        parameters.entry_timeout = seconds
        fuse_reply_entry(request, &parameters)
        discard self
    }

    /// Answers with attributes.
    consuming func attributes(_ attributes: Attributes, seconds: Double) {
        guard isVouched else { return error(.stale) }
        var status = fileStatus(attributes)
        fuse_reply_attr(request, &status, min(seconds, cacheSecondsMax))
        discard self
    }

    /// Answers with a link's target.
    consuming func target(_ target: String) {
        guard isVouched else { return error(.stale) }
        fuse_reply_readlink(request, target)
        discard self
    }

    /// Answers an open.
    ///
    /// False: the caller has gone, no release will come; or nobody vouches for it any more.
    consuming func opened(_ information: fuse_file_info) -> Bool {
        guard isVouched else {
            error(.stale)
            return false
        }
        var information = information
        let delivered = fuse_reply_open(request, &information) == 0
        discard self
        return delivered
    }

    /// Answers a create.
    ///
    /// False: the caller has gone, neither release nor forget will come; or nobody vouches for it.
    consuming func created(_ entry: Entry, _ information: fuse_file_info) -> Bool {
        guard isVouched else {
            error(.stale)
            return false
        }
        var parameters = entryParameters(entry, secondsMax: cacheSecondsMax)
        var information = information
        let delivered = fuse_reply_create(request, &parameters, &information) == 0
        discard self
        return delivered
    }

    /// Answers with bytes, which are not copied before the kernel takes them.
    @discardableResult
    consuming func bytes(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard isVouched else {
            error(.stale)
            return false
        }
        let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
        let delivered = fuse_reply_buf(request, start, bytes.count) == 0
        discard self
        return delivered
    }

    /// Answers with the bytes of a slice, in place.
    consuming func bytes(of slice: ArraySlice<UInt8>) {
        // A closure cannot consume the reply, so it is handed over as the bare request.
        let needsVouching = needsVouching
        let request = surrender()
        slice.withUnsafeBytes { _ = Reply(request, needsVouching: needsVouching).bytes($0) }
    }

    /// Answers a write: so many bytes were taken.
    consuming func written(_ count: Int) {
        fuse_reply_write(request, count)
        discard self
    }

    /// Answers a poll: what can be done without waiting.
    consuming func polled(_ events: Int32) {
        guard isVouched else { return error(.stale) }
        fuse_reply_poll(request, UInt32(bitPattern: events))
        discard self
    }

    /// Answers by the size protocol of getxattr(2): asked with size 0, how many bytes there are.
    consuming func attribute(_ value: [UInt8], bytesMax: Int) {
        guard isVouched else { return error(.stale) }
        guard bytesMax > 0 else { return attributeSize(value.count) }
        guard value.count <= bytesMax else { return status(bufferTooSmall) }
        bytes(of: value[...])
    }

    private consuming func attributeSize(_ count: Int) {
        fuse_reply_xattr(request, count)
        discard self
    }

    /// Answers a statfs.
    consuming func statistics(_ statistics: statvfs) {
        guard isVouched else { return error(.stale) }
        var statistics = statistics
        fuse_reply_statfs(request, &statistics)
        discard self
    }
}

/// The thread that waits for the answer to a request, by its number in the daemon's namespace.
func callerThread(_ request: fuse_req_t?) -> Int32 {
    fuse_req_ctx(request)?.pointee.pid ?? 0
}

/// The file type bits of st_mode.
func typeBits(_ kind: FileKind) -> mode_t {
    switch kind {
    case .directory: S_IFDIR
    case .regular: S_IFREG
    case .symlink: S_IFLNK
    }
}

/// The stat(2) of a file.
///
/// There is one time, so all three show it.
private func fileStatus(_ attributes: Attributes) -> stat {
    var status = stat()
    status.st_ino = UInt(attributes.number)
    status.st_mode = typeBits(attributes.kind) | attributes.mode
    status.st_nlink = nlink_t(attributes.links)
    status.st_uid = attributes.uid
    status.st_gid = attributes.gid
    status.st_size = off_t(clamping: attributes.sizeBytes)
    status.st_blksize = 4096
    status.st_blocks = blkcnt_t(clamping: (attributes.sizeBytes + 511) / 512)
    let modified = timespec(
        tv_sec: time_t(attributes.modifiedAt.seconds),
        tv_nsec: Int(attributes.modifiedAt.nanoseconds)
    )
    status.st_mtim = modified
    status.st_ctim = modified
    status.st_atim = modified
    return status
}

/// What the kernel is told of a name and its inode, to be believed at most so long.
func entryParameters(_ entry: Entry, secondsMax: Double) -> fuse_entry_param {
    var parameters = fuse_entry_param()
    parameters.ino = entry.inode
    parameters.attr = fileStatus(entry.attributes)
    parameters.attr_timeout = min(entry.attributeSeconds, secondsMax)
    parameters.entry_timeout = min(entry.entrySeconds, secondsMax)
    return parameters
}
