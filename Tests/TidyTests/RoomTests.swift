// SPDX-License-Identifier: Apache-2.0

import Testing

struct RoomTests {
    private let sources = Repository.current.swift

    @Test("a room imports only what its row allows")
    func imports() {
        expectNone(sources.flatMap(RoomRules.imports))
    }

    @Test("every room of the table has files")
    func rows() {
        for room in Room.all {
            #expect(sources.contains { $0.room == room.name }, "\(room.name) has no file")
        }
    }

    @Test("no banned word stands in code")
    func words() {
        expectNone(sources.flatMap(RoomRules.words))
    }

    @Test("the name service is asked, and secrets are revealed, in one file each")
    func confined() {
        expectNone(sources.flatMap(RoomRules.confined))
        let account = SwiftSource("Sources/brokerfs/Accounts.swift", "getgrnam(name)")
        #expect(RoomRules.confined(account).isEmpty)
        for text in ["getgrnam(name)", "_ = getaddrinfo(a, b, c, d)", "Document.reveal(r)"] {
            for path in [
                "Sources/FuseMount/A.swift", "Sources/FSMap/A.swift", "Sources/Node/A.swift",
            ] {
                #expect(RoomRules.confined(SwiftSource(path, text)).map(\.line) == [1])
            }
        }
    }

    @Test("no mark of unfinished work stands in a comment")
    func marks() {
        expectNone(sources.flatMap(RoomRules.marks))
    }

    @Test("type names say what the type is")
    func typeNames() {
        expectNone(sources.flatMap(RoomRules.typeNames))
    }

    @Test(
        "an import against the arrows is refused",
        arguments: [
            ("Sources/FSMap/A.swift", "import Store"),
            ("Sources/Replica/A.swift", "package import Node"),
            ("Sources/Log/Log.swift", "internal import Glibc"),
            ("Sources/Store/RecordStore.swift", "internal import CRocksDB"),
            ("Sources/Identity/A.swift", "package import Foundation"),
            ("Sources/Replica/A.swift", "@preconcurrency import struct Foundation.Date"),
            ("Sources/Attic/A.swift", "let a = 1"),
        ]
    )
    func refusedImports(path: String, text: String) {
        #expect(RoomRules.imports(SwiftSource(path, text)).map(\.line) == [1])
    }

    @Test(
        "an import along the arrows is taken",
        arguments: [
            ("Sources/Store/KeyValue/A.swift", "internal import CRocksDB"),
            ("Sources/Identity/A.swift", "import FoundationEssentials"),
            ("Sources/Log/PosixDisk.swift", "import Glibc"),
            ("Sources/Log/A.swift", "let a = \"import Glibc\" // import Glibc"),
            ("Tests/LogTests/A.swift", "import Foundation"),
        ]
    )
    func takenImports(path: String, text: String) {
        #expect(RoomRules.imports(SwiftSource(path, text)).isEmpty)
    }

    @Test(
        "a word that breaks the quiet is refused in a quiet room only",
        arguments: [
            "let now = Date()", "Task { }", "func f() async", "DispatchQueue.global()", "Thread()",
            "clock_gettime(CLOCK_REALTIME, &t)", "var g = SystemRandomNumberGenerator()",
            "Int.random(in: 1...2)", "a.shuffled()",
        ]
    )
    func quietWords(_ text: String) {
        #expect(RoomRules.words(SwiftSource("Sources/Replica/A.swift", text)).map(\.line) == [1])
        #expect(RoomRules.words(SwiftSource("Sources/Node/A.swift", text)).isEmpty)
    }

    @Test(
        "chance that is passed in is taken",
        arguments: [
            "Int.random(in: 1...2, using: &generator)",
            "Int.random(\n    in: 1...2,\n    using: &generator\n)",
        ]
    )
    func passedChance(_ text: String) {
        #expect(RoomRules.words(SwiftSource("Sources/Samples/A.swift", text)).isEmpty)
    }

    @Test(
        "ways to die are refused everywhere",
        arguments: [
            "Tests/LogTests/A.swift", "Sources/Log/A.swift", "Sources/brokerfs/A.swift",
        ]
    )
    func dying(_ path: String) {
        #expect(!RoomRules.words(SwiftSource(path, "try! f()")).isEmpty)
        #expect(!RoomRules.words(SwiftSource(path, "fatalError()")).isEmpty)
    }

    @Test("printing is refused outside brokerfs")
    func printing() {
        #expect(!RoomRules.words(SwiftSource("Sources/Node/A.swift", "print(1)")).isEmpty)
        #expect(RoomRules.words(SwiftSource("Sources/brokerfs/A.swift", "print(1)")).isEmpty)
        #expect(RoomRules.words(SwiftSource("Sources/Node/A.swift", "reprint(1)")).isEmpty)
    }

    @Test("a mark of unfinished work is refused in a comment")
    func mark() {
        #expect(!RoomRules.marks(SwiftSource("a.swift", "let a = 1 // TODO: more")).isEmpty)
        #expect(RoomRules.marks(SwiftSource("a.swift", "let a = \"TODO\"")).isEmpty)
    }

    @Test("an empty type name is refused")
    func emptyName() {
        #expect(!RoomRules.typeNames(SwiftSource("a.swift", "final class LogManager {")).isEmpty)
        #expect(RoomRules.typeNames(SwiftSource("a.swift", "struct LogEntry {")).isEmpty)
    }
}
