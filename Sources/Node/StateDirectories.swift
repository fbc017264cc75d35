// SPDX-License-Identifier: Apache-2.0

import Glibc
import Log
import Store

/// Which directory below the data directory holds the state.
///
/// At first it is `state`. A snapshot's state comes in a directory of its own and takes the place
/// at one stroke: the file `state.current` names it, and a rename(2) replaces that file.
///
/// INVARIANT: the directory that `state.current` names is complete and durable.
struct StateDirectories: Sendable {
    private static let firstName = "state"
    private static let pointerName = "state.current"
    private static let draftName = "state.next"
    private static let prefix = "state-"

    let data: String

    private var pointer: String { data + "/" + Self.pointerName }

    /// The path of the state that a start begins with.
    func current() throws(NodeError) -> String {
        guard let name = try pointedName() else { return data + "/" + Self.firstName }
        guard Self.isName(name) else {
            throw .store(.corrupt(path: pointer, reason: "it names no state"))
        }
        return data + "/" + name
    }

    private func pointedName() throws(NodeError) -> String? {
        do throws(DiskError) {
            let disk = PosixDisk()
            guard try disk.list(data).contains(Self.pointerName) else { return nil }
            let file = try disk.open(pointer)
            let bytes = try disk.read(file, at: 0, count: disk.size(of: file))
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            throw .directory(path: pointer, errno: error.errno)
        }
    }

    /// A path for a state that has arrived; `seed` makes it unlike all others.
    func newPath(seed: UInt64) -> String {
        data + "/" + Self.prefix + String(seed, radix: 16)
    }

    /// Gives a directory that has arrived its place; durable when it returns.
    func adopt(_ directory: String, as path: String) throws(NodeError) {
        do throws(DiskError) {
            try PosixDisk().rename(directory, to: path)
            try PosixDisk().syncDirectory(data)
        } catch {
            throw .directory(path: path, errno: error.errno)
        }
    }

    /// Makes an arrived state the one that a start begins with; durable when it returns.
    func install(_ path: String) throws(LogError) {
        let name = String(path.dropFirst(data.count + 1))
        precondition(Self.isName(name), "a state lies below the data directory")
        let disk = PosixDisk()
        let draft = data + "/" + Self.draftName
        do throws(DiskError) {
            if try disk.list(data).contains(Self.draftName) { try disk.remove(draft) }
            let file = try disk.create(draft)
            try disk.write(file, at: 0, Array(name.utf8))
            try disk.syncData(file)
            try disk.rename(draft, to: pointer)
            try disk.syncDirectory(data)
        } catch {
            throw error.isOutOfSpace
                ? .noSpace(path: pointer)
                : .io(operation: error.operation, path: pointer, errno: error.errno)
        }
    }

    /// Removes states that never took their place or have lost it; what stays costs room only.
    func removeOthers(than current: String) {
        guard let names = try? PosixDisk().list(data) else { return }
        for name in names where Self.isName(name) && data + "/" + name != current {
            Self.remove(data + "/" + name)
        }
    }

    /// Removes a directory of plain files.
    static func remove(_ path: String) {
        guard let names = try? PosixDisk().list(path) else { return }
        for name in names { unlink(path + "/" + name) }
        rmdir(path)
    }

    private static func isName(_ name: String) -> Bool {
        if name == firstName { return true }
        let digits = name.dropFirst(prefix.count)
        return name.hasPrefix(prefix) && !digits.isEmpty && digits.allSatisfy(\.isHexDigit)
    }
}
