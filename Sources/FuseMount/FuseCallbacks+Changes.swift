// SPDX-License-Identifier: Apache-2.0

import CFuse3
import FSMap
import Glibc
import Node

// UNLINK, RMDIR, MKDIR, MKNOD and RENAME. The kernel holds the directory's lock until the reply.

func unlinkName(_ request: fuse_req_t?, _ parent: fuse_ino_t, _ name: UnsafePointer<CChar>?) {
    let server = FuseServer.serving(request)
    let reply = Reply(request)
    let caller = reply.caller
    let played = server.replayer.isPlaying(
        .removed,
        name.flatMap { String(validatingCString: $0) } ?? "",
        in: parent,
        caller: reply.callerThread
    )
    if let played { return played ? reply.status(0) : reply.error(.notPermitted) }
    if let refusal = server.refusal(ofRemoving: name, in: parent) {
        return server.refuse(reply, refusal, "unlink", .directory(parent))
    }
    guard let ticket = server.pending.admit(reply) else { return }
    do throws(FSError) {
        let name = try validName(name)
        let view = server.node.view()
        let kind = try server.files.unlink(
            name,
            in: parent,
            caller: caller,
            now: server.node.monotonicNanoseconds(),
            view: view
        )
        guard let kind else { return server.answer(ticket) { $0.status(0) } }
        let own = server.files.removal(of: name, in: parent, view: view)
        let change = Change(operation: "unlink", place: .directory(parent), own: own)
        server.commit(kind, for: ticket, change) { _, reply in reply.status(0) }
    } catch {
        server.refuse(ticket, error, "unlink", .directory(parent))
    }
}

func removeDirectory(_ request: fuse_req_t?, _ parent: fuse_ino_t, _ name: UnsafePointer<CChar>?) {
    let server = FuseServer.serving(request)
    let played = server.replayer.isPlaying(
        .removed,
        name.flatMap { String(validatingCString: $0) } ?? "",
        in: parent,
        caller: callerThread(request)
    )
    let reply = Reply(request)
    if let played { return played ? reply.status(0) : reply.error(.notPermitted) }
    if let refusal = server.refusal(ofRemoving: name, in: parent) {
        return server.refuse(reply, refusal, "rmdir", .directory(parent))
    }
    guard let ticket = server.pending.admit(reply) else { return }
    do throws(FSError) {
        let name = try validName(name)
        guard
            let kind = try server.files.removeDirectory(
                name,
                in: parent,
                view: server.node.view()
            )
        else {
            return server.answer(ticket) { $0.status(0) }
        }
        let change = Change(operation: "rmdir", place: .directory(parent))
        server.commit(kind, for: ticket, change) { server, reply in
            server.files.directoryRemoved(name, in: parent)
            reply.status(0)
        }
    } catch {
        server.refuse(ticket, error, "rmdir", .directory(parent))
    }
}

/// Refused, because files come by open(2); except when a change from elsewhere is played again.
func makeNode(
    _ request: fuse_req_t?,
    _ parent: fuse_ino_t,
    _ name: UnsafePointer<CChar>?,
    _ mode: mode_t,
    _ device: dev_t
) {
    let server = FuseServer.serving(request)
    let reply = Reply(request)
    guard let name = name.flatMap({ String(validatingCString: $0) }),
        server.replayer.isPlaying(.created, name, in: parent, caller: reply.callerThread) == true
    else { return reply.error(server.refusal(of: .other) ?? .notPermitted) }
    server.showMade(name, in: parent, reply)
}

func makeDirectory(
    _ request: fuse_req_t?,
    _ parent: fuse_ino_t,
    _ name: UnsafePointer<CChar>?,
    _ mode: mode_t
) {
    let server = FuseServer.serving(request)
    let reply = Reply(request)
    if let name = name.flatMap({ String(validatingCString: $0) }),
        let isPlayed = server.replayer.isPlaying(
            .created,
            name,
            in: parent,
            caller: reply.callerThread
        )
    {
        return isPlayed ? server.showMade(name, in: parent, reply) : reply.error(.notPermitted)
    }
    if let refusal = server.refusal(of: .other) {
        return server.refuse(reply, refusal, "mkdir", .directory(parent))
    }
    guard let ticket = server.pending.admit(reply) else { return }
    do throws(FSError) {
        let name = try validName(name)
        let step = try server.files.makeDirectory(
            name,
            in: parent,
            now: server.node.monotonicNanoseconds(),
            view: server.node.view()
        )
        switch step {
        case .done(let entry): server.show(entry, ticket)
        case .commit(let kind):
            let change = Change(operation: "mkdir", place: .directory(parent))
            server.commit(kind, for: ticket, change) { server, reply in
                server.showMade(name, in: parent, reply)
            }
        }
    } catch {
        server.refuse(ticket, error, "mkdir", .directory(parent))
    }
}

extension FuseServer {
    /// Why a name cannot be removed here and now; nil where it can.
    fileprivate func refusal(ofRemoving name: UnsafePointer<CChar>?, in parent: UInt64) -> FSError?
    {
        guard let refusal = refusal(of: .other) else { return nil }
        guard followerWrites == .revocations, refusal == .readOnly,
            let name = name.flatMap({ String(validatingCString: $0) }),
            files.isRevocation(ofName: name, in: parent, view: node.view())
        else { return refusal }
        return self.refusal(of: .revocation)
    }

    /// Answers with an entry that counts as looked up, unless the request is answered already.
    fileprivate func show(_ entry: Entry, _ ticket: PendingRequests.Ticket) {
        guard let reply = pending.take(ticket) else { return files.undoLookup(entry.inode) }
        if !reply.entry(entry) { files.undoLookup(entry.inode) }
    }

    /// Answers with the entry of a directory that has just been committed.
    fileprivate func showMade(_ name: String, in parent: UInt64, _ reply: consuming Reply) {
        let mark = files.mark()
        do throws(FSError) {
            let now = node.monotonicNanoseconds()
            switch try files.lookup(name, in: parent, now: now, view: node.view()) {
            // Somebody has removed it again already.
            case .missing: reply.error(.notFound)
            case .found(let entry):
                if !reply.entry(entry) { files.undoLookup(entry.inode) }
                settleAttributes(mark, inode: entry.inode)
            }
        } catch {
            reply.error(error)
        }
        settle(mark, name: name, in: parent)
    }
}

/// The flags of renameat2(2) are refused, and mv(1) goes on without them: the kernel can promise
/// RENAME_NOREPLACE only for what it has looked up, and nothing here can be exchanged.
func renameName(
    _ request: fuse_req_t?,
    _ parent: fuse_ino_t,
    _ name: UnsafePointer<CChar>?,
    _ newParent: fuse_ino_t,
    _ newName: UnsafePointer<CChar>?,
    _ flags: UInt32
) {
    let server = FuseServer.serving(request)
    let reply = Reply(request)
    let caller = reply.caller
    if let refusal = server.refusal(of: .other) {
        return server.refuse(reply, refusal, "rename", .directory(newParent))
    }
    guard let ticket = server.pending.admit(reply) else { return }
    do throws(FSError) {
        guard flags == 0 else { throw .invalid("renameat2 flags \(flags)") }
        let step = try server.files.rename(
            validName(name),
            in: parent,
            to: validName(newName),
            in: newParent,
            caller: caller,
            now: server.node.monotonicNanoseconds(),
            view: server.node.view()
        )
        switch step {
        case .done(let stale):
            server.answer(ticket) { $0.status(0) }
            server.notifier.enqueue(stale)
        case .commit(let kind, let renaming):
            let own = renaming.own
            let change = Change(operation: "rename", place: .directory(newParent), own: own)
            server.commit(kind, for: ticket, change) { server, reply in
                let stale = server.files.renamed(renaming)
                reply.status(0)
                server.notifier.enqueue(stale)
            }
        }
    } catch {
        server.refuse(ticket, error, "rename", .directory(newParent))
    }
}
