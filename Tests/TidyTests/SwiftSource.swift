// SPDX-License-Identifier: Apache-2.0

/// A Swift file in three layers of equal line count: as written, code alone, comments alone.
///
/// What does not belong to a layer is spaces there, so a word in a string or a comment is never
/// taken for code. Interpolated expressions are code.
struct SwiftSource: Sendable {
    /// From the root of the repository.
    let path: String
    let lines: [String]
    let code: [String]
    let comments: [String]

    init(_ path: String, _ text: String) {
        self.path = path
        var lexer = SourceLexer(text)
        lexer.run()
        lines = text.linesAsWritten
        code = String(decoding: lexer.code, as: UTF8.self).linesAsWritten
        comments = String(decoding: lexer.comments, as: UTF8.self).linesAsWritten
    }

    /// The name of the target under `Sources`; nil for tests and tools.
    var room: String? {
        let parts = path.split(separator: "/")
        guard parts.count > 2, parts[0] == "Sources" else { return nil }
        return String(parts[1])
    }

    /// The path below the room's folder.
    var pathInRoom: String {
        path.split(separator: "/").dropFirst(2).joined(separator: "/")
    }

    /// The numbers of the lines of code that satisfy a condition, counted from 1.
    func codeLines(where condition: (String) -> Bool) -> [Int] {
        code.indices.filter { condition(code[$0]) }.map { $0 + 1 }
    }

    /// Whether a documentation comment stands above a line, given by its index.
    func isDocumented(_ index: Int) -> Bool {
        let above = lines[..<index].last { !$0.drop { $0 == " " }.hasPrefix("@") } ?? ""
        return above.drop { $0 == " " }.hasPrefix("///") || above.hasSuffix("*/")
    }

    func violation(_ line: Int, _ message: String) -> Violation {
        Violation(path: path, line: line, message: message)
    }
}
