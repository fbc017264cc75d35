// SPDX-License-Identifier: Apache-2.0

/// A record of a segment: a header of 40 bytes, the payload, zeros up to a multiple of 8.
///
/// Layout, little-endian: checksum u32, payload size u32, term u64, index u64, durable end u64,
/// kind u32, tag u32 (zero but in entries). The checksum is over everything after itself, padding
/// included, and begins from the segment's own seed, so what an earlier life of the file left
/// never passes.
///
/// INVARIANT: `durableEnd` is the offset below which everything in the segment was durable before
/// this record was written; records of one write share it, and it never goes back.
/// INVARIANT: forty zero bytes are no record: no kind is zero.
struct Record: Equatable {
    /// What a record says.
    enum Kind: UInt32 {
        /// An entry: its term, its index, its payload.
        case entry = 1
        /// Everything before this is durable; without it nothing vouches for the last write.
        case mark = 2
        /// The entries from `index` on are no more; `term` is that of the one before.
        case truncation = 3
        /// The segment is full and segment number `term` follows it.
        case seal = 4
    }

    static let headerSize = 40
    static let alignment = 8

    var kind: Kind
    var term: UInt64
    var index: UInt64
    var durableEnd: Int
    var tag: UInt32 = 0
    var payloadSize = 0

    /// The size of the whole record in the file.
    var size: Int { Self.size(ofPayload: payloadSize) }

    static func size(ofPayload payloadSize: Int) -> Int {
        headerSize + (payloadSize + alignment - 1) / alignment * alignment
    }

    /// Appends the record to a buffer.
    func encode(payload: [UInt8] = [], seed: UInt32, into buffer: inout [UInt8]) {
        let start = buffer.count
        buffer.append(littleEndian: UInt32(0))
        buffer.append(littleEndian: UInt32(payload.count))
        buffer.append(littleEndian: term)
        buffer.append(littleEndian: index)
        buffer.append(littleEndian: UInt64(durableEnd))
        buffer.append(littleEndian: kind.rawValue)
        buffer.append(littleEndian: tag)
        buffer.append(contentsOf: payload)
        let end = start + Self.size(ofPayload: payload.count)
        while buffer.count < end { buffer.append(0) }
        let crc = CRC32C.checksum(buffer.span.extracting((start + 4)..<end), from: seed)
        for byte in 0..<4 { buffer[start + byte] = UInt8(truncatingIfNeeded: crc >> (8 * byte)) }
    }

}

extension Record {
    /// Whether the byte that tells the kind is one of a record; false spares the decoding.
    static func mayBegin(_ bytes: Span<UInt8>, at offset: Int) -> Bool {
        bytes[offset + 32] != 0 && bytes[offset + 32] <= 4
    }

    /// The record at `offset`; nil when there is no whole record of this segment.
    init?(decoding bytes: Span<UInt8>, at offset: Int, seed: UInt32) {
        guard offset >= 0, offset + Self.headerSize <= bytes.count else { return nil }
        guard let kind = Kind(rawValue: bytes.littleEndian(at: offset + 32)) else { return nil }
        let payloadSize = Int(bytes.littleEndian(at: offset + 4) as UInt32)
        let end = offset + Self.size(ofPayload: payloadSize)
        guard end <= bytes.count else { return nil }
        let crc = CRC32C.checksum(bytes.extracting((offset + 4)..<end), from: seed)
        guard crc == bytes.littleEndian(at: offset) else { return nil }
        self.kind = kind
        self.payloadSize = payloadSize
        term = bytes.littleEndian(at: offset + 8)
        index = bytes.littleEndian(at: offset + 16)
        durableEnd = Int(truncatingIfNeeded: bytes.littleEndian(at: offset + 24) as UInt64)
        tag = bytes.littleEndian(at: offset + 36)
    }
}

extension Array<UInt8> {
    /// Appends an integer, lowest byte first.
    mutating func append<T: FixedWidthInteger & BitwiseCopyable>(littleEndian value: T) {
        unsafe Swift.withUnsafeBytes(of: value.littleEndian) { unsafe append(contentsOf: $0) }
    }
}

extension Span<UInt8> {
    /// The integer whose lowest byte is at `offset`; traps beyond the end.
    func littleEndian<T: FixedWidthInteger & BitwiseCopyable>(at offset: Int) -> T {
        // SAFETY: the load checks its bounds, and every pattern of bits is an integer.
        unsafe T(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
    }
}
