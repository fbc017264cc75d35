// SPDX-License-Identifier: Apache-2.0

/// Why the log did not do what it was asked for.
package enum LogError: Error, Equatable, Sendable {
    /// The disk failed; a log that was being changed has stopped.
    case io(operation: DiskOperation, path: String, errno: Int32)
    /// There is no room; the log is as it was, and a later attempt may succeed.
    case noSpace(path: String)
    /// What the file holds at this offset is not what was made durable there.
    case corrupt(path: String, offsetBytes: Int, reason: String)
    /// An earlier failure left unknown what is on disk; nothing is answered until a new opening.
    case stopped
    /// The entry does not follow the last one: its index leaves a gap or its term goes back.
    case outOfOrder(index: UInt64, expected: UInt64)
    /// The log does not hold this index.
    case outOfRange(index: UInt64, first: UInt64, last: UInt64)
    /// The payload is larger than the limit.
    case tooLarge(index: UInt64, sizeBytes: Int, sizeBytesMax: Int)
    /// The limits given contradict themselves.
    case unusableLimits(reason: String)

    /// A disk's failure where running out of room changes nothing.
    init(_ error: DiskError, at path: String) {
        if error.isOutOfSpace {
            self = .noSpace(path: path)
        } else {
            self = .io(operation: error.operation, path: path, errno: error.errno)
        }
    }

    /// A disk's failure where running out of room would leave the log half changed.
    init(fatal error: DiskError, at path: String) {
        self = .io(operation: error.operation, path: path, errno: error.errno)
    }
}
