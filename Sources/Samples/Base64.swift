// SPDX-License-Identifier: Apache-2.0

/// Base64 in the two alphabets of RFC 4648, appended byte by byte to a line under way.
enum Base64 {
    enum Variant {
        /// Section 5 without padding, as JSON Web Tokens use it.
        case url
        /// Section 4 with padding.
        case standard
    }

    private static let urlAlphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8
    )
    private static let standardAlphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
    )

    /// Appends the encoding of `bytes`.
    static func append(_ bytes: [UInt8], as variant: Variant = .url, to output: inout [UInt8]) {
        let alphabet = variant == .url ? urlAlphabet : standardAlphabet
        var index = 0
        while index < bytes.count {
            let left = bytes.count - index
            let first = UInt32(bytes[index]) << 16
            let second = left > 1 ? UInt32(bytes[index + 1]) << 8 : 0
            let third = left > 2 ? UInt32(bytes[index + 2]) : 0
            let group = first | second | third
            output.append(alphabet[Int(group >> 18 & 63)])
            output.append(alphabet[Int(group >> 12 & 63)])
            if left > 1 { output.append(alphabet[Int(group >> 6 & 63)]) }
            if left > 2 { output.append(alphabet[Int(group & 63)]) }
            if left < 3, variant == .standard {
                output.append(contentsOf: repeatElement(UInt8(ascii: "="), count: 3 - left))
            }
            index += 3
        }
    }

    /// The characters that `count` bytes become, without padding.
    static func characters(ofBytes count: Int) -> Int {
        (count * 4 + 2) / 3
    }
}
