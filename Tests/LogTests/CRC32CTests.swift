// SPDX-License-Identifier: Apache-2.0

import Log
import Testing

@Suite("CRC32C")
struct CRC32CTests {
    @Test("the published vectors hold")
    func publishedVectors() {
        let vectors: [([UInt8], UInt32)] = [
            (Array("123456789".utf8), 0xE306_9283),
            ([], 0),
            // RFC 3720, appendix B.4.
            ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
            ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
            ([UInt8](0..<32), 0x46DD_794E),
            ([UInt8]((0..<32).reversed()), 0x113F_DB5C),
        ]
        for (bytes, expected) in vectors {
            #expect(CRC32C.checksum(bytes.span) == expected, "\(bytes)")
        }
    }

    @Test("a checksum taken in two parts is that of the whole, at every length and cut")
    func partsMakeTheWhole() {
        var generator = SplitMix64(seed: 1)
        let bytes = (0..<70).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        for count in 0...bytes.count {
            let whole = bitwise(bytes[..<count])
            for cut in 0...count {
                let first = CRC32C.checksum(bytes.span.extracting(0..<cut))
                let both = CRC32C.checksum(bytes.span.extracting(cut..<count), from: first)
                #expect(both == whole, "\(count) bytes cut at \(cut)")
            }
        }
    }

    private func bitwise(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var crc: UInt32 = ~0
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 0 ? crc >> 1 : (crc >> 1) ^ 0x82F6_3B78 }
        }
        return ~crc
    }
}
