// SPDX-License-Identifier: Apache-2.0

/// What holds the arrows between the rooms, and the quiet of the quiet ones.
enum RoomRules {
    /// A word of code, and what to do instead.
    private typealias Ban = (word: String, instead: String)

    private static let quietBans: [Ban] = [
        ("Date()", "time comes in with the event"),
        ("Date.now", "time comes in with the event"),
        ("ContinuousClock", "time comes in with the event"),
        ("SuspendingClock", "time comes in with the event"),
        ("clock_gettime", "time comes in with the event"),
        ("gettimeofday", "time comes in with the event"),
        ("time(nil)", "time comes in with the event"),
        ("Task", "a quiet room has no concurrency"),
        ("async", "a quiet room has no concurrency"),
        ("await", "a quiet room has no concurrency"),
        ("actor", "a quiet room has no concurrency"),
        ("DispatchQueue", "a quiet room has no threads"),
        ("DispatchSemaphore", "a quiet room has no threads"),
        ("Thread", "a quiet room has no threads"),
        ("pthread_create", "a quiet room has no threads"),
        ("SystemRandomNumberGenerator", "chance is a generator that is passed in"),
        ("shuffled()", "chance is a generator that is passed in"),
        ("randomElement()", "chance is a generator that is passed in"),
        ("hashValue", "hashes are seeded per process"),
    ]

    private static let everywhereBans: [Ban] = [
        ("try!", "throw, or make it impossible"),
        ("fatalError", "precondition for our own state, a thrown error for the rest"),
        ("DispatchQueue.main", "nothing here has a main queue"),
    ]

    /// Asks the name service or DNS: while serving that is a deadlock, because the name service may
    /// be fed from the mount.
    private static let nameServiceWords = [
        "getpwnam", "getpwuid", "getpwent", "getgrnam", "getgrgid", "getgrent", "getgrouplist",
        "initgroups", "getpwnam_r", "getpwuid_r", "getgrnam_r", "getgrgid_r", "getaddrinfo",
        "gethostbyname", "getnameinfo", "getlogin", "NSUserName",
    ]

    /// Words that one file alone may use.
    static func confined(_ source: SwiftSource) -> [Violation] {
        guard source.room != nil else { return [] }
        let bans =
            nameServiceWords.map {
                (word: $0, file: "Sources/brokerfs/Accounts.swift", instead: "ask before the mount")
            } + [
                (
                    word: "Document.reveal", file: "Sources/FSMap/Tree+Content.swift",
                    instead: "secrets are shown by one kind of mount only"
                )
            ]
        return bans.filter { $0.file != source.path }.flatMap { ban in
            source.codeLines { $0.containsWord(ban.word) }
                .map { source.violation($0, "\(ban.word): \(ban.instead)") }
        }
    }

    static func imports(_ source: SwiftSource) -> [Violation] {
        guard let name = source.room else { return [] }
        guard let room = Room.named(name) else {
            return [source.violation(1, "\(name) is no room of ARCHITECTURE.md")]
        }
        return source.code.indices.compactMap { index in
            guard let module = importedModule(source.code[index]),
                !room.mayImport(module, in: source.pathInRoom)
            else { return nil }
            return source.violation(index + 1, "\(name) may not import \(module) here")
        }
    }

    static func words(_ source: SwiftSource) -> [Violation] {
        let isQuiet = Room.named(source.room)?.isQuiet ?? false
        let bans = everywhereBans + (isQuiet ? quietBans : [])
        var violations: [Violation] = []
        for ban in bans {
            for line in source.codeLines(where: { $0.containsWord(ban.word) }) {
                violations.append(source.violation(line, "\(ban.word): \(ban.instead)"))
            }
        }
        return violations + (isQuiet ? chance(source) : []) + printing(source)
    }

    /// `T.random(in: range)` takes the system's generator unless it is given another.
    private static func chance(_ source: SwiftSource) -> [Violation] {
        source.codeLines { $0.contains(".random(in:") || $0.contains("Bool.random(") }
            .filter { line in
                let call = source.code[(line - 1)..<min(line + 3, source.code.count)]
                return !call.contains { $0.contains("using:") }
            }
            .map { source.violation($0, "chance is a generator that is passed in: using:") }
    }

    private static func printing(_ source: SwiftSource) -> [Violation] {
        guard let room = source.room, room != "brokerfs", room != "brokerfs-sim" else { return [] }
        return source.codeLines { $0.containsWord("print(") || $0.containsWord("debugPrint(") }
            .map { source.violation($0, "only commands speak to people; others log") }
    }

    /// Marks of unfinished work belong to the issues, not to the tree.
    static func marks(_ source: SwiftSource) -> [Violation] {
        source.comments.indices.compactMap { index in
            let mark = ["TODO", "FIXME", "XXX"].first { source.comments[index].containsWord($0) }
            return mark.map { source.violation(index + 1, "\($0): finish it, or open an issue") }
        }
    }

    /// Words that say that a type does something, and not what.
    static func typeNames(_ source: SwiftSource) -> [Violation] {
        let kinds = ["struct", "class", "enum", "actor", "protocol", "typealias"]
        return source.code.indices.compactMap { index in
            let words = source.code[index].split { !$0.isWordPart }
            guard let kind = words.firstIndex(where: { kinds.contains(String($0)) }),
                kind + 1 < words.count
            else { return nil }
            let name = words[kind + 1]
            let ending = ["Manager", "Helper", "Helpers", "Util", "Utils", "Impl"].first {
                name.hasSuffix($0)
            }
            return ending.map { source.violation(index + 1, "\(name): \($0) names nothing") }
        }
    }

    /// The module of an import, without access level, attributes or kind.
    static func importedModule(_ line: String) -> String? {
        let words = line.split(separator: " ")
        guard let keyword = words.firstIndex(of: "import"), keyword + 1 < words.count else {
            return nil
        }
        let kinds = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var"]
        let rest = words[(keyword + 1)...].drop { kinds.contains(String($0)) }
        return rest.first?.split(separator: ".").first.map(String.init)
    }
}
