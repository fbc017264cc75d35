// SPDX-License-Identifier: Apache-2.0

import CFuse3
import FSMap
import Node
import Synchronization

// OPENDIR, READDIR, READDIRPLUS and RELEASEDIR.

func openDirectory(
    _ request: fuse_req_t?,
    _ inode: fuse_ino_t,
    _ information: UnsafeMutablePointer<fuse_file_info>?
) {
    let server = FuseServer.serving(request)
    guard let reply = server.admit(request, about: inode) else { return }
    var information = information?.pointee ?? fuse_file_info()
    let mark = server.files.mark()
    do throws(FSError) {
        let opened = try server.files.openDirectory(
            inode,
            by: reply.caller.uid,
            view: server.snapshot()
        )
        information.fh = opened.handle
        // The listing is cached only with cache_readdir, and kept over this open with keep_cache.
        information.cache_readdir = opened.keepCache ? 1 : 0
        information.keep_cache = opened.keepCache ? 1 : 0
        server.openHandles.add(1, ordering: .relaxed)
        if !reply.opened(information) { server.releaseDirectory(opened.handle) }
    } catch {
        reply.error(error)
    }
    server.settle(mark, inode: inode)
}

func readDirectory(
    _ request: fuse_req_t?,
    _ inode: fuse_ino_t,
    _ bytesMax: Int,
    _ offset: off_t,
    _ information: UnsafeMutablePointer<fuse_file_info>?
) {
    let server = FuseServer.serving(request)
    guard let reply = server.admit(request, about: inode) else { return }
    let mark = server.files.mark()
    var listing = Listing(request, bytesMax: bytesMax)
    do throws(FSError) {
        try server.files.readDirectory(
            inode,
            handle: handle(information),
            after: UInt64(UInt(bitPattern: offset)),
            view: server.node.view()
        ) { entry in
            listing.append(entry)
        }
        reply.bytes(listing.bytes)
    } catch {
        reply.error(error)
    }
    server.settle(mark, inode: inode)
}

func readDirectoryPlus(
    _ request: fuse_req_t?,
    _ inode: fuse_ino_t,
    _ bytesMax: Int,
    _ offset: off_t,
    _ information: UnsafeMutablePointer<fuse_file_info>?
) {
    let server = FuseServer.serving(request)
    guard let reply = server.admit(request, about: inode) else { return }
    let mark = server.files.mark()
    var listing = Listing(request, bytesMax: bytesMax)
    var shown: [(name: String, inode: UInt64)] = []
    let isRootOfGroup = inode == FileSystem.rootInode && server.node.isInGroup
    do throws(FSError) {
        try server.files.readDirectoryPlus(
            inode,
            handle: handle(information),
            after: UInt64(UInt(bitPattern: offset)),
            now: server.node.monotonicNanoseconds(),
            view: server.view()
        ) { entry, found in
            var found = found
            if let hidden = found, isRootOfGroup, server.files.needsVouching(hidden.inode) {
                // The name is all that is shown of it without being asked.
                server.files.undoLookup(hidden.inode)
                found = nil
            }
            guard listing.append(entry, found) else { return false }
            if let found { shown.append((entry.name, found.inode)) }
            return true
        }
        if !reply.bytes(listing.bytes) {
            for one in shown { server.files.undoLookup(one.inode) }
        }
    } catch {
        reply.error(error)
    }
    server.settle(mark, inode: inode)
    server.trim(after: shown.count)
    for one in shown {
        server.settleAttributes(mark, inode: one.inode)
        server.settle(mark, name: one.name, in: inode)
    }
}

func releaseDirectory(
    _ request: fuse_req_t?,
    _ inode: fuse_ino_t,
    _ information: UnsafeMutablePointer<fuse_file_info>?
) {
    FuseServer.serving(request).releaseDirectory(handle(information))
    Reply(request).status(0)
}

extension FuseServer {
    /// Closes a handle of a directory.
    fileprivate func releaseDirectory(_ handle: UInt64) {
        openHandles.subtract(1, ordering: .relaxed)
        files.releaseDirectory(handle)
    }
}
