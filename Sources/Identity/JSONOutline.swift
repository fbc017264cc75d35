// SPDX-License-Identifier: Apache-2.0

/// Where the keys of a JSON text stand, and where it stops being JSON.
///
/// The parser is swift-protobuf's, which says what is wrong and not where. This only finds the
/// place for people to look at; it never decides whether a document is taken.
///
/// Source: RFC 8259.
struct JSONOutline {
    struct Key {
        /// The key and those around it, joined by dots; elements of arrays have no name.
        var path: String
        /// Where its opening quote is, in bytes.
        var offset: Int
        /// Where the value begins and ends.
        var value: Range<Int>
    }

    private let bytes: [UInt8]
    private var index = 0
    private(set) var keys: [Key] = []
    /// The first byte that JSON does not allow there; nil for a valid text.
    private(set) var errorOffset: Int?

    private struct Unexpected: Error {}
    private static let depthMax = 64
    /// Keys of objects deeper than this are passed over; 1 is the outermost object.
    private let keyDepthMax: Int

    init(_ bytes: [UInt8], keyDepthMax: Int = depthMax) {
        self.bytes = bytes
        self.keyDepthMax = keyDepthMax
        do {
            try value(path: "", depth: 0)
            skipSpace()
            if index < bytes.count { throw Unexpected() }
        } catch {
            errorOffset = index
        }
    }

    /// Line and column of a byte, both from 1; the column counts bytes.
    func position(of offset: Int) -> (line: Int, column: Int) {
        let before = bytes.prefix(offset)
        let line = before.count { $0 == UInt8(ascii: "\n") } + 1
        let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return (line, min(offset, bytes.count) - start + 1)
    }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            index += 1
        }
    }

    private mutating func expect(_ byte: UInt8) throws {
        guard next == byte else { throw Unexpected() }
        index += 1
    }

    private mutating func value(path: String, depth: Int) throws {
        skipSpace()
        guard depth < Self.depthMax, let byte = next else { throw Unexpected() }
        switch byte {
        case UInt8(ascii: "{"): try object(path: path, depth: depth)
        case UInt8(ascii: "["): try array(path: path, depth: depth)
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        default: try number()
        }
    }

    private mutating func object(path: String, depth: Int) throws {
        try items(from: UInt8(ascii: "{"), to: UInt8(ascii: "}")) { outline in
            let offset = outline.index
            let nameBytes = try outline.string()
            outline.skipSpace()
            try outline.expect(UInt8(ascii: ":"))
            outline.skipSpace()
            guard depth < outline.keyDepthMax else {
                return try outline.value(path: "", depth: depth + 1)
            }
            let name = String(decoding: outline.bytes[nameBytes], as: UTF8.self)
            let place = outline.keys.count
            let start = outline.index
            let key = path.isEmpty ? name : "\(path).\(name)"
            outline.keys.append(Key(path: key, offset: offset, value: start..<start))
            try outline.value(path: key, depth: depth + 1)
            outline.keys[place].value = start..<outline.index
        }
    }

    private mutating func array(path: String, depth: Int) throws {
        try items(from: UInt8(ascii: "["), to: UInt8(ascii: "]")) { outline in
            try outline.value(path: path, depth: depth + 1)
        }
    }

    private mutating func items(
        from open: UInt8,
        to close: UInt8,
        _ item: (inout JSONOutline) throws -> Void
    ) throws {
        try expect(open)
        skipSpace()
        if next == close { return index += 1 }
        while true {
            skipSpace()
            try item(&self)
            skipSpace()
            if next == close { return index += 1 }
            try expect(UInt8(ascii: ","))
        }
    }

    /// The range between the quotes.
    private mutating func string() throws -> Range<Int> {
        try expect(UInt8(ascii: "\""))
        let start = index
        while let byte = next, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw Unexpected() }
            index += byte == UInt8(ascii: "\\") ? 2 : 1
        }
        guard next != nil else {
            index = bytes.count
            throw Unexpected()
        }
        defer { index += 1 }
        return start..<index
    }

    private mutating func word(_ word: String) throws {
        for byte in word.utf8 { try expect(byte) }
    }

    private mutating func number() throws {
        let start = index
        while let byte = next, "+-.0123456789eE".utf8.contains(byte) { index += 1 }
        guard index > start else { throw Unexpected() }
    }
}
