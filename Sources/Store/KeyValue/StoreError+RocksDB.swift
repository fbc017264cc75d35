// SPDX-License-Identifier: Apache-2.0

extension StoreError {
    /// Maps the text of a RocksDB status, the only form in which its C interface tells errors.
    ///
    /// The texts were taken from RocksDB 7.8 (`Status::ToString` and the POSIX file system).
    /// `storePath` is the path the store was opened with: RocksDB builds all its names from it.
    init(rocksDBMessage message: String, storePath: String, whileOpening: Bool) {
        if message.hasPrefix("Corruption") {
            self = .corrupt(
                path: Self.damagedFile(in: message, storePath: storePath),
                reason: message
            )
        } else if message.contains("No space left on device")
            || message.contains("Disk quota exceeded")
        {
            self = .noSpace(message)
        } else if message.hasPrefix("IO error: lock ")
            || message.hasPrefix("IO error: While lock file")
        {
            self = .locked(path: storePath)
        } else if message.hasPrefix("Shutdown in progress") {
            self = .closed
        } else if whileOpening, message.contains("No such file or directory"),
            let file = Self.fileName(in: message, below: storePath)
        {
            // A store that names a file which is not there has lost it.
            self = .corrupt(path: file, reason: message)
        } else {
            self = .io(message)
        }
    }

    private static func damagedFile(in message: String, storePath: String) -> String {
        if let file = fileName(in: message, below: storePath) {
            return file
        }
        // "CURRENT file corrupted" and its kin name the file without its directory.
        return message.contains("CURRENT") ? "\(storePath)/CURRENT" : storePath
    }

    /// The first name of a file of the store in a message.
    ///
    /// The first one is the most precise: the manifest that led to it comes last.
    private static func fileName(in message: String, below storePath: String) -> String? {
        let text = Array(message.utf8)
        let prefix = Array("\(storePath)/".utf8)
        guard text.count >= prefix.count else { return nil }
        for start in 0...(text.count - prefix.count)
        where text[start..<start + prefix.count].elementsEqual(prefix) {
            let rest = text[(start + prefix.count)...].prefix { byte in
                byte != UInt8(ascii: " ") && byte != UInt8(ascii: ":")
            }
            guard !rest.isEmpty else { continue }
            var name = String(decoding: rest, as: UTF8.self)
            if name.hasSuffix(".ldb") {
                // RocksDB tries the old suffix last and reports that one.
                name = name.dropLast(4) + ".sst"
            }
            return "\(storePath)/\(name)"
        }
        return nil
    }
}
