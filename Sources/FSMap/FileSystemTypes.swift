// SPDX-License-Identifier: Apache-2.0

package import Identity

/// The three kinds of files the tree has.
package enum FileKind: Equatable, Sendable {
    case directory, regular, symlink
}

/// What `stat` shows.
package struct Attributes: Equatable, Sendable {
    /// `st_ino`: stable, and the same on every mount.
    package var number: UInt64
    package var kind: FileKind
    /// Permission bits.
    package var mode: UInt32
    package var uid: UInt32
    package var gid: UInt32
    package var sizeBytes: UInt64
    package var modifiedAt: Timestamp
    package var links: UInt32 = 1

    /// Makes attributes from their parts.
    package init(
        number: UInt64,
        kind: FileKind,
        mode: UInt32,
        uid: UInt32,
        gid: UInt32,
        sizeBytes: UInt64,
        modifiedAt: Timestamp
    ) {
        self.number = number
        self.kind = kind
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.sizeBytes = sizeBytes
        self.modifiedAt = modifiedAt
    }
}

/// An answer to a lookup: an inode of this mount and how long a kernel may believe it.
package struct Entry: Equatable, Sendable {
    /// The kernel's node id, never reused in this mount.
    package var inode: UInt64
    package var attributes: Attributes
    package var entrySeconds: Double
    package var attributeSeconds: Double

    /// Makes an entry from its parts.
    package init(
        inode: UInt64,
        attributes: Attributes,
        entrySeconds: Double,
        attributeSeconds: Double
    ) {
        self.inode = inode
        self.attributes = attributes
        self.entrySeconds = entrySeconds
        self.attributeSeconds = attributeSeconds
    }
}

/// Whether a name exists.
package enum LookupReply: Equatable, Sendable {
    case found(Entry)
    /// It does not, and a kernel may believe so for that long.
    case missing(seconds: Double)
}

/// An open file or directory.
package struct Opened: Equatable, Sendable {
    package var handle: UInt64
    /// Reads and writes bypass the page cache.
    package var directIO: Bool
    /// What the kernel has cached of the file (or of the listing) is still right.
    package var keepCache: Bool

    /// Makes a reply from its parts.
    package init(handle: UInt64, directIO: Bool, keepCache: Bool) {
        self.handle = handle
        self.directIO = directIO
        self.keepCache = keepCache
    }
}

/// The flags of `open(2)` that matter here.
package struct OpenFlags: OptionSet, Sendable {
    package let rawValue: UInt8

    /// Wraps the bits.
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let read = OpenFlags(rawValue: 1)
    package static let write = OpenFlags(rawValue: 2)
    package static let truncate = OpenFlags(rawValue: 4)
    package static let append = OpenFlags(rawValue: 8)
    package static let exclusive = OpenFlags(rawValue: 16)
}

/// One line of a listing.
package struct DirectoryEntry: Equatable, Sendable {
    package var name: String
    /// `d_ino`, the same as `st_ino`.
    package var number: UInt64
    package var kind: FileKind
    /// The cookie of this entry: pass it to go on after it.
    package var offset: UInt64

    /// Makes an entry from its parts.
    package init(name: String, number: UInt64, kind: FileKind, offset: UInt64) {
        self.name = name
        self.number = number
        self.kind = kind
        self.offset = offset
    }
}

/// What a write asks for; all its bytes were taken in either case.
package enum WriteStep: Equatable, Sendable {
    case staged
    case commit(Command.Kind)
}

/// What a flush asks for.
package enum FlushStep: Equatable, Sendable {
    case clean
    case commit(Command.Kind)
}

/// On whose behalf something is asked for.
package struct Caller: Equatable, Sendable {
    package var uid: UInt32
    package var gid: UInt32

    /// Joins a user and a group.
    package init(uid: UInt32, gid: UInt32) {
        self.uid = uid
        self.gid = gid
    }

    /// Who may do everything.
    package static let root = Caller(uid: 0, gid: 0)
}

/// What a `mkdir` asks for.
package enum DirectoryStep: Equatable, Sendable {
    case done(Entry)
    case commit(Command.Kind)
}

/// What a `create` asks for.
package struct CreateRequest: Sendable {
    package var flags: OpenFlags
    /// The permission bits the caller wants; only a scratch file gets them.
    package var mode: UInt32
    package var caller: Caller
    package var now: UInt64
    /// Of one moment, as for an open.
    package var view: any IdentityView

    /// Makes a request from its parts.
    package init(
        flags: OpenFlags,
        mode: UInt32 = 0o644,
        caller: Caller = .root,
        now: UInt64,
        view: any IdentityView
    ) {
        self.flags = flags
        self.mode = mode
        self.caller = caller
        self.now = now
        self.view = view
    }
}

/// A moment in the order of changes, taken before the state is read.
package struct CacheMark: Equatable, Sendable {
    let sequence: UInt64
}

/// What a kernel must forget.
package enum Invalidation: Hashable, Sendable {
    /// Attributes and pages of a file; sent before the reply.
    case content(inode: UInt64)
    /// Attributes of a file whose pages stay right; sent before the reply.
    case attributes(inode: UInt64)
    /// A name that may be cached, as there or as not there.
    case entry(parent: UInt64, name: String)
    /// A name whose file is gone.
    case delete(parent: UInt64, child: UInt64, name: String)
    /// Attributes and listing of a directory.
    case listing(directory: UInt64)
    /// Inodes to let go of where nobody uses them; nothing about them has changed.
    case unused(inodes: [UInt64])
    /// Every name, by a new epoch.
    case everything
}

/// What bounds the scratch files of a mount.
package struct ScratchLimits: Sendable {
    package var fileBytesMax = 64 << 10
    package var bytesMax = 64 << 20
    package var countMax = 4096
    /// A file that was not used for so long is gone.
    package var idleNanoseconds: UInt64 = 60_000_000_000

    /// The defaults.
    package init() {}
}

/// How many principals' sessions one user may remove one by one, and in which time.
package struct BrakeLimits: Sendable {
    /// 0 for any number.
    package var principalsMax = 50
    package var windowNanoseconds: UInt64 = 10_000_000_000

    /// The defaults.
    package init() {}
}

/// How a mount behaves; every number that bounds it.
package struct FileSystemOptions: Sendable {
    package var kind = MountKind.ordinary
    /// How long a kernel may believe what it is told, because changes are pushed.
    package var cacheSeconds: Double = 3600
    /// For that long after a change of a name or file it may not.
    package var recentNanoseconds: UInt64 = 1_000_000_000
    /// Open files and directories, in all and of one user.
    package var openFilesMax = 65_536
    /// Inodes a kernel may know at once; those looked up longest ago have to be forgotten.
    package var inodesMax = 100_000
    /// What all open files together may stage, in bytes.
    package var stagedBytesMax = 256 << 20
    package var pendingDirectoriesMax = 1024
    /// What bounds scratch files.
    package var scratch = ScratchLimits()
    /// When single removals of sessions become too many.
    package var brake = BrakeLimits()
    package var openFilesPerUserMax = 16_384
    /// What a mount without OPEN keeps of files that are read in several pieces, in bytes.
    package var renderedBytesMax = 16 << 20
    /// More names than that are invalidated by a new epoch; less than a step of a revocation has.
    package var invalidatedNamesMax = 900
    /// Recent changes that are remembered one by one.
    package var recentChangesMax = 65_536
    /// Shown in `README`.
    package var version = ""
    /// The time of files that never change.
    package var mountedAt = Timestamp.epoch
    /// The same moment on the clock that is passed as `now`.
    package var mountedNanoseconds: UInt64 = 0

    /// The defaults.
    package init() {}
}
