// SPDX-License-Identifier: Apache-2.0

/// The protocols that rooms offer each other, and what they ask for.
struct Seams {
    private struct Seam {
        var name: String
        var requirements: Set<String> = []
    }

    private var seams: [Seam] = []
    /// Requirements without a comment: whoever meets one does not repeat what is said here.
    private(set) var undocumented: [Violation] = []

    init(_ sources: [SwiftSource]) {
        for source in sources {
            for index in source.code.indices {
                let words = Self.words(source.code[index])
                guard words.first == "package", let keyword = words.firstIndex(of: "protocol"),
                    keyword + 1 < words.count
                else { continue }
                read(source, from: index, name: words[keyword + 1])
            }
        }
    }

    /// The names of everything asked for by protocols that the file's types declare to meet.
    func requirements(metIn source: SwiftSource) -> Set<String> {
        let heads = source.code.filter { line in
            let kinds: Set = ["struct", "class", "enum", "actor", "extension"]
            return line.contains(":") && !kinds.isDisjoint(with: Self.words(line))
        }
        let met = Set(heads.flatMap(Self.words))
        return seams.filter { met.contains($0.name) }
            .reduce(into: []) { $0.formUnion($1.requirements) }
    }

    private mutating func read(_ source: SwiftSource, from start: Int, name: String) {
        var seam = Seam(name: name)
        var depth = 0
        for index in start..<source.code.count {
            let words = Self.words(source.code[index])
            if depth == 1, let kind = words.firstIndex(where: { $0 == "func" || $0 == "init" }) {
                let isNamed = words[kind] == "func" && kind + 1 < words.count
                let requirement = isNamed ? words[kind + 1] : "init"
                seam.requirements.insert(requirement)
                if !source.isDocumented(index) {
                    let message = "\(requirement) is asked of others: say what it does"
                    undocumented.append(source.violation(index + 1, message))
                }
            }
            depth += source.code[index].count { $0 == "{" } - source.code[index].count { $0 == "}" }
            if depth == 0, source.code[index].contains("}") { break }
        }
        seams.append(seam)
    }

    private static func words(_ line: String) -> [String] {
        line.split { !$0.isWordPart }.map(String.init)
    }
}
