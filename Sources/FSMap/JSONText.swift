// SPDX-License-Identifier: Apache-2.0

/// Text in JSON, for documents that are made line by line.
enum JSONText {
    /// The text in quotes; `null` for none.
    static func value(_ text: String?) -> String {
        guard let text else { return "null" }
        var bytes: [UInt8] = []
        append(text, to: &bytes)
        return "\"" + String(decoding: bytes, as: UTF8.self) + "\""
    }

    /// What stands between the quotes.
    static func append(_ text: String, to line: inout [UInt8]) {
        if text.utf8.contains(where: isEscaped) {
            for byte in text.utf8 { appendEscaped(byte, to: &line) }
        } else {
            line.append(contentsOf: text.utf8)
        }
    }

    private static func isEscaped(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private static func appendEscaped(_ byte: UInt8, to line: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
            line.append(UInt8(ascii: "\\"))
            line.append(byte)
        case UInt8(ascii: "\n"): line.append(contentsOf: "\\n".utf8)
        case UInt8(ascii: "\t"): line.append(contentsOf: "\\t".utf8)
        case UInt8(ascii: "\r"): line.append(contentsOf: "\\r".utf8)
        case 0..<0x20, 0x7F:
            let digits = Array("0123456789abcdef".utf8)
            line.append(contentsOf: "\\u00".utf8)
            line.append(digits[Int(byte >> 4)])
            line.append(digits[Int(byte & 15)])
        default: line.append(byte)
        }
    }
}
