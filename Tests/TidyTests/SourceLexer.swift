// SPDX-License-Identifier: Apache-2.0

/// Tells code, comments and string contents of a Swift file apart.
///
/// It knows strings of one and of many lines, raw strings, interpolation and nested comments. It
/// does not know regex literals: a quote in one misleads it to the end of the line.
struct SourceLexer {
    private(set) var code: [UInt8] = []
    private(set) var comments: [UInt8] = []
    private let input: [UInt8]
    private var position = 0
    private var modes: [Mode] = []

    private enum Mode {
        case lineComment
        case blockComment
        case string(hashes: Int, quotes: Int)
        /// Inside `\( … )`; how many parentheses are open.
        case interpolation(depth: Int)
    }

    private enum Layer { case code, comments, none }

    private static let quote = UInt8(ascii: "\"")
    private static let newline = UInt8(ascii: "\n")

    init(_ text: String) {
        input = Array(text.utf8)
        code.reserveCapacity(input.count)
        comments.reserveCapacity(input.count)
    }

    /// Fills ``code`` and ``comments``.
    mutating func run() {
        while position < input.count {
            switch modes.last {
            case .lineComment: stepLineComment()
            case .blockComment: stepBlockComment()
            case .string(let hashes, let quotes): stepString(hashes, quotes)
            case .interpolation(let depth): stepInterpolation(depth)
            case nil: stepCode()
            }
        }
    }

    private mutating func stepCode() {
        if starts(with: "//") {
            modes.append(.lineComment)
        } else if starts(with: "/*") {
            modes.append(.blockComment)
            take(2, .comments)
        } else if let (hashes, quotes) = openingDelimiter {
            modes.append(.string(hashes: hashes, quotes: quotes))
            take(hashes + quotes, .none)
        } else {
            take(1, .code)
        }
    }

    private mutating func stepInterpolation(_ depth: Int) {
        switch input[position] {
        case UInt8(ascii: "("):
            modes[modes.count - 1] = .interpolation(depth: depth + 1)
            take(1, .code)
        case UInt8(ascii: ")"):
            if depth == 1 {
                modes.removeLast()
            } else {
                modes[modes.count - 1] = .interpolation(depth: depth - 1)
            }
            take(1, .code)
        default: stepCode()
        }
    }

    private mutating func stepLineComment() {
        if input[position] == Self.newline { modes.removeLast() }
        take(1, .comments)
    }

    private mutating func stepBlockComment() {
        if starts(with: "/*") {
            modes.append(.blockComment)
            take(2, .comments)
        } else if starts(with: "*/") {
            modes.removeLast()
            take(2, .comments)
        } else {
            take(1, .comments)
        }
    }

    private mutating func stepString(_ hashes: Int, _ quotes: Int) {
        let escape = "\\" + String(repeating: "#", count: hashes)
        let closing = String(repeating: "\"", count: quotes) + escape.dropFirst()
        if starts(with: escape + "(") {
            take(hashes + 1, .none)
            take(1, .code)
            modes.append(.interpolation(depth: 1))
        } else if starts(with: escape) {
            take(hashes + 2, .none)
        } else if starts(with: closing) {
            modes.removeLast()
            take(closing.utf8.count, .none)
        } else {
            // A string of one line that does not end on it would not compile: start afresh.
            if input[position] == Self.newline, quotes == 1 { modes.removeLast() }
            take(1, .none)
        }
    }

    /// The hashes and quotes of a string that begins here; nil where none does.
    private var openingDelimiter: (hashes: Int, quotes: Int)? {
        guard input[position] == Self.quote || input[position] == UInt8(ascii: "#") else {
            return nil
        }
        let hashes = input[position...].prefix { $0 == UInt8(ascii: "#") }.count
        let quotes = input[(position + hashes)...].prefix { $0 == Self.quote }.count
        guard quotes > 0 else { return nil }
        return (hashes, quotes >= 3 ? 3 : 1)
    }

    private func starts(with text: String) -> Bool {
        guard input[position] == text.utf8.first else { return false }
        return input[position...].starts(with: text.utf8)
    }

    /// Moves on; line feeds stand in both layers.
    private mutating func take(_ count: Int, _ layer: Layer) {
        for byte in input[position...].prefix(count) {
            let isNewline = byte == Self.newline
            code.append(layer == .code || isNewline ? byte : UInt8(ascii: " "))
            comments.append(layer == .comments || isNewline ? byte : UInt8(ascii: " "))
        }
        position = min(position + count, input.count)
    }
}
