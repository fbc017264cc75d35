// SPDX-License-Identifier: Apache-2.0

import Identity

/// One line of JSON under way: members and elements appended in order, commas placed by itself.
///
/// Written by hand and not through a message, because a million lines are made at a time.
struct JSONLine {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    init(capacity: Int) {
        bytes.reserveCapacity(capacity)
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Writes `{`, what `content` writes, and `}`.
    mutating func object(_ content: (inout JSONLine) -> Void) {
        enclose(UInt8(ascii: "{"), UInt8(ascii: "}"), content)
    }

    /// Writes `[`, what `content` writes, and `]`.
    mutating func array(_ content: (inout JSONLine) -> Void) {
        enclose(UInt8(ascii: "["), UInt8(ascii: "]"), content)
    }

    /// Writes the name of a member; its value must follow.
    mutating func key(_ name: String) {
        string(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// Writes a string value.
    mutating func string(_ value: String) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        let needsEscape = value.utf8.contains { byte in
            byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
        }
        if needsEscape {
            appendEscaped(value)
        } else {
            bytes.append(contentsOf: value.utf8)
        }
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }

    private mutating func appendEscaped(_ value: String) {
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
            case 0..<0x20:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes += Hexadecimal.digits(UInt64(byte) << 56, count: 2)
            default: bytes.append(byte)
            }
        }
    }

    /// Writes a string value of characters that need no escape.
    mutating func plainString(_ content: (inout [UInt8]) -> Void) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        content(&bytes)
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }

    /// Writes a number or `true`, `false`.
    mutating func literal(_ value: some CustomStringConvertible) {
        separate()
        bytes.append(contentsOf: value.description.utf8)
        needsComma = true
    }

    mutating func member(_ name: String, _ value: String) {
        key(name)
        string(value)
    }

    mutating func member(_ name: String, _ values: [String]) {
        key(name)
        array { line in
            for value in values { line.string(value) }
        }
    }

    mutating func member(_ name: String, _ time: Timestamp) {
        member(name, time.text)
    }

    private mutating func enclose(
        _ opening: UInt8,
        _ closing: UInt8,
        _ content: (inout JSONLine) -> Void
    ) {
        separate()
        bytes.append(opening)
        needsComma = false
        content(&self)
        bytes.append(closing)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }
}

extension JSONLine {
    /// A whole line of `brokerfs load`: type, id and what `data` writes into the document.
    static func record(
        _ type: RecordType,
        id: String,
        capacity: Int = 512,
        data: (inout JSONLine) -> Void
    ) -> String {
        var line = JSONLine(capacity: capacity)
        line.object { line in
            line.member("type", type.name)
            line.member("id", id)
            line.key("data")
            line.object(data)
        }
        return line.text
    }
}
