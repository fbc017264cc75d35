// SPDX-License-Identifier: Apache-2.0

import Testing

struct MarkdownTests {
    private let pages = Repository.current.markdown

    @Test("every page has one title")
    func titles() {
        expectNone(pages.flatMap(MarkdownRules.titles))
    }

    @Test("every local link leads somewhere")
    func links() {
        expectNone(pages.flatMap { MarkdownRules.links($0, exists: Repository.current.exists) })
    }

    @Test("every page that a comment names is there")
    func mentions() {
        let sources = Repository.current.swift
        expectNone(
            sources.flatMap { MarkdownRules.mentions($0, exists: Repository.current.exists) }
        )
    }

    @Test("a comment that names no page is refused")
    func deadMention() {
        let check = { text in
            MarkdownRules.mentions(SwiftSource("a.swift", text)) { $0 == "docs/b.md" }
        }
        #expect(check("// See docs/b.md. All .md files.\nlet a = \"x.md\"").isEmpty)
        #expect(check("let a = 1\n/// See `b.md`, section 1").map(\.line) == [2])
    }

    @Test("the README is short and begins with what to type")
    func readme() throws {
        expectNone(MarkdownRules.readme(try #require(pages.first { $0.path == "README.md" })))
    }

    @Test("a page with two titles, or none, is refused")
    func twoTitles() {
        let check = { MarkdownRules.titles(TextFile("a.md", $0)) }
        #expect(check("# A\n\n```\n# comment\n```\n\n## B\n").isEmpty)
        #expect(check("# A\n\n# B\n").map(\.line) == [3])
        #expect(check("A\n").map(\.line) == [1])
    }

    @Test("a link to nowhere is refused")
    func deadLink() {
        let check = { text in
            MarkdownRules.links(TextFile("docs/a.md", text)) { ["docs/b.md", "c.md"].contains($0) }
        }
        #expect(check("[b](b.md#part) [c](../c.md) [x](https://example.com/x) [y](#y)").isEmpty)
        #expect(check("\n[x](x.md) and [b](./b.md)").map(\.line) == [2])
        #expect(check("[x](../../c.md)").map(\.line) == [1])
    }

    @Test("a README that is long or begins elsewhere is refused")
    func badReadme() {
        let check = { MarkdownRules.readme(TextFile("README.md", $0)) }
        let block = "```console\n$ make demo\n$ make test\n```\n"
        #expect(check("# A\n\n" + block).isEmpty)
        #expect(check("# A\n\n```console\n$ ls\n```\n" + block).map(\.line) == [3])
        #expect(check("# A\n\nRun make build.\n\n" + block).map(\.line) == [5])
        #expect(check("# A\n\n```console\n$ make demo\n```\n").map(\.line) == [3])
        let long = "# A\n\n" + block + String(repeating: "\n", count: 145)
        #expect(check(long).map(\.line) == [151])
    }
}
