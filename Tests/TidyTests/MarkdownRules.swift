// SPDX-License-Identifier: Apache-2.0

/// What keeps the written pages true where a machine can tell.
enum MarkdownRules {
    static let readmeLinesMax = 150

    /// A page has one title.
    static func titles(_ file: TextFile) -> [Violation] {
        let titles = prose(file).filter { $0.text.hasPrefix("# ") }
        if titles.isEmpty { return [violation(file, 1, "the page has no title")] }
        return titles.dropFirst().map { violation(file, $0.line, "the page has another title") }
    }

    /// A link to a place in the repository leads somewhere.
    static func links(_ file: TextFile, exists: (String) -> Bool) -> [Violation] {
        let folder = file.path.split(separator: "/").dropLast().map(String.init)
        return prose(file).flatMap { line, text in
            targets(in: text).compactMap { target -> Violation? in
                guard let path = resolve(target, from: folder) else {
                    return violation(file, line, "\(target) leads out of the repository")
                }
                return exists(path) ? nil : violation(file, line, "\(target) is not there")
            }
        }
    }

    /// A page that a comment sends its reader to is there.
    static func mentions(_ source: SwiftSource, exists: (String) -> Bool) -> [Violation] {
        source.comments.indices.flatMap { index in
            source.comments[index].split { !$0.isWordPart && !"./-".contains($0) }
                .map { $0.hasSuffix(".") ? $0.dropLast() : $0 }
                .filter { $0.hasSuffix(".md") && $0 != ".md" && !exists(String($0)) }
                .map { source.violation(index + 1, "\($0) is not there") }
        }
    }

    /// The README is short and begins with what to type.
    static func readme(_ file: TextFile) -> [Violation] {
        var violations: [Violation] = []
        if file.lines.count > readmeLinesMax {
            let message = "\(file.lines.count) lines, at most \(readmeLinesMax)"
            violations.append(violation(file, readmeLinesMax + 1, message))
        }
        let commands = file.lines.flatMap { line in
            ["make demo", "make test"].filter(line.contains).prefix(1)
        }
        let firstBlock = file.lines.firstIndex { $0.hasPrefix("```") } ?? file.lines.count
        let firstCommand = file.lines.firstIndex { $0.contains("make ") } ?? file.lines.count
        let isFirst =
            file.lines.indices.contains(firstBlock + 1)
            && file.lines[firstBlock + 1].contains("make demo") && firstCommand >= firstBlock
        if !isFirst || Array(commands.prefix(2)) != ["make demo", "make test"] {
            violations.append(
                violation(file, firstBlock + 1, "it begins with make demo, make test")
            )
        }
        return violations
    }

    /// The lines outside fenced blocks, with their numbers.
    private static func prose(_ file: TextFile) -> [(line: Int, text: String)] {
        var isInBlock = false
        return file.lines.indices.compactMap { index in
            let text = file.lines[index]
            if text.drop(while: { $0 == " " }).hasPrefix("```") {
                isInBlock.toggle()
                return nil
            }
            return isInBlock ? nil : (index + 1, text)
        }
    }

    /// The local targets of the links on a line, without their anchors.
    private static func targets(in line: String) -> [String] {
        line.ranges(of: "](").compactMap { range in
            let target = line[range.upperBound...].prefix { $0 != ")" && $0 != " " && $0 != "#" }
            let isElsewhere = target.contains("://") || target.hasPrefix("mailto:")
            return target.isEmpty || isElsewhere ? nil : String(target)
        }
    }

    private static func resolve(_ target: String, from folder: [String]) -> String? {
        var parts = target.hasPrefix("/") ? [] : folder
        for part in target.split(separator: "/") {
            switch part {
            case ".": continue
            case "..":
                guard parts.popLast() != nil else { return nil }
            default: parts.append(String(part))
            }
        }
        return parts.joined(separator: "/")
    }

    private static func violation(_ file: TextFile, _ line: Int, _ message: String) -> Violation {
        Violation(path: file.path, line: line, message: message)
    }
}
