// SPDX-License-Identifier: Apache-2.0

/// CRC-32C (Castagnoli), reflected, as in RFC 3720 appendix B.4; sixteen bytes at a step.
///
/// INVARIANT: the check value of the nine bytes "123456789" is 0xE3069283.
package enum CRC32C {
    /// The checksum of `bytes`, going on from `crc` (0 to begin).
    package static func checksum(_ bytes: Span<UInt8>, from crc: UInt32 = 0) -> UInt32 {
        var state = ~crc
        var offset = 0
        // SAFETY: every index into the tables is below 16 * 256 by construction, every load lies
        // within the span by the loop's condition.
        unsafe tables.withUnsafeBufferPointer { tables in
            let raw = unsafe bytes.bytes
            while offset + 16 <= bytes.count {
                let one = unsafe raw.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
                let two = unsafe raw.unsafeLoadUnaligned(
                    fromByteOffset: offset + 8,
                    as: UInt64.self
                )
                let first = UInt64(littleEndian: one) ^ UInt64(state)
                state = unsafe fold(first, tables, 8) ^ fold(UInt64(littleEndian: two), tables, 0)
                offset += 16
            }
            while offset < bytes.count {
                let index = Int(UInt8(truncatingIfNeeded: state) ^ bytes[offset])
                state = unsafe (state >> 8) ^ tables[index]
                offset += 1
            }
        }
        return ~state
    }

    /// The checksum of eight bytes that have `distance` more bytes after them.
    @inline(__always)
    private static func fold(
        _ word: UInt64,
        _ tables: UnsafeBufferPointer<UInt32>,
        _ distance: Int
    ) -> UInt32 {
        let base = distance << 8
        let low =
            unsafe tables[base | 0x700 | Int(word & 0xFF)]
            ^ tables[base | 0x600 | Int((word >> 8) & 0xFF)]
            ^ tables[base | 0x500 | Int((word >> 16) & 0xFF)]
            ^ tables[base | 0x400 | Int((word >> 24) & 0xFF)]
        let high =
            unsafe tables[base | 0x300 | Int((word >> 32) & 0xFF)]
            ^ tables[base | 0x200 | Int((word >> 40) & 0xFF)]
            ^ tables[base | 0x100 | Int((word >> 48) & 0xFF)]
            ^ tables[base | Int(word >> 56)]
        return low ^ high
    }

    /// Table k holds the checksum of a byte followed by k zero bytes.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 16 * 256)
        for byte in 0..<256 {
            var crc = UInt32(byte)
            for _ in 0..<8 {
                crc = crc & 1 == 0 ? crc >> 1 : (crc >> 1) ^ 0x82F6_3B78
            }
            tables[byte] = crc
        }
        for index in 256..<tables.count {
            let shorter = tables[index - 256]
            tables[index] = (shorter >> 8) ^ tables[Int(shorter & 0xFF)]
        }
        return tables
    }()
}
