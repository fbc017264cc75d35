// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// What RocksDB leaves undone about the directory of a store.
enum StoreDirectory {
    /// Refuses a directory that holds a store's tables but not the file that leads to them.
    ///
    /// RocksDB would make a new, empty store there and so forget the old one without a word. A
    /// crash during the very first open leaves at most the first manifest, which is no loss.
    static func refuseHeadless(_ path: String) throws(StoreError) {
        let current = "\(path)/CURRENT"
        guard unsafe access(current, F_OK) != 0, let directory = unsafe opendir(path) else {
            return
        }
        defer { unsafe closedir(directory) }
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                unsafe String(cString: UnsafeRawPointer(tuple).assumingMemoryBound(to: CChar.self))
            }
            let isManifest = name.hasPrefix("MANIFEST-") && name != "MANIFEST-000001"
            if name.hasSuffix(".sst") || isManifest {
                throw .corrupt(path: current, reason: "missing, although \(name) is there")
            }
        }
    }

    /// Makes the name of a directory durable in the one that holds it.
    static func syncParent(of path: String) throws(StoreError) {
        let parent = parent(of: path)
        let descriptor = unsafe open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", parent) }
        defer { _ = Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("fsync", parent) }
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func failure(_ call: String, _ path: String) -> StoreError {
        let code = errno
        let text = "\(call) \(path): \(unsafe String(cString: strerror(code)))"
        return code == ENOSPC || code == EDQUOT ? .noSpace(text) : .io(text)
    }
}
