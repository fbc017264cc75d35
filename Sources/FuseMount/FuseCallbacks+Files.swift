// SPDX-License-Identifier: Apache-2.0

import CFuse3
import FSMap
import Glibc
import Node
import Synchronization

// OPEN, CREATE, READ, WRITE, FLUSH, FSYNC and RELEASE.

extension OpenFlags {
    /// Whoever opens with one of them wants to change something.
    fileprivate static let changing: OpenFlags = [.write, .truncate]

    /// The flags of open(2).
    fileprivate init(_ flags: Int32) {
        self = []
        switch flags & O_ACCMODE {
        case O_RDONLY: insert(.read)
        case O_WRONLY: insert(.write)
        default: formUnion([.read, .write])
        }
        if flags & O_TRUNC != 0 { insert(.truncate) }
        if flags & O_APPEND != 0 { insert(.append) }
        if flags & O_EXCL != 0 { insert(.exclusive) }
    }
}

extension fuse_file_info {
    /// The reply to an open.
    ///
    /// Writers always bypass the page cache: the kernel keeps the page of a buffered write locked
    /// until the reply, and the invalidation that precedes that reply would wait for the page.
    fileprivate mutating func set(_ opened: Opened, _ flags: OpenFlags) {
        fh = opened.handle
        direct_io = opened.directIO || flags.contains(.write) ? 1 : 0
        keep_cache = opened.keepCache ? 1 : 0
        // Who cannot write has nothing that close(2) would have to wait for.
        noflush = flags.contains(.write) ? 0 : 1
    }
}

func openFile(
    _ request: fuse_req_t?,
    _ inode: fuse_ino_t,
    _ information: UnsafeMutablePointer<fuse_file_info>?
) {
    let server = FuseServer.serving(request)
    var information = information?.pointee ?? fuse_file_info()
    let flags = OpenFlags(information.flags)
    if !flags.isDisjoint(with: .changing), let refusal = server.refusal(of: .other) {
        return server.refuse(Reply(request), refusal, "open", .file(inode))
    }
    guard let reply = server.admit(request, about: inode) else { return }
    let mark = server.files.mark()
    do throws(FSError) {
        let opened = try server.files.open(
            inode,
            flags: flags,
            by: reply.caller.uid,
            view: server.snapshot()
        )
        information.set(opened, flags)
        server.openHandles.add(1, ordering: .relaxed)
        server.noteReveal(of: inode, to: reply)
        if !reply.opened(information) { server.release(opened.handle) }
    } catch {
        server.refuse(reply, error, "open", .file(inode))
    }
    server.settle(mark, inode: inode)
}

func createFile(
    _ request: fuse_req_t?,
    _ parent: fuse_ino_t,
    _ name: UnsafePointer<CChar>?,
    _ mode: mode_t,
    _ information: UnsafeMutablePointer<fuse_file_info>?
) {
    let server = FuseServer.serving(request)
    var information = information?.pointee ?? fuse_file_info()
    let flags = OpenFlags(information.flags)
    if let refusal = server.refusal(of: .other) {
        return server.refuse(Reply(request), refusal, "create", .directory(parent))
    }
    guard let reply = server.admit(request, about: parent) else { return }
    let mark = server.files.mark()
    do throws(FSError) {
        let name = try validName(name)
        let (entry, opened) = try server.files.create(
            name,
            in: parent,
            CreateRequest(
                flags: flags,
                mode: mode,
                caller: reply.caller,
                now: server.node.monotonicNanoseconds(),
                view: server.snapshot()
            )
        )
        information.set(opened, flags)
        server.openHandles.add(1, ordering: .relaxed)
        if !reply.created(entry, information) {
            server.files.undoLookup(entry.inode)
            server.release(opened.handle)
        }
        server.settleAttributes(mark, inode: entry.inode)
        server.settle(mark, name: name, in: parent)
    } catch {
        server.refuse(reply, error, "create", .directory(parent))
    }
}

func readFile(
    _ request: fuse_req_t?,
    _ inode: fuse_ino_t,
    _ count: Int,
    _ offset: off_t,
    _ information: UnsafeMutablePointer<fuse_file_info>?
) {
    let server = FuseServer.serving(request)
    guard let reply = server.admit(request, about: inode) else { return }
    let mark = server.files.mark()
    do throws(FSError) {
        let bytes = try server.files.read(
            handle(information),
            offset: UInt64(clamping: offset),
            count: count,
            view: server.node.view()
        )
        reply.bytes(of: bytes)
    } catch {
        reply.error(error)
    }
    server.settle(mark, inode: inode)
}

/// READ on a mount whose files are not opened.
func readUnopened(
    _ request: fuse_req_t?,
    _ inode: fuse_ino_t,
    _ count: Int,
    _ offset: off_t,
    _ information: UnsafeMutablePointer<fuse_file_info>?
) {
    let server = FuseServer.serving(request)
    guard let reply = server.admit(request, about: inode) else { return }
    let mark = server.files.mark()
    do throws(FSError) {
        let bytes = try server.files.read(
            inode: inode,
            offset: UInt64(clamping: offset),
            count: count,
            view: server.snapshot(),
            before: { server.before.withLock { $0.reversed() } }
        )
        reply.bytes(of: bytes)
    } catch {
        reply.error(error)
    }
    server.settle(mark, inode: inode)
}

func writeFile(
    _ request: fuse_req_t?,
    _ inode: fuse_ino_t,
    _ bytes: UnsafePointer<CChar>?,
    _ count: Int,
    _ offset: off_t,
    _ information: UnsafeMutablePointer<fuse_file_info>?
) {
    let server = FuseServer.serving(request)
    let handle = handle(information)
    if let refusal = server.refusal(of: .other) {
        // Half of what somebody wanted to write is never committed, whoever leads later.
        server.files.commitFailed(handle)
        return server.refuse(Reply(request), refusal, "write", .file(inode))
    }
    guard let ticket = server.pending.admit(Reply(request)) else { return }
    do throws(FSError) {
        let step = try server.files.write(
            handle,
            offset: UInt64(clamping: offset),
            bytes: Array(UnsafeRawBufferPointer(start: bytes, count: count)),
            now: server.node.monotonicNanoseconds(),
            view: server.node.view()
        )
        switch step {
        case .staged: server.answer(ticket) { $0.written(count) }
        case .commit(let kind):
            let own = server.files.writing(inode)
            let place = Change.Place.file(inode)
            let change = Change(operation: "write", place: place, handle: handle, own: own)
            server.commit(kind, for: ticket, change) { _, reply in
                reply.written(count)
            }
        }
    } catch {
        server.refuse(ticket, error, "write", .file(inode))
    }
}

/// FLUSH and FSYNC: what is staged is committed, and close(2) or fsync(2) reports how that went.
func flushFile(
    _ request: fuse_req_t?,
    _ inode: fuse_ino_t,
    _ information: UnsafeMutablePointer<fuse_file_info>?
) {
    let server = FuseServer.serving(request)
    let handle = handle(information)
    if let refusal = server.refusal(of: .other), server.files.dropStaged(handle) {
        return server.refuse(Reply(request), refusal, "flush", .file(inode))
    }
    guard let ticket = server.pending.admit(Reply(request)) else { return }
    do throws(FSError) {
        switch try server.files.flush(handle, view: server.node.view()) {
        case .clean: server.answer(ticket) { $0.status(0) }
        case .commit(let kind):
            let own = server.files.writing(inode)
            let place = Change.Place.file(inode)
            let change = Change(operation: "flush", place: place, handle: handle, own: own)
            server.commit(kind, for: ticket, change) { _, reply in
                reply.status(0)
            }
        }
    } catch {
        server.refuse(ticket, error, "flush", .file(inode))
    }
}

func releaseFile(
    _ request: fuse_req_t?,
    _ inode: fuse_ino_t,
    _ information: UnsafeMutablePointer<fuse_file_info>?
) {
    FuseServer.serving(request).release(handle(information))
    Reply(request).status(0)
}

extension FuseServer {
    /// Closes a handle of a file.
    fileprivate func release(_ handle: UInt64) {
        openHandles.subtract(1, ordering: .relaxed)
        polls.remove(handle)
        notifier.enqueue(files.release(handle))
    }
}
