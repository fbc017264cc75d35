// SPDX-License-Identifier: Apache-2.0

import Testing

struct DeclarationTests {
    private let rooms = Repository.current.rooms

    @Test("what other rooms use is documented")
    func documentation() {
        let seams = Seams(rooms)
        expectNone(rooms.flatMap { DeclarationRules.documentation($0, seams) })
        expectNone(seams.undocumented)
    }

    @Test("each unchecked place has its reason")
    func reasons() {
        expectNone(Repository.current.swift.flatMap(DeclarationRules.unexplained))
    }

    @Test("no room has more unchecked places than its row says", arguments: Room.all)
    func ratchet(room: Room) {
        expectNone(DeclarationRules.ratchet(rooms, room: room))
    }

    @Test("every limit is obeyed somewhere")
    func limits() throws {
        let limits = try #require(rooms.first { $0.path == "Sources/Identity/Limits.swift" })
        expectNone(DeclarationRules.unusedLimits(limits, in: rooms))
    }

    @Test(
        "an undocumented declaration is refused",
        arguments: [
            "package struct A {", "    package static func f() {", "package init() {}",
            "@frozen package enum A {", "package mutating func f() async {",
            "package final class A {",
            "package subscript(i: Int) -> Int {",
        ]
    )
    func undocumented(_ text: String) {
        let check = { DeclarationRules.documentation($0) }
        #expect(check(SwiftSource("a.swift", "\n" + text)).map(\.line) == [2])
        #expect(check(SwiftSource("a.swift", "// Why.\n" + text)).map(\.line) == [2])
        #expect(check(SwiftSource("a.swift", "/// What.\n" + text)).isEmpty)
        #expect(check(SwiftSource("a.swift", "/// What.\n@inlinable\n" + text)).isEmpty)
    }

    @Test("what a protocol asks for is documented there, and only there")
    func requirements() {
        let seam = """
            package protocol Disk {
                /// Reads.
                func read()
                func write()
            }
            """
        let seams = Seams([SwiftSource("Disk.swift", seam)])
        #expect(seams.undocumented.map(\.line) == [4])
        let function = "    package func read() {"
        let check = { DeclarationRules.documentation(SwiftSource("a.swift", $0), seams) }
        #expect(check("extension A: Sendable, Disk {\n" + function).isEmpty)
        #expect(check("extension A: DiskLike {\n" + function).map(\.line) == [2])
        #expect(check("let a: Disk\n" + function).map(\.line) == [2])
    }

    @Test(
        "what speaks for itself needs no comment",
        arguments: [
            "package import Log", "package var a: Int", "package static let initial = 1",
            "case a", "func f() {", "package static func == (a: A, b: A) -> Bool {",
            "package func hash(into hasher: inout Hasher) {",
            "package private(set) var f = { init() }",
        ]
    )
    func selfEvident(_ text: String) {
        #expect(DeclarationRules.documentation(SwiftSource("a.swift", text)).isEmpty)
    }

    @Test(
        "an unchecked place without a reason nearby is refused",
        arguments: [
            "final class A: @unchecked Sendable {", "nonisolated(unsafe) var a = 1",
        ]
    )
    func unexplained(_ text: String) {
        let check = DeclarationRules.unexplained
        let far = "// SAFETY: why\n" + String(repeating: "\n", count: 6) + text
        #expect(check(SwiftSource("a.swift", text)).map(\.line) == [1])
        #expect(check(SwiftSource("a.swift", far)).map(\.line) == [8])
        #expect(check(SwiftSource("a.swift", "// SAFETY: why\n" + text)).isEmpty)
        #expect(check(SwiftSource("a.swift", text + "\n    // SAFETY: why")).isEmpty)
    }

    @Test("the number of unchecked places holds in both directions")
    func bothDirections() {
        let source = SwiftSource("Sources/A/a.swift", "class A: @unchecked Sendable {}\n")
        let room = { Room(name: "A", imports: [], uncheckedCount: $0) }
        #expect(DeclarationRules.ratchet([source], room: room(0)).count == 1)
        #expect(DeclarationRules.ratchet([source], room: room(1)).isEmpty)
        #expect(DeclarationRules.ratchet([source], room: room(2)).count == 1)
    }

    @Test("a limit that nothing names is refused")
    func unusedLimit() {
        let limits = SwiftSource("Limits.swift", "package static let aMax = 1 // Limits.aMax\n")
        let user = { SwiftSource("a.swift", $0) }
        let check = { DeclarationRules.unusedLimits(limits, in: [limits, user($0)]) }
        #expect(check("a < Limits.aMax").isEmpty)
        #expect(check("a < Limits.aMaxima").map(\.line) == [1])
        #expect(check("// Limits.aMax").map(\.line) == [1])
    }
}
