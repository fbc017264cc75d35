// SPDX-License-Identifier: Apache-2.0

/// One copy of a member's state as it stands in the file: one sector, so written at one stroke.
///
/// Layout, little-endian: magic of 8 bytes, version u32, checksum u32 (over all but itself),
/// sequence u64, member u64, incarnation u64, term u64, vote u64, index and term of the snapshot
/// that is being installed u64 each, flags u32 (1: there is a vote, 2: there is such a snapshot,
/// 4: the disk has lost what it acknowledged), zeros up to 512.
struct MemberRecord: Equatable {
    /// A copy that cannot be taken.
    struct Fault: Error, Equatable {
        var reason: String
        /// Whether it is whole and of another version, rather than torn or rotten.
        var isForeign = false
    }

    static let magic = Array("BrokrMem".utf8)
    static let version: UInt32 = 1
    static let size = 512
    private static let hasVote: UInt32 = 1
    private static let isInstalling: UInt32 = 2
    private static let isDoubted: UInt32 = 4

    /// Counts up with every write; the copy with the higher one is the newer.
    var sequence: UInt64
    var state: MemberState

    /// The sector to write.
    var encoded: [UInt8] {
        var flags: UInt32 = 0
        if state.vote != nil { flags |= Self.hasVote }
        if state.installing != nil { flags |= Self.isInstalling }
        if state.isDoubted { flags |= Self.isDoubted }
        var bytes = Self.magic
        bytes.append(littleEndian: Self.version)
        bytes.append(littleEndian: UInt32(0))
        for field in [
            sequence, state.member, state.incarnation, state.term, state.vote ?? 0,
            state.installing?.index ?? 0, state.installing?.term ?? 0,
        ] {
            bytes.append(littleEndian: field)
        }
        bytes.append(littleEndian: flags)
        bytes += [UInt8](repeating: 0, count: Self.size - bytes.count)
        let crc = Self.checksum(bytes.span)
        for byte in 0..<4 { bytes[12 + byte] = UInt8(truncatingIfNeeded: crc >> (8 * byte)) }
        return bytes
    }

    init(sequence: UInt64, state: MemberState) {
        self.sequence = sequence
        self.state = state
    }

    init(decoding bytes: Span<UInt8>) throws(Fault) {
        guard bytes.count == Self.size else { throw Fault(reason: "the file is too short") }
        for index in Self.magic.indices where bytes[index] != Self.magic[index] {
            throw Fault(reason: "this is no state of a member")
        }
        guard Self.checksum(bytes) == bytes.littleEndian(at: 12) else {
            throw Fault(reason: "the copy fails its checksum")
        }
        // After the checksum: a newer version that is whole must not be taken for damage.
        let version: UInt32 = bytes.littleEndian(at: 8)
        guard version == Self.version else {
            throw Fault(reason: "version \(version) is unknown", isForeign: true)
        }
        let flags: UInt32 = bytes.littleEndian(at: 72)
        sequence = bytes.littleEndian(at: 16)
        state = MemberState(
            member: bytes.littleEndian(at: 24),
            incarnation: bytes.littleEndian(at: 32),
            term: bytes.littleEndian(at: 40)
        )
        state.isDoubted = flags & Self.isDoubted != 0
        if flags & Self.hasVote != 0 { state.vote = bytes.littleEndian(at: 48) }
        if flags & Self.isInstalling != 0 {
            state.installing = MemberState.SnapshotMark(
                index: bytes.littleEndian(at: 56),
                term: bytes.littleEndian(at: 64)
            )
        }
    }

    private static func checksum(_ bytes: Span<UInt8>) -> UInt32 {
        let head = CRC32C.checksum(bytes.extracting(0..<12))
        return CRC32C.checksum(bytes.extracting(16..<size), from: head)
    }
}

/// Both copies of a member's state, as they were read.
struct MemberCopies {
    /// Each copy begins a block of its own, so that no bad block takes both.
    static let blockSize = 4096
    static let count = 2
    static let fileSize = count * blockSize

    /// The copies in their order in the file; of one that cannot be taken, why.
    let copies: [Result<MemberRecord, MemberRecord.Fault>]

    /// Reads as much of the file as there is.
    init(decoding bytes: [UInt8]) {
        copies = (0..<Self.count).map { copy in
            let start = min(Self.offset(ofCopy: copy), bytes.count)
            let end = min(start + MemberRecord.size, bytes.count)
            do throws(MemberRecord.Fault) {
                return .success(try MemberRecord(decoding: bytes.span.extracting(start..<end)))
            } catch {
                return .failure(error)
            }
        }
    }

    static func offset(ofCopy copy: Int) -> Int { copy * blockSize }

    /// What the member knew last, from one whole copy if there is no other.
    func newest() throws(MemberRecord.Fault) -> MemberRecord {
        var newest: MemberRecord?
        var fault = MemberRecord.Fault(reason: "there is no copy")
        for copy in copies {
            switch copy {
            case .success(let record):
                guard let older = newest else {
                    newest = record
                    continue
                }
                newest = try Self.newer(older, record)
            case .failure(let found):
                if found.isForeign { throw found }
                fault = found
            }
        }
        guard let newest else {
            throw MemberRecord.Fault(reason: "neither copy is whole: " + fault.reason)
        }
        return newest
    }

    private static func newer(
        _ one: MemberRecord,
        _ other: MemberRecord
    ) throws(MemberRecord.Fault) -> MemberRecord {
        let (older, newer) = one.sequence <= other.sequence ? (one, other) : (other, one)
        var fault = newer.state.fault(after: older.state)
        if older.sequence == newer.sequence, older != newer { fault = "two writes of one number" }
        if let fault {
            throw MemberRecord.Fault(reason: "the copies contradict each other: " + fault)
        }
        return newer
    }
}
