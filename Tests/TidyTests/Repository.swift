// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The files of this repository as they stand on disk.
struct Repository: Sendable {
    static let current = Repository(root: rootDirectory)

    let root: String
    /// Everything written by hand: generated code keeps its own style.
    let swift: [SwiftSource]
    let markdown: [TextFile]

    init(root: String) {
        self.root = root
        let paths = Self.files(below: root)
        swift =
            paths
            .filter { $0.hasSuffix(".swift") && !$0.contains("/Generated/") }
            .map { SwiftSource($0, Self.read(root, $0)) }
        markdown = paths.filter { $0.hasSuffix(".md") }.map { TextFile($0, Self.read(root, $0)) }
    }

    /// The sources of all rooms, without tests and tools.
    var rooms: [SwiftSource] { swift.filter { $0.room != nil } }

    func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root + "/" + path)
    }

    private static var rootDirectory: String {
        // <root>/Tests/TidyTests/Repository.swift, whatever link led the compiler here.
        URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .path
    }

    private static func files(below root: String) -> [String] {
        guard let all = FileManager.default.enumerator(atPath: root) else { return [] }
        var paths: [String] = []
        for case let path as String in all {
            let name = path.split(separator: "/").last ?? ""
            if name.hasPrefix(".") {
                all.skipDescendants()
            } else if name.hasSuffix(".swift") || name.hasSuffix(".md") {
                paths.append(path)
            }
        }
        return paths.sorted()
    }

    private static func read(_ root: String, _ path: String) -> String {
        // An unreadable file has no lines, which the licence rule reports.
        (try? String(contentsOfFile: root + "/" + path, encoding: .utf8)) ?? ""
    }
}

/// A file as lines.
struct TextFile: Sendable {
    let path: String
    let lines: [String]

    init(_ path: String, _ text: String) {
        self.path = path
        lines = text.linesAsWritten
    }
}

extension String {
    /// The lines without their ends; the line feed at the end of a file begins no line.
    var linesAsWritten: [String] {
        var lines = split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        return lines
    }

    /// Where `word` stands with no letter, digit or underscore beside it.
    ///
    /// Only the ends of `word` that are letters themselves need such a border.
    func ranges(ofWord word: String) -> [Range<Index>] {
        guard contains(word) else { return [] }
        return ranges(of: word).filter { range in
            let before =
                range.lowerBound == startIndex ? nil : self[index(before: range.lowerBound)]
            let after = range.upperBound == endIndex ? nil : self[range.upperBound]
            let opens = !(word.first?.isWordPart ?? false) || !(before?.isWordPart ?? false)
            let closes = !(word.last?.isWordPart ?? false) || !(after?.isWordPart ?? false)
            return opens && closes
        }
    }

    func containsWord(_ word: String) -> Bool { !ranges(ofWord: word).isEmpty }
}

extension Character {
    var isWordPart: Bool { isLetter || isNumber || self == "_" }
}
