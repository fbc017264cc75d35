// SPDX-License-Identifier: Apache-2.0

import Crypto

/// SHA-256 in the two forms the tree shows: short hexadecimal and base32.
package enum Digest {
    /// The 32 bytes of the SHA-256 of `bytes` (FIPS 180-4).
    package static func sha256(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        Array(SHA256.hash(data: Array(bytes)))
    }

    /// The first `digits` lower-case hexadecimal digits of the SHA-256.
    package static func hex(_ text: String, digits: Int) -> String {
        let alphabet = Array("0123456789abcdef".utf8)
        let bytes = SHA256.hash(data: Array(text.utf8)).prefix((digits + 1) / 2)
        let characters = bytes.flatMap { [alphabet[Int($0 >> 4)], alphabet[Int($0 & 15)]] }
        return String(decoding: characters.prefix(digits), as: UTF8.self)
    }

    /// Base32 of `bytes` (RFC 4648 alphabet in lower case, no padding), cut to `characters`.
    package static func base32(_ bytes: [UInt8], characters: Int) -> String {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)
        var output: [UInt8] = []
        var buffer: UInt32 = 0
        var bits: UInt32 = 0
        for byte in bytes where output.count < characters {
            buffer = (buffer << 8 | UInt32(byte)) & 0xFFFF
            bits += 8
            while bits >= 5 {
                bits -= 5
                output.append(alphabet[Int(buffer >> bits & 31)])
            }
        }
        return String(decoding: output.prefix(characters), as: UTF8.self)
    }

    /// What stands for a long id in a file name: 26 base32 characters (130 bits) of its SHA-256.
    package static func nameSuffix(of id: String) -> String {
        base32(sha256(id.utf8), characters: 26)
    }
}
