// SPDX-License-Identifier: Apache-2.0

import CFuse3
import FSMap
import Glibc
import Synchronization

/// The table of libfuse's low-level operations.
///
/// What is left out is answered ENOSYS by libfuse, which the kernel remembers: locks are the
/// kernel's own, copy_file_range(2) copies by reading and writing, access(2) is decided by the
/// kernel (default_permissions).
func fuseOperations(_ kind: MountKind) -> fuse_lowlevel_ops {
    var operations = fuse_lowlevel_ops()
    operations.`init` = initializeConnection
    operations.lookup = lookupName
    operations.forget = forgetInode
    operations.forget_multi = forgetInodes
    operations.getattr = readAttributes
    operations.setattr = changeAttributes
    operations.readlink = readTarget
    operations.statfs = readStatistics
    operations.getxattr = readExtendedAttribute
    operations.listxattr = listExtendedAttributes
    operations.setxattr = { request, _, _, _, _, _ in refuse(request, .unsupported) }
    operations.removexattr = { request, _, _ in refuse(request, .unsupported) }
    operations.open = openFile
    operations.create = createFile
    operations.read = readFile
    operations.write = writeFile
    operations.flush = flushFile
    operations.fsync = { request, inode, _, information in
        flushFile(request, inode, information)
    }
    operations.poll = pollFile
    operations.release = releaseFile
    operations.opendir = openDirectory
    operations.readdir = readDirectory
    operations.readdirplus = readDirectoryPlus
    operations.releasedir = releaseDirectory
    // A change is durable before it is acknowledged, so there is nothing left to sync.
    operations.fsyncdir = { request, _, _, _ in Reply(request).status(0) }
    operations.unlink = unlinkName
    operations.rmdir = removeDirectory
    operations.mkdir = makeDirectory
    operations.rename = renameName
    operations.link = { request, _, _, _ in refuse(request, .notPermitted) }
    operations.symlink = { request, _, _, _ in refuse(request, .notPermitted) }
    operations.mknod = makeNode
    if kind.isReadOnly { operations.refuseChanges() }
    if kind.isOpenless { operations.leaveOpeningToKernel() }
    return operations
}

/// Answers to what is never done, and first whether anything is.
private func refuse(_ request: fuse_req_t?, _ error: FSError) {
    Reply(request).error(FuseServer.serving(request).refusal(of: .other) ?? error)
}

extension fuse_lowlevel_ops {
    /// The kernel refuses changes by itself on such a mount, until somebody remounts it.
    fileprivate mutating func refuseChanges() {
        setattr = { request, _, _, _, _ in Reply(request).error(.readOnly) }
        setxattr = { request, _, _, _, _, _ in Reply(request).error(.readOnly) }
        removexattr = { request, _, _ in Reply(request).error(.readOnly) }
        create = { request, _, _, _, _ in Reply(request).error(.readOnly) }
        write = { request, _, _, _, _, _ in Reply(request).error(.readOnly) }
        unlink = { request, _, _ in Reply(request).error(.readOnly) }
        rmdir = { request, _, _ in Reply(request).error(.readOnly) }
        mkdir = { request, _, _, _ in Reply(request).error(.readOnly) }
        rename = { request, _, _, _, _, _ in Reply(request).error(.readOnly) }
        link = { request, _, _, _ in Reply(request).error(.readOnly) }
        symlink = { request, _, _, _ in Reply(request).error(.readOnly) }
        mknod = { request, _, _, _, _ in Reply(request).error(.readOnly) }
    }

    /// FUSE_NO_OPEN_SUPPORT: after the first of these the kernel sends no OPEN, FLUSH and RELEASE
    /// any more, and keeps the pages of a file as long as its attributes.
    ///
    /// Directories are opened, because not every listing may be cached.
    fileprivate mutating func leaveOpeningToKernel() {
        open = { request, _, _ in Reply(request).status(notImplemented) }
        flush = { request, _, _ in Reply(request).status(notImplemented) }
        read = readUnopened
    }
}

/// Chooses the features of the connection.
///
/// Every change is pushed, so EXPLICIT_INVAL_DATA would do; AUTO_INVAL_DATA is asked for all the
/// same. It costs nothing while attributes are valid, and between a change and its invalidation
/// the new size must not be shown with the old pages, which the explicit mode would do.
private func initializeConnection(
    _ userdata: UnsafeMutableRawPointer?,
    _ connection: UnsafeMutablePointer<fuse_conn_info>?
) {
    guard let connection else { return }
    let wanted =
        FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_READDIRPLUS
        | FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_CACHE_SYMLINKS
    // With the write-back cache the kernel trusts its own sizes and times; locks are local.
    let unwanted =
        FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_FLOCK_LOCKS
        | FUSE_CAP_POSIX_LOCKS
    let capable = connection.pointee.capable
    connection.pointee.want |= UInt32(wanted) & capable
    connection.pointee.want &= ~UInt32(unwanted)
}

/// A name as text.
///
/// Throws for bytes that are not UTF-8, which no file of the tree is named.
func validName(_ name: UnsafePointer<CChar>?) throws(FSError) -> String {
    guard let name, let text = String(validatingCString: name) else {
        throw .invalid("the name is not UTF-8")
    }
    return text
}

/// The handle that open(2) was answered with.
func handle(_ information: UnsafeMutablePointer<fuse_file_info>?) -> UInt64 {
    information?.pointee.fh ?? 0
}
