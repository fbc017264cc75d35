// SPDX-License-Identifier: Apache-2.0

import FSMap
import Foundation
import FuseMount
import Glibc
import Identity
import Logging
import Node
import Replica

/// Works on FSMap over a node without a mount, doing what the kernel does with each call.
final class InProcessClient: TreeClient {
    private let directory: String
    private let node: LocalNode
    private let files: FileSystem

    init() throws {
        directory = try MountedNode.temporaryDirectory()
        var log = Logger(label: "test")
        log.logLevel = .critical
        node = try LocalNode(NodeConfiguration(dataDirectory: directory, name: "n"), log: log)
        let owners = Owners.everything(user: 0, group: 0)
        files = FileSystem(owners: owners, options: FileSystemOptions())
    }

    deinit {
        node.shutdown()
        _ = Shell.run("rm -rf \(directory)")
    }

    func load(_ lines: [String]) throws {
        let writes = try lines.map { try LoadLine.parse($0) }
        for write in writes { _ = try node.proposeAndWait(.put([write])).get() }
    }

    func run(_ operations: [Operation]) throws -> [Answer] {
        operations.map { operation in
            do throws(FSError) {
                return Answer(value: try run(operation))
            } catch {
                return Answer(errno: Self.name(of: errnoValue(for: error)))
            }
        }
    }

    private func run(_ operation: Operation) throws(FSError) -> String {
        let path = operation.path
        switch operation.verb {
        case .list: return try list(path)
        case .stat: return try stat(path)
        case .read: return try read(path)
        case .write: try put(path, operation.text, [.write, .truncate], creates: true)
        case .append: try put(path, operation.text, [.write, .append], creates: false)
        case .create: try put(path, operation.text, [.write, .exclusive], creates: true)
        case .unlink: try unlink(path)
        case .rmdir: try removeDirectory(path)
        case .mkdir: try makeDirectory(path)
        case .rename: try rename(path, operation.text)
        case .readlink:
            let entry = try find(path)
            guard entry.attributes.kind == .symlink else { throw .invalid("not a link") }
            return try files.target(of: entry.inode, view: node.view())
        }
        return ""
    }

    // MARK: Names

    private func split(_ path: String) throws(FSError) -> (parent: UInt64, name: String) {
        let parts = path.split(separator: "/").map(String.init)
        let parent = parts.dropLast().joined(separator: "/")
        guard !parent.isEmpty else { return (FileSystem.rootInode, parts.last ?? "") }
        let entry = try find(parent)
        guard entry.attributes.kind == .directory else { throw .notDirectory }
        return (entry.inode, parts.last ?? "")
    }

    private func look(_ path: String) throws(FSError) -> Entry? {
        let (parent, name) = try split(path)
        switch try files.lookup(name, in: parent, now: now, view: node.view()) {
        case .missing: return nil
        case .found(let entry): return entry
        }
    }

    private func find(_ path: String) throws(FSError) -> Entry {
        guard let entry = try look(path) else { throw .notFound }
        return entry
    }

    private var now: UInt64 { node.monotonicNanoseconds() }

    private func commit(_ kind: Command.Kind) throws(FSError) {
        switch node.proposeAndWait(kind) {
        case .success: return
        case .failure(let error): throw FSError(error)
        }
    }

    // MARK: Reading

    private func list(_ path: String) throws(FSError) -> String {
        let inode = try find(path).inode
        let handle = try files.openDirectory(inode, view: node.view()).handle
        defer { files.releaseDirectory(handle) }
        var names: [String] = []
        try files.readDirectory(inode, handle: handle, after: 0, view: node.view()) { entry in
            if entry.name != ".", entry.name != ".." { names.append(entry.name) }
            return true
        }
        return names.joined(separator: "\n")
    }

    private func stat(_ path: String) throws(FSError) -> String {
        let attributes = try find(path).attributes
        let type: UInt32 =
            switch attributes.kind {
            case .directory: S_IFDIR
            case .regular: S_IFREG
            case .symlink: S_IFLNK
            }
        let mode = String(type | attributes.mode, radix: 8)
        let size = attributes.kind == .directory ? 0 : attributes.sizeBytes
        return "\(mode) \(attributes.uid):\(attributes.gid) \(size) \(attributes.links)"
    }

    private func read(_ path: String) throws(FSError) -> String {
        let entry = try find(path)
        let opened = try files.open(entry.inode, flags: .read, view: moment())
        defer { _ = files.release(opened.handle) }
        var bytes: [UInt8] = []
        while true {
            let piece = try files.read(
                opened.handle,
                offset: UInt64(bytes.count),
                count: 4096,
                view: node.view()
            )
            guard !piece.isEmpty else { return String(decoding: bytes, as: UTF8.self) }
            bytes += piece
        }
    }

    /// What is open shows one moment of the state.
    private func moment() throws(FSError) -> StateView {
        do throws(ViewError) {
            return try node.snapshot()
        } catch {
            throw FSError(error)
        }
    }

    // MARK: Changing

    private func put(
        _ path: String,
        _ text: String,
        _ flags: OpenFlags,
        creates: Bool
    ) throws(FSError) {
        let known = try look(path)
        let opened: Opened
        if let known {
            guard !flags.contains(.exclusive) else { throw .exists }
            guard known.attributes.kind != .directory else { throw .isDirectory }
            opened = try files.open(known.inode, flags: flags, view: moment())
        } else {
            guard creates else { throw .notFound }
            let (parent, name) = try split(path)
            let request = CreateRequest(flags: flags, mode: 0o644, now: now, view: try moment())
            opened = try files.create(name, in: parent, request).1
        }
        defer { _ = files.release(opened.handle) }
        do throws(FSError) {
            let step = try files.write(
                opened.handle,
                offset: 0,
                bytes: Array(text.utf8),
                now: now,
                view: node.view()
            )
            if case .commit(let kind) = step { try commit(kind, opened.handle) }
        } catch {
            // Close comes after a failed write too, and has nothing more to say.
            _ = try? files.flush(opened.handle, view: node.view())
            throw error
        }
        if case .commit(let kind) = try files.flush(opened.handle, view: node.view()) {
            try commit(kind, opened.handle)
        }
    }

    private func commit(_ kind: Command.Kind, _ handle: UInt64) throws(FSError) {
        do throws(FSError) {
            try commit(kind)
            files.committed(handle)
        } catch {
            files.commitFailed(handle)
            throw error
        }
    }

    private func unlink(_ path: String) throws(FSError) {
        guard try find(path).attributes.kind != .directory else { throw .isDirectory }
        let (parent, name) = try split(path)
        let kind = try files.unlink(name, in: parent, now: now, view: node.view())
        if let kind { try commit(kind) }
    }

    private func removeDirectory(_ path: String) throws(FSError) {
        guard try find(path).attributes.kind == .directory else { throw .notDirectory }
        let (parent, name) = try split(path)
        guard let kind = try files.removeDirectory(name, in: parent, view: node.view()) else {
            return
        }
        try commit(kind)
        files.directoryRemoved(name, in: parent)
    }

    private func makeDirectory(_ path: String) throws(FSError) {
        guard try look(path) == nil else { throw .exists }
        let (parent, name) = try split(path)
        let step = try files.makeDirectory(name, in: parent, now: now, view: node.view())
        if case .commit(let kind) = step { try commit(kind) }
    }

    private func rename(_ path: String, _ newPath: String) throws(FSError) {
        _ = try (split(path), split(newPath))
        let source = try find(path)
        // A directory cannot move into itself, nor replace one that it is in.
        if newPath.hasPrefix(path + "/") { throw .invalid("into itself") }
        if path.hasPrefix(newPath + "/") { throw .notEmpty }
        if let target = try look(newPath) {
            if target.inode == source.inode { return }
            switch (source.attributes.kind, target.attributes.kind) {
            case (.directory, .directory): break
            case (.directory, _): throw .notDirectory
            case (_, .directory): throw .isDirectory
            default: break
            }
        }
        let (parent, name) = try split(path)
        let (newParent, newName) = try split(newPath)
        let step = try files.rename(
            name,
            in: parent,
            to: newName,
            in: newParent,
            now: now,
            view: node.view()
        )
        guard case .commit(let kind, let renaming) = step else { return }
        try commit(kind)
        _ = files.renamed(renaming)
    }

    /// The name Python has for an errno value.
    private static func name(of number: Int32) -> String {
        let names: [Int32: String] = [
            ENOENT: "ENOENT", EPERM: "EPERM", EACCES: "EACCES", EEXIST: "EEXIST",
            ENOTDIR: "ENOTDIR", EISDIR: "EISDIR", ENOTEMPTY: "ENOTEMPTY", EINVAL: "EINVAL",
            EKEYREVOKED: "EKEYREVOKED", EROFS: "EROFS", ENOSPC: "ENOSPC",
            ENAMETOOLONG: "ENAMETOOLONG", EFBIG: "EFBIG", ESTALE: "ESTALE", EBUSY: "EBUSY",
            EBADF: "EBADF", EIO: "EIO",
        ]
        return names[number] ?? "errno \(number)"
    }
}
