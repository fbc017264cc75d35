// SPDX-License-Identifier: Apache-2.0

import Testing

struct SizeTests {
    private let sources = Repository.current.swift

    @Test("the repository was found")
    func repository() {
        #expect(Repository.current.exists("Package.swift"))
        #expect(Repository.current.rooms.count > 50)
    }

    @Test("no file is longer than 400 lines")
    func files() {
        expectNone(sources.flatMap(SizeRules.file))
    }

    @Test("no function is longer than 70 lines")
    func functions() {
        expectNone(sources.flatMap(SizeRules.functions))
    }

    @Test("no line is wider than 100 columns")
    func columns() {
        expectNone(sources.flatMap(SizeRules.columns))
    }

    @Test("every file begins with its licence")
    func licences() {
        expectNone(sources.flatMap(SizeRules.licence))
    }

    @Test("a file of 401 lines is refused")
    func longFile() {
        let lines = { SwiftSource("a.swift", String(repeating: "let a = 1\n", count: $0)) }
        #expect(SizeRules.file(lines(400)).isEmpty)
        #expect(SizeRules.file(lines(401)).map(\.line) == [401])
    }

    @Test("a line of 101 columns is refused")
    func wideLine() {
        let text = "\n" + String(repeating: "é", count: 100) + "\n"
        #expect(SizeRules.columns(SwiftSource("a.swift", text)).isEmpty)
        #expect(SizeRules.columns(SwiftSource("a.swift", text.dropLast() + "x")).map(\.line) == [2])
    }

    @Test("a file without a licence is refused")
    func missingLicence() {
        let licence = SizeRules.licence
        #expect(SizeRules.licence(SwiftSource("a.swift", licence + "\n")).isEmpty)
        #expect(!SizeRules.licence(SwiftSource("a.swift", "\n" + licence)).isEmpty)
        #expect(SizeRules.licence(SwiftSource("Package.swift", "// x\n" + licence)).isEmpty)
        #expect(!SizeRules.licence(SwiftSource("a.swift", "")).isEmpty)
    }

    @Test(
        "a function of 71 lines is refused",
        arguments: [
            "func f() {", "init() throws(E) {", "subscript(i: Int) -> Int {",
            "static func f(_ a: () -> Void = {}) {",
        ]
    )
    func longFunction(_ head: String) {
        let function = { count in
            let body = String(repeating: "    let a = \"}\"\n", count: count - 2)
            return SwiftSource("a.swift", "struct S {\n" + head + "\n" + body + "}\n}\n")
        }
        #expect(SizeRules.functions(function(70)).isEmpty)
        #expect(SizeRules.functions(function(71)).map(\.line) == [2])
    }

    @Test("heads over several lines, requirements and calls are told apart")
    func heads() {
        let text = """
            protocol P {
                func requirement()
                init(a: Int)
            }
            func long(
                a: Int
            ) -> Int
            where A: B {
                self.init()
                return 1
            }
            """
        let functions = FunctionScan(SwiftSource("a.swift", text)).functions
        #expect(functions == [.init(line: 5, lineCount: 7)])
    }
}
