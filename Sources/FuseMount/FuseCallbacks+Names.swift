// SPDX-License-Identifier: Apache-2.0

import CFuse3
import FSMap
import Glibc
import Node
import Synchronization

// LOOKUP, FORGET, READLINK and STATFS.

func lookupName(_ request: fuse_req_t?, _ parent: fuse_ino_t, _ name: UnsafePointer<CChar>?) {
    let server = FuseServer.serving(request)
    guard let name, let name = String(validatingCString: name) else {
        return Reply(request).error(.notFound)
    }
    switch server.replayer.lookup(name, in: parent, caller: callerThread(request)) {
    case .asEver: break
    case .missing: return Reply(request).missing(seconds: 0)
    case .found(let ghost):
        _ = Reply(request).entry(ghost)
        return
    }
    guard let reply = server.admit(request, about: name, in: parent) else { return }
    let mark = server.files.mark()
    do throws(FSError) {
        let now = server.node.monotonicNanoseconds()
        switch try server.files.lookup(name, in: parent, now: now, view: server.view()) {
        case .missing(let seconds): reply.missing(seconds: seconds)
        case .found(let entry):
            if !reply.entry(entry) { server.files.undoLookup(entry.inode) }
            server.settleAttributes(mark, inode: entry.inode)
            server.trim(after: 1)
        }
    } catch {
        reply.error(error)
    }
    server.settle(mark, name: name, in: parent)
}

func forgetInode(_ request: fuse_req_t?, _ inode: fuse_ino_t, _ lookups: UInt64) {
    FuseServer.serving(request).files.forget(inode, lookups: lookups)
    Reply(request).none()
}

func forgetInodes(
    _ request: fuse_req_t?,
    _ count: Int,
    _ forgotten: UnsafeMutablePointer<fuse_forget_data>?
) {
    let files = FuseServer.serving(request).files
    for one in UnsafeBufferPointer(start: forgotten, count: count) {
        files.forget(one.ino, lookups: one.nlookup)
    }
    Reply(request).none()
}

func readTarget(_ request: fuse_req_t?, _ inode: fuse_ino_t) {
    let server = FuseServer.serving(request)
    guard let reply = server.admit(request, about: inode) else { return }
    let mark = server.files.mark()
    do throws(FSError) {
        let target = try server.files.target(of: inode, view: server.node.view())
        reply.target(target)
    } catch {
        reply.error(error)
    }
    server.settle(mark, inode: inode)
}

/// Used is what the records hold; free is what the disk below the node has left.
func readStatistics(_ request: fuse_req_t?, _ inode: fuse_ino_t) {
    let server = FuseServer.serving(request)
    guard let reply = server.admit(request, about: inode) else { return }
    do throws(FSError) {
        let used = try server.files.statistics(view: server.node.view())
        var below = statvfs()
        let isKnown = statvfs(server.node.configuration.dataDirectory, &below) == 0
        let blockBytes: UInt64 = 4096
        let freeBlocks = isKnown ? UInt64(below.f_bavail) * UInt64(below.f_frsize) / blockBytes : 0
        var statistics = statvfs()
        statistics.f_bsize = UInt(blockBytes)
        statistics.f_frsize = UInt(blockBytes)
        statistics.f_blocks = fsblkcnt_t((used.bytes + blockBytes - 1) / blockBytes + freeBlocks)
        statistics.f_bfree = fsblkcnt_t(freeBlocks)
        statistics.f_bavail = fsblkcnt_t(freeBlocks)
        statistics.f_files = fsfilcnt_t(used.files + UInt64(below.f_favail))
        statistics.f_ffree = below.f_favail
        statistics.f_favail = below.f_favail
        statistics.f_namemax = 255
        reply.statistics(statistics)
    } catch {
        reply.error(error)
    }
}
