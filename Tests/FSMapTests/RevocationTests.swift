// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Testing

/// `revocations/<index>`: what was revoked, and who is known to have forgotten it.
@Suite("Receipts of revocations")
struct RevocationTests {
    private var fixture = Fixture()

    init() throws {
        try fixture.putSession("s\u{1}", user: "u")
        try fixture.putSession("t", user: "u")
    }

    @Test("a receipt says what, why, how many, where in the log, and when")
    mutating func document() throws {
        fixture.apply(.revoke(.session("s\u{1}"), reason: "lost \"laptop\"\n"))
        let accepted = fixture.state.now.text
        #expect(
            try fixture.text(of: "revocations/3") == """
                {
                  "id": "3",
                  "target": "session:s\\u0001",
                  "reason": "lost \\"laptop\\"\\n",
                  "sessions": 1,
                  "index": 3,
                  "term": 3,
                  "accepted_at": "\(accepted)",
                  "nodes": []
                }

                """
        )
    }

    @Test("targets are as the command line takes them; several at once have none")
    mutating func targets() throws {
        let targets: [(RevocationTarget?, String)] = [
            (.user("u"), #""user:u""#), (.group("g"), #""group:g""#),
            (.serviceAccount("a"), #""service-account:a""#), (nil, "null"),
        ]
        for (target, text) in targets {
            fixture.apply(.revoke(.user("u"), reason: ""))
            fixture.state.revocations[fixture.state.index]?.target = target
            let document = try fixture.text(of: "revocations/\(fixture.state.index)")
            #expect(document.contains("\n  \"target\": \(text),\n"), "\(document)")
        }
    }

    @Test("what is known of the nodes shows at once, without anybody being told")
    mutating func nodes() throws {
        fixture.apply(.revoke(.session("t"), reason: ""))
        fixture.settle()
        let before = try fixture.find("revocations/3")
        #expect(before.attributeSeconds == 0)
        let moment = fixture.state.now
        fixture.state.progress[3] = [
            NodeProgress(
                node: "n1",
                appliedAt: moment.adding(seconds: 1),
                forgottenAt: moment.adding(seconds: 2)
            ),
            NodeProgress(node: "n 2"),
        ]
        let text = try fixture.text(of: "revocations/3")
        let applied = moment.adding(seconds: 1).text
        let forgotten = moment.adding(seconds: 2).text
        #expect(
            text.hasSuffix(
                """
                  "nodes": [
                    {"node": "n1", "applied_at": "\(applied)", "forgotten_at": "\(forgotten)"},
                    {"node": "n 2", "applied_at": null, "forgotten_at": null}
                  ]
                }

                """
            ),
            "\(text)"
        )
        let after = try fixture.find("revocations/3").attributes
        #expect(after.sizeBytes == UInt64(text.utf8.count))
        #expect(after.modifiedAt == moment.adding(seconds: 2))
        #expect(after.number == before.attributes.number)
    }

    @Test("they are listed in their order, and the oldest go")
    mutating func listing() throws {
        for _ in 0..<7 { fixture.apply(.revoke(.user("u"), reason: "")) }
        #expect(try fixture.names("revocations") == ["5", "6", "7", "8", "9"])
        for name in ["4", "10", "05", "+5", "5 ", "x", "-1", "18446744073709551616"] {
            #expect(throws: FSError.notFound) { try fixture.find("revocations/\(name)") }
        }
    }

    @Test("a new one is told to whoever has the listing, and one that goes as well")
    mutating func told() throws {
        for _ in 0..<5 { fixture.apply(.revoke(.user("u"), reason: "")) }
        let directory = try fixture.find("revocations").inode
        _ = try fixture.list("revocations")
        let oldest = try fixture.find("revocations/3").inode
        let told = fixture.apply(.revoke(.user("u"), reason: ""))
        #expect(told.names.contains(.listing(directory: directory)))
        #expect(told.names.contains(.entry(parent: directory, name: "8")))
        #expect(told.names.contains(.delete(parent: directory, child: oldest, name: "3")))
    }

    @Test("nobody writes, makes, removes or renames them")
    mutating func readOnly() throws {
        fixture.apply(.revoke(.session("t"), reason: ""))
        let directory = try fixture.find("revocations").inode
        #expect(throws: FSError.notPermitted) { try fixture.open("revocations/3", [.write]) }
        #expect(throws: FSError.notPermitted) {
            try fixture.files.unlink("3", in: directory, view: fixture.state)
        }
        for name in ["4", "new"] {
            #expect(throws: FSError.notPermitted) {
                try fixture.create("revocations/\(name)", "{}")
            }
            #expect(throws: FSError.notPermitted) {
                try fixture.files.makeDirectory(
                    name,
                    in: directory,
                    now: fixture.now,
                    view: fixture.state
                )
            }
        }
        #expect(throws: FSError.notPermitted) {
            try fixture.files.removeDirectory(
                "revocations",
                in: FileSystem.rootInode,
                view: fixture.state
            )
        }
        #expect(try fixture.text(of: "revocations/3").contains("session:t"))
    }
}
