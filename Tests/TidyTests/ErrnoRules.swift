// SPDX-License-Identifier: Apache-2.0

/// Where error numbers of the kernel may be named.
///
/// What the file system answers is decided in one total function; the others on the list talk to
/// the kernel themselves and read what it said.
enum ErrnoRules {
    static let files: [String: String] = [
        "Sources/FuseMount/Errno.swift": "the one place where an error gets its number",
        "Sources/FuseMount/Attachment.swift": "why a mount was refused",
        "Sources/FuseMount/Mount.swift": "a mount that does not answer",
        "Sources/FuseMount/MountPoint.swift": "what is at a path",
        "Sources/FuseMount/MountThread.swift": "interrupted waits",
        "Sources/FuseMount/Notifier.swift": "what the kernel says to an invalidation",
        "Sources/FuseMount/Session.swift": "what libfuse and the kernel say to a session",
        "Sources/Log/PosixDisk.swift": "interrupted reads and writes",
        "Sources/Log/Disk.swift": "which failures making room would help",
        "Sources/Log/SimulatedDisk.swift": "it fails as the kernel does",
        "Sources/Log/SimulatedDisk+State.swift": "it fails as the kernel does",
        "Sources/Store/KeyValue/StoreDirectory.swift": "a full disk while syncing a name",
        "Sources/Node/DirectoryLock.swift": "a directory that is there, a lock that is taken",
        "Sources/Cluster/Bootstrap/DurableFile.swift": "files that are there or not, interrupted",
        "Sources/Cluster/PeerSockets.swift": "a connection that was refused",
        "Sources/Cluster/SnapshotFiles.swift": "interrupted reads and writes",
        "Sources/brokerfs/Console.swift": "interrupted writes",
        "Sources/brokerfs/DemoNode.swift": "a session that is gone, and one that is refused",
        "Sources/brokerfs/ExportWriter.swift": "what has gone while it was copied",
        "Sources/brokerfs/PathWatch.swift": "a path that is not there",
    ]

    private static let numbers = Set([
        "EPERM", "ENOENT", "EINTR", "EIO", "ENXIO", "E2BIG", "EBADF", "EAGAIN", "EWOULDBLOCK",
        "ENOMEM", "EACCES", "EFAULT", "EBUSY", "EEXIST", "EXDEV", "ENODEV", "ENOTDIR", "EISDIR",
        "EINVAL", "ENFILE", "EMFILE", "ENOTTY", "EFBIG", "ENOSPC", "ESPIPE", "EROFS", "EMLINK",
        "EPIPE", "ERANGE", "EDEADLK", "ENAMETOOLONG", "ENOSYS", "ENOTEMPTY", "ELOOP", "ENODATA",
        "ETIME", "EPROTO", "EOVERFLOW", "EOPNOTSUPP", "ENOTSUP", "ENOTCONN", "ETIMEDOUT",
        "ECONNREFUSED", "ECONNRESET", "ESTALE", "EDQUOT", "ECANCELED", "EKEYREVOKED",
        "EKEYEXPIRED", "EUCLEAN", "EALREADY", "EINPROGRESS",
    ])

    static func check(_ source: SwiftSource) -> [Violation] {
        guard source.room != nil, files[source.path] == nil else { return [] }
        return source.code.indices.flatMap { index in
            source.code[index].split { !$0.isWordPart }
                .filter { numbers.contains(String($0)) }
                .map {
                    source.violation(index + 1, "\($0): only a listed file names error numbers")
                }
        }
    }
}
