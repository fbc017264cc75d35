// SPDX-License-Identifier: Apache-2.0

import CFuse3
import FSMap

/// The buffer of one READDIR reply; fuse_add_direntry and fuse_add_direntry_plus of libfuse.
///
/// INVARIANT: holds whole entries only, and never more bytes than the kernel asked for.
struct Listing: ~Copyable {
    private let request: fuse_req_t?
    private let buffer: UnsafeMutableRawBufferPointer
    private var usedBytes = 0
    private let secondsMax: Double

    /// Makes room for so many bytes.
    init(_ request: fuse_req_t?, bytesMax: Int) {
        self.request = request
        secondsMax = FuseServer.serving(request).cacheSecondsMax
        buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytesMax, alignment: 8)
    }

    deinit {
        buffer.deallocate()
    }

    /// What has been appended.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer[..<usedBytes]) }

    /// Appends a name.
    ///
    /// False: there is no room for it.
    mutating func append(_ entry: DirectoryEntry) -> Bool {
        var status = stat()
        status.st_ino = UInt(entry.number)
        status.st_mode = typeBits(entry.kind)
        let needed = fuse_add_direntry(
            request,
            position,
            roomBytes,
            entry.name,
            &status,
            off_t(bitPattern: UInt(entry.offset))
        )
        return take(needed)
    }

    /// Appends a name and its inode; where there is none (`.` and `..`), the kernel learns only the
    /// name and counts no lookup.
    ///
    /// False: there is no room for it.
    mutating func append(_ entry: DirectoryEntry, _ found: Entry?) -> Bool {
        var parameters = fuse_entry_param()
        if let found {
            parameters = entryParameters(found, secondsMax: secondsMax)
        } else {
            parameters.attr.st_ino = UInt(entry.number)
            parameters.attr.st_mode = typeBits(entry.kind)
        }
        let needed = fuse_add_direntry_plus(
            request,
            position,
            roomBytes,
            entry.name,
            &parameters,
            off_t(bitPattern: UInt(entry.offset))
        )
        return take(needed)
    }

    private var roomBytes: Int { buffer.count - usedBytes }

    private var position: UnsafeMutablePointer<CChar>? {
        buffer.baseAddress?.advanced(by: usedBytes).assumingMemoryBound(to: CChar.self)
    }

    private mutating func take(_ needed: Int) -> Bool {
        guard needed <= roomBytes else { return false }
        usedBytes += needed
        return true
    }
}
