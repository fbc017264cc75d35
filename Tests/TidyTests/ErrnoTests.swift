// SPDX-License-Identifier: Apache-2.0

import Testing

struct ErrnoTests {
    @Test("error numbers are named where the list says")
    func numbers() {
        expectNone(Repository.current.rooms.flatMap(ErrnoRules.check))
    }

    @Test("the list names files that are there and name some")
    func list() {
        for (path, _) in ErrnoRules.files {
            let source = Repository.current.rooms.first { $0.path == path }
            let text = source?.code.joined(separator: "\n") ?? ""
            let elsewhere = SwiftSource("Sources/Replica/A.swift", text)
            #expect(!ErrnoRules.check(elsewhere).isEmpty, "\(path) need not be on the list")
        }
    }

    @Test("an error number elsewhere is refused")
    func elsewhere() {
        let check = { ErrnoRules.check(SwiftSource($0, "// ENOENT\nreturn -ENOENT")) }
        #expect(check("Sources/FSMap/Tree.swift").map(\.line) == [2])
        #expect(check("Sources/FuseMount/Errno.swift").isEmpty)
        #expect(check("Tests/MountTests/A.swift").isEmpty)
    }
}
