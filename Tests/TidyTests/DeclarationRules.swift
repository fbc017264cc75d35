// SPDX-License-Identifier: Apache-2.0

/// What a declaration owes its reader: a comment where other rooms use it, a reason where it
/// tells the compiler to look away, a user where it is a limit.
enum DeclarationRules {
    private static let documentedKinds = [
        "struct", "class", "enum", "actor", "protocol", "func", "init", "subscript",
    ]
    /// Requirements of the standard library: their protocol documents them.
    private static let knownNames = ["hash", "encode", "next", "makeIterator"]
    /// How far a reason may stand from what it explains, in lines.
    private static let reasonLines = 6

    /// A type, function or initializer that other rooms use says what it is.
    ///
    /// What a protocol of the repository asks for is documented there, once.
    static func documentation(_ source: SwiftSource, _ seams: Seams = Seams([])) -> [Violation] {
        let witnessed = seams.requirements(metIn: source)
        return source.code.indices.compactMap { index in
            guard let name = documentedName(source.code[index]), !witnessed.contains(name),
                !source.isDocumented(index)
            else { return nil }
            return source.violation(index + 1, "\(name) is used by other rooms: say what it is")
        }
    }

    /// The name of a type, function or initializer with package access; nil on other lines.
    ///
    /// Stored properties and cases may speak for themselves.
    private static func documentedName(_ line: String) -> String? {
        guard !line.ranges(ofWord: "package").isEmpty else { return nil }
        let words = line.split { !$0.isWordPart && $0 != "@" }
        guard let kind = words.firstIndex(where: { documentedKinds.contains(String($0)) }) else {
            return nil
        }
        let modifiers = words[..<kind].filter { !$0.hasPrefix("@") }
        guard modifiers.contains("package"), !modifiers.contains("let"), !modifiers.contains("var")
        else { return nil }
        guard words[kind] == "func" || kind + 1 < words.count else { return "init" }
        let name = kind + 1 < words.count ? String(words[kind + 1]) : ""
        if words[kind] == "init" || words[kind] == "subscript" { return String(words[kind]) }
        if words[kind] == "func", isOperator(line) || knownNames.contains(name) { return nil }
        return name
    }

    private static func isOperator(_ line: String) -> Bool {
        guard let keyword = line.firstRange(of: "func ") else { return false }
        return !(line[keyword.upperBound...].first?.isWordPart ?? false)
    }

    /// Each place that switches off a check of the compiler for shared state says why.
    static func unexplained(_ source: SwiftSource) -> [Violation] {
        uncheckedLines(source).compactMap { line in
            let first = max(0, line - 1 - reasonLines)
            let last = min(source.comments.count, line + reasonLines)
            let isExplained = source.comments[first..<last].contains { $0.contains("SAFETY:") }
            return isExplained ? nil : source.violation(line, "unchecked without a SAFETY: comment")
        }
    }

    static func uncheckedLines(_ source: SwiftSource) -> [Int] {
        source.codeLines {
            $0.contains("@unchecked Sendable") || $0.contains("nonisolated(unsafe)")
        }
    }

    /// A room has exactly as many unchecked places as its row says, so that none slips in and
    /// none that went may come back.
    static func ratchet(_ sources: [SwiftSource], room: Room) -> [Violation] {
        let places = sources.filter { $0.room == room.name }.flatMap { source in
            uncheckedLines(source).map { (source, $0) }
        }
        if places.count < room.uncheckedCount {
            let message = "\(room.name) has \(places.count) unchecked places: lower its number"
            return [Violation(path: "Tests/TidyTests/Rooms.swift", line: 1, message: message)]
        }
        guard places.count > room.uncheckedCount else { return [] }
        return places.map { source, line in
            source.violation(
                line,
                "one of \(places.count) unchecked, at most \(room.uncheckedCount)"
            )
        }
    }

    /// A limit that nothing obeys is a promise that nothing keeps.
    static func unusedLimits(_ limits: SwiftSource, in sources: [SwiftSource]) -> [Violation] {
        limits.code.indices.compactMap { index in
            let words = limits.code[index].split { !$0.isWordPart }
            guard words.contains("static"), let keyword = words.firstIndex(of: "let"),
                keyword + 1 < words.count
            else { return nil }
            let use = "Limits." + words[keyword + 1]
            let isUsed = sources.contains { source in
                source.path != limits.path && source.code.contains { $0.containsWord(use) }
            }
            return isUsed ? nil : limits.violation(index + 1, "\(use) is used nowhere")
        }
    }
}
