// SPDX-License-Identifier: Apache-2.0

/// What keeps a file readable in one sitting, and every function on one screen.
enum SizeRules {
    static let fileLinesMax = 400
    static let functionLinesMax = 70
    static let columnsMax = 100
    static let licence = "// SPDX-License-Identifier: Apache-2.0"

    static func file(_ source: SwiftSource) -> [Violation] {
        guard source.lines.count > fileLinesMax else { return [] }
        let message = "the file has \(source.lines.count) lines, at most \(fileLinesMax): split it"
        return [source.violation(fileLinesMax + 1, message)]
    }

    static func columns(_ source: SwiftSource) -> [Violation] {
        source.lines.indices.compactMap { index in
            let count = source.lines[index].count
            guard count > columnsMax else { return nil }
            return source.violation(index + 1, "\(count) columns, at most \(columnsMax)")
        }
    }

    /// A manifest begins with the version of its tools, so its licence comes second.
    static func licence(_ source: SwiftSource) -> [Violation] {
        let isManifest = source.path.hasSuffix("Package.swift")
        guard source.lines.dropFirst(isManifest ? 1 : 0).first != licence else { return [] }
        return [source.violation(1, "the file does not begin with \(licence)")]
    }

    static func functions(_ source: SwiftSource) -> [Violation] {
        FunctionScan(source).functions.compactMap { function in
            guard function.lineCount > functionLinesMax else { return nil }
            let message = "\(function.lineCount) lines in a function, at most \(functionLinesMax)"
            return source.violation(function.line, message)
        }
    }
}

/// Finds the functions of a file by matching brackets.
struct FunctionScan {
    struct Function: Equatable {
        var line: Int
        var lineCount: Int
    }

    private(set) var functions: [Function] = []
    private let code: [String]
    private static let keywords = ["func", "init", "deinit", "subscript"]
    /// How a line begins that still belongs to the head of a function.
    private static let continuations = ["->", "throws", "rethrows", "async", "where", "{", ")"]

    init(_ source: SwiftSource) {
        code = source.code
        for index in code.indices {
            guard let start = declaration(in: code[index]), let end = lastLine(index, start) else {
                continue
            }
            functions.append(Function(line: index + 1, lineCount: end - index + 1))
        }
    }

    /// What follows the keyword on a line that declares a function.
    private func declaration(in line: String) -> Substring? {
        for keyword in Self.keywords {
            // `self.init(…)` calls one; the dot tells.
            let range = line.ranges(ofWord: keyword).first { range in
                line[..<range.lowerBound].last != "."
            }
            if let range { return line[range.upperBound...] }
        }
        return nil
    }

    /// The line of the bracket that closes the body; nil for a requirement without one.
    private func lastLine(_ first: Int, _ start: Substring) -> Int? {
        var depth = 0
        var isInBody = false
        for index in first..<code.count {
            let text = index == first ? start : code[index][...]
            if index > first, depth == 0, !isInBody, !continues(text) { return nil }
            for character in text {
                switch character {
                case "{":
                    if depth == 0 { isInBody = true }
                    depth += 1
                case "(", "[": depth += 1
                case ")", "]": depth -= 1
                case "}":
                    depth -= 1
                    if depth < 0 { return nil }
                    if depth == 0, isInBody { return index }
                default: break
                }
            }
        }
        return nil
    }

    private func continues(_ line: Substring) -> Bool {
        let text = line.drop { $0 == " " }
        return text.isEmpty || Self.continuations.contains { text.hasPrefix($0) }
    }
}
