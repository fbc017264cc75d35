// SPDX-License-Identifier: Apache-2.0

/// Every number that bounds something, in one place.
///
/// Units stand last in the names.
package enum Limits {
    /// The payload of one record.
    package static let recordBytesMax = 1 << 20
    /// An id, in bytes of UTF-8.
    package static let idBytesMax = 1024
    /// The content of one file below `context/`.
    package static let contextBytesMax = 64 << 10
    /// What one open file may stage before it is committed.
    package static let stagedBytesMax = 32 << 20
    /// The shortest time a revoked session id is remembered: 30 days and one.
    package static let tombstoneSecondsMin: Int64 = 31 * 86_400
    /// Tombstones outlive the session's own expiry by a day.
    package static let tombstoneGraceSeconds: Int64 = 86_400
    /// Changes older than this leave the change log.
    package static let changeRetentionSeconds: UInt64 = 3600
    /// What one maintenance command removes at most, so that no command takes long.
    package static let maintenanceRecordsMax: UInt32 = 1000
    /// Sessions that become invisible at the same time; a larger revocation takes several steps.
    package static let revokedTogetherMax = 1000
    /// Retained bytes of `events/all.jsonl`; beyond it the older half goes.
    package static let eventBytesMax = 8 << 20
    /// Hexadecimal digits of the SHA-256 that a hidden secret shows.
    package static let secretDigestDigits = 6
    /// JSON lines in one `load` request.
    package static let loadLinesMax = 256
    /// Bytes of one frame on the admin socket.
    package static let adminFrameBytesMax = 8 << 20
    /// Connections that follow the changes at the same time.
    package static let watchersMax = 64
    /// Changes that are read at once for one of them.
    package static let watchedChangesMax = 500
    /// Bytes of lines in one frame for one of them; a single line may have as many.
    package static let watchedBytesMax = 1 << 20
    /// How long the outcome of a request with an origin is remembered, by the history's time.
    package static let originRetentionSeconds: Int64 = 600
    /// So many of the newest are remembered however old: a clock that jumps forgets nothing of now.
    package static let originsMin: UInt64 = 10_000
    /// More than so many are never remembered; the oldest go first.
    package static let originsMax: UInt64 = 200_000
    /// How long the receipt of a revocation is kept, by the history's time: a day.
    package static let revocationRetentionSeconds: Int64 = 86_400
    /// More receipts than so many are never kept; the oldest go first.
    package static let revocationsMax: UInt64 = 10_000
    /// Members of the group that are known by name.
    package static let membersMax = 1000
    /// The name of a member, in bytes.
    package static let memberNameBytesMax = 63
    /// The address of a member, in bytes: a name of 253, a colon and a port.
    package static let memberAddressBytesMax = 259
    /// A shell writes a short value in one write(2); such a write commits before it returns.
    package static let commitInWriteBytesMax = 4096
}
