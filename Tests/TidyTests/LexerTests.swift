// SPDX-License-Identifier: Apache-2.0

import Testing

/// What the other rules stand on: words in strings and comments are not code.
struct LexerTests {
    private func code(_ text: String) -> String {
        SwiftSource("a.swift", text).code.joined(separator: "\n")
            .split(separator: " ").joined(separator: " ")
    }

    @Test(
        "strings and comments are not code",
        arguments: [
            #"a "x" b"#, #"a /* x /* x */ x */ b"#, ##"a #"x "x" x"# b"##, #"a "\"x\\" b"#,
            "a \"\"\"\n x \"x\" x\n \"\"\" b", #"a "" b"#,
        ]
    )
    func blanks(_ text: String) {
        #expect(code(text).filter { $0 != "\n" && $0 != " " } == "ab")
    }

    @Test("a comment ends with its line")
    func lineComment() {
        #expect(code("a // x\nb") == "a \nb")
    }

    @Test("what a string interpolates is code")
    func interpolation() {
        #expect(code(#"a("x \(f(g("y"), h)) x")"#) == "a( (f(g( ), h)) )")
        #expect(code(##"#"x \(x) \#(y)"#"##) == "(y)")
    }

    @Test("comments have a layer of their own")
    func comments() {
        let source = SwiftSource("a.swift", "let a = \"// x\"  // y\n")
        #expect(source.comments.map { $0.filter { $0 != " " } } == ["//y"])
    }

    @Test("layers have the lines of the file")
    func lineCount() {
        let source = SwiftSource("a.swift", "/*\n*/ let a = \"\"\"\n x\n \"\"\"\n")
        #expect(source.lines.count == 4)
        #expect(source.code.count == 4)
        #expect(source.comments.count == 4)
    }

    @Test("a word has borders")
    func words() {
        #expect("Task { }".containsWord("Task"))
        #expect(!"BackgroundTask".containsWord("Task"))
        #expect(!"Tasks".containsWord("Task"))
        #expect("x.random(in: 1)".containsWord(".random(in:"))
        #expect("Tasks Task".containsWord("Task"))
    }
}
