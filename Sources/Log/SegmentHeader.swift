// SPDX-License-Identifier: Apache-2.0

/// The first block of a segment file: which segment it is and where it stands in the log.
///
/// Layout, little-endian: magic of 8 bytes, version u32, checksum u32 (over the rest), number u64,
/// previous u64, first index u64, previous term u64, zeros up to 4096. Records begin after the
/// block, so that no write of theirs ever touches it.
///
/// INVARIANT: a number is never given to two lives of a file, so the seed made of it tells them
/// apart.
struct SegmentHeader: Equatable {
    /// A header that cannot be read.
    struct Fault: Error, Equatable {
        var reason: String
    }

    static let magic = Array("BrokrLog".utf8)
    static let version: UInt32 = 1
    static let size = 48
    static let recordsOffset = 4096

    /// Counts up with every life of every file of the log.
    var number: UInt64
    /// The segment before this one; 0 where the log begins anew.
    var previous: UInt64
    /// The index its first entry has.
    var firstIndex: UInt64
    /// The term of the entry before the first; 0 when there is none.
    var previousTerm: UInt64

    /// What every checksum of the segment's records begins from.
    var seed: UInt32 {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: number)
        bytes.append(littleEndian: firstIndex)
        return CRC32C.checksum(bytes.span)
    }

    /// The block to write, with the room of the first record cleared behind it.
    var encoded: [UInt8] {
        var rest: [UInt8] = []
        for field in [number, previous, firstIndex, previousTerm] {
            rest.append(littleEndian: field)
        }
        var bytes = Self.magic
        bytes.append(littleEndian: Self.version)
        bytes.append(littleEndian: CRC32C.checksum(rest.span))
        bytes += rest
        let end = Self.recordsOffset + Record.headerSize
        bytes += [UInt8](repeating: 0, count: end - bytes.count)
        return bytes
    }

    init(number: UInt64, previous: UInt64, firstIndex: UInt64, previousTerm: UInt64) {
        self.number = number
        self.previous = previous
        self.firstIndex = firstIndex
        self.previousTerm = previousTerm
    }

    init(decoding bytes: Span<UInt8>) throws(Fault) {
        guard bytes.count >= Self.recordsOffset else {
            throw Fault(reason: "the file is too short")
        }
        for index in Self.magic.indices where bytes[index] != Self.magic[index] {
            throw Fault(reason: "this is no segment of a log")
        }
        let version: UInt32 = bytes.littleEndian(at: 8)
        guard version == Self.version else { throw Fault(reason: "version \(version) is unknown") }
        let crc = CRC32C.checksum(bytes.extracting(16..<Self.size))
        guard crc == bytes.littleEndian(at: 12) else {
            throw Fault(reason: "the header fails its checksum")
        }
        number = bytes.littleEndian(at: 16)
        previous = bytes.littleEndian(at: 24)
        firstIndex = bytes.littleEndian(at: 32)
        previousTerm = bytes.littleEndian(at: 40)
    }
}

/// The names of the files in a log's directory.
enum SegmentName {
    static let segmentSuffix = ".log"
    static let spareSuffix = ".spare"

    static func segment(_ number: UInt64) -> String { hex(number) + segmentSuffix }

    static func spare(_ number: UInt64) -> String { hex(number) + spareSuffix }

    /// The number in a name that ends with `suffix`; nil for any other name.
    static func number(_ name: String, suffix: String) -> UInt64? {
        guard name.hasSuffix(suffix), name.utf8.count == 16 + suffix.utf8.count else { return nil }
        return UInt64(name.prefix(16), radix: 16)
    }

    private static func hex(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
