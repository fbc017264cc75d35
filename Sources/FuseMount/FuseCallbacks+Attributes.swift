// SPDX-License-Identifier: Apache-2.0

import CFuse3
import FSMap
import Glibc
import Node

// GETATTR, SETATTR, GETXATTR and LISTXATTR.

func readAttributes(
    _ request: fuse_req_t?,
    _ inode: fuse_ino_t,
    _ information: UnsafeMutablePointer<fuse_file_info>?
) {
    let server = FuseServer.serving(request)
    guard let reply = server.admit(request, about: inode) else { return }
    server.showAttributes(of: inode, handle: information?.pointee.fh, reply)
}

extension FuseServer {
    /// Answers with the attributes of a file as it is now.
    func showAttributes(of inode: UInt64, handle: UInt64?, _ reply: consuming Reply) {
        let mark = files.mark()
        do throws(FSError) {
            let (attributes, seconds) = try files.attributes(
                of: inode,
                handle: handle,
                now: node.monotonicNanoseconds(),
                view: view()
            )
            reply.attributes(attributes, seconds: seconds)
        } catch {
            reply.error(error)
        }
        settleAttributes(mark, inode: inode)
    }
}

/// Only the size can be changed.
///
/// Mode and owner may be set to what they are, because cp(1) and tar(1) do; times are accepted and
/// left alone, because they say when the record changed.
func changeAttributes(
    _ request: fuse_req_t?,
    _ inode: fuse_ino_t,
    _ wanted: UnsafeMutablePointer<stat>?,
    _ fields: Int32,
    _ information: UnsafeMutablePointer<fuse_file_info>?
) {
    let server = FuseServer.serving(request)
    let handle = information?.pointee.fh
    let reply = Reply(request)
    switch server.replayer.isPlaying(.changed, caller: reply.callerThread) {
    case true?: return server.showAttributes(of: inode, handle: nil, reply)
    case false?: return reply.error(.notPermitted)
    case nil: break
    }
    if let refusal = server.refusal(of: .other) {
        return server.refuse(reply, refusal, "setattr", .file(inode))
    }
    guard let ticket = server.pending.admit(reply) else { return }
    do throws(FSError) {
        guard let wanted = wanted?.pointee else { throw .invalid("no attributes") }
        if !server.changeScratch(inode, wanted, fields) {
            try server.checkUnchanged(inode, wanted, fields)
        }
        guard fields & FUSE_SET_ATTR_SIZE != 0 else {
            return server.answer(ticket) { reply in
                server.showAttributes(of: inode, handle: handle, reply)
            }
        }
        let step = try server.files.truncate(
            inode,
            handle: handle,
            sizeBytes: UInt64(clamping: wanted.st_size),
            view: server.node.view()
        )
        switch step {
        case .clean:
            server.answer(ticket) { reply in
                server.showAttributes(of: inode, handle: handle, reply)
            }
        case .commit(let kind):
            let change = Change(
                operation: "truncate",
                place: .file(inode),
                handle: handle,
                own: server.files.writing(inode)
            )
            server.commit(kind, for: ticket, change) {
                server,
                reply in
                server.showAttributes(of: inode, handle: handle, reply)
            }
        }
    } catch {
        server.refuse(ticket, error, "setattr", .file(inode))
    }
}

extension FuseServer {
    /// Mode and owner of a scratch file are its creator's business; false for other files.
    fileprivate func changeScratch(_ inode: UInt64, _ wanted: stat, _ fields: Int32) -> Bool {
        files.changeScratch(
            inode,
            mode: fields & FUSE_SET_ATTR_MODE != 0 ? wanted.st_mode & 0o7777 : nil,
            user: fields & FUSE_SET_ATTR_UID != 0 ? wanted.st_uid : nil,
            group: fields & FUSE_SET_ATTR_GID != 0 ? wanted.st_gid : nil
        )
    }

    /// Throws unless mode and owner, where they are to be set, are what they are already.
    fileprivate func checkUnchanged(
        _ inode: UInt64,
        _ wanted: stat,
        _ fields: Int32
    ) throws(FSError) {
        let owned = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID
        guard fields & owned != 0 else { return }
        let (present, _) = try files.attributes(
            of: inode,
            handle: nil,
            now: node.monotonicNanoseconds(),
            view: node.view()
        )
        let isSame =
            (fields & FUSE_SET_ATTR_MODE == 0 || wanted.st_mode & 0o7777 == present.mode)
            && (fields & FUSE_SET_ATTR_UID == 0 || wanted.st_uid == present.uid)
            && (fields & FUSE_SET_ATTR_GID == 0 || wanted.st_gid == present.gid)
        guard isSame else { throw .notPermitted }
    }
}

func readExtendedAttribute(
    _ request: fuse_req_t?,
    _ inode: fuse_ino_t,
    _ name: UnsafePointer<CChar>?,
    _ bytesMax: Int
) {
    let server = FuseServer.serving(request)
    guard let reply = server.admit(request, about: inode) else { return }
    do throws(FSError) {
        let value = try server.files.extendedAttribute(
            validName(name),
            of: inode,
            caller: reply.caller.uid,
            view: server.node.view()
        )
        reply.attribute(value, bytesMax: bytesMax)
    } catch {
        reply.error(error)
    }
}

func listExtendedAttributes(_ request: fuse_req_t?, _ inode: fuse_ino_t, _ bytesMax: Int) {
    let server = FuseServer.serving(request)
    guard let reply = server.admit(request, about: inode) else { return }
    do throws(FSError) {
        let names = try server.files.extendedAttributes(
            of: inode,
            caller: reply.caller.uid,
            view: server.node.view()
        )
        reply.attribute(names.flatMap { Array($0.utf8) + [0] }, bytesMax: bytesMax)
    } catch {
        reply.error(error)
    }
}
