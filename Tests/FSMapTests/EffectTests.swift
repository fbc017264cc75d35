// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Testing

/// For each effect: which names, files and directories a kernel that knows everything is told of.
@Suite("What a change invalidates")
struct EffectTests {
    /// A mount whose kernel has looked up everything there is.
    private struct Known {
        var fixture = Fixture()
        var paths: [UInt64: String] = [1: "/"]

        init() throws {
            try fixture.put(.user, "u", #"{"name":"U","email":"u@x"}"#)
            try fixture.put(.directoryUser, "u", #"{"group_ids":["g"]}"#)
            try fixture.put(.directoryGroup, "g", #"{"name":"G"}"#)
            try fixture.put(.serviceAccount, "a", #"{"user_id":"u"}"#)
            try fixture.put(.context, "src/k", "v")
            try fixture.put(RecordType("t/T"), "r", "{}")
            try fixture.putSession("s", user: "u")
            try fixture.putSession("x", user: "a")
            try walk(FileSystem.rootInode, "")
        }

        private mutating func walk(_ inode: UInt64, _ path: String) throws {
            for entry in try fixture.list(inode: inode).dropFirst(2) {
                let found = try fixture.find("\(path)/\(entry.name)")
                paths[found.inode] = "\(path)/\(entry.name)"
                if entry.kind == .directory { try walk(found.inode, "\(path)/\(entry.name)") }
            }
        }

        /// What is told when a command has been applied, as words, sorted.
        mutating func told(_ kind: Command.Kind) -> [String] {
            let told = fixture.apply(kind)
            return (told.content + told.names).map { invalidation in
                switch invalidation {
                case .attributes(let inode): "attributes \(name(inode))"
                case .content(let inode): "content \(name(inode))"
                case .listing(let inode): "listing \(name(inode))"
                case .entry(let parent, let name): "entry \(self.name(parent)) \(name)"
                case .delete(let parent, _, let name): "delete \(self.name(parent)) \(name)"
                case .unused(let inodes): "unused \(inodes)"
                case .everything: "everything"
                }
            }.sorted()
        }

        private func name(_ inode: UInt64) -> String {
            let path = paths[inode] ?? "?"
            return path.hasSuffix("/sessions/s") ? "/sessions/s" : path
        }
    }

    private func put(_ type: RecordType, _ id: String, _ json: String) throws -> Command.Kind {
        .put([try Document.parse(Array(json.utf8), type: type, id: id)])
    }

    private static let sessionType = "type.googleapis.com%2Fsession.Session"

    @Test("a new session: its name in every directory it can be in, and their listings")
    func sessionCreated() throws {
        var known = try Known()
        let told = known.told(try put(.session, "n", #"{"user_id":"u"}"#))
        #expect(
            told == [
                "entry /groups/g/sessions n", "entry /records/\(Self.sessionType) n",
                "entry /sessions n", "entry /users/u/sessions n",
                "listing /records/\(Self.sessionType)", "listing /sessions", "listing /users/u",
                "listing /users/u/sessions",
            ]
        )
    }

    @Test("a changed session: its content, under all names at once")
    func sessionWritten() throws {
        var known = try Known()
        let told = known.told(try put(.session, "s", #"{"user_id":"u","idp_id":"z"}"#))
        #expect(told.contains("content /sessions/s"))
        #expect(told.contains("content /records/\(Self.sessionType)/s"))
        #expect(!told.contains { $0.hasPrefix("entry") || $0.hasPrefix("delete") })
    }

    @Test("a session that changes hands: every name it had and the ones it has now")
    func sessionMoved() throws {
        var known = try Known()
        let told = known.told(try put(.session, "s", #"{"user_id":"a"}"#))
        for expected in [
            "content /sessions/s", "entry /users/u/sessions s", "entry /groups/g/sessions s",
            "entry /users/a/sessions s", "entry /service-accounts/a/sessions s",
            "listing /users/u/sessions", "listing /users/a/sessions",
            "listing /service-accounts/a/sessions",
        ] { #expect(told.contains(expected), "\(expected) is not in \(told)") }
    }

    @Test("a session that changes hands while its old user leaves the group, in one batch")
    func sessionMovedAndLeft() throws {
        var known = try Known()
        let told = known.told(
            .put([
                try Document.parse(Array("{}".utf8), type: .directoryUser, id: "u"),
                try Document.parse(Array(#"{"user_id":"a"}"#.utf8), type: .session, id: "s"),
            ])
        )
        #expect(told.contains("entry /groups/g/sessions s"))
    }

    @Test("a revoked session: content before the reply, every name after it")
    func sessionRevoked() throws {
        var known = try Known()
        let inode = try known.fixture.find("sessions/s").inode
        let told = known.fixture.apply(.revoke(.session("s"), reason: ""))
        #expect(told.content.contains(.content(inode: inode)))
        for directory in ["sessions", "users/u/sessions", "groups/g/sessions"] {
            let parent = try known.fixture.find(directory).inode
            #expect(told.names.contains(.delete(parent: parent, child: inode, name: "s")))
            // The listing of a group's sessions is never cached.
            guard directory != "groups/g/sessions" else { continue }
            #expect(told.names.contains(.listing(directory: parent)))
        }
        #expect(!told.names.contains { if case .content = $0 { true } else { false } })
    }

    @Test("a user record: the three files that show it")
    func userWritten() throws {
        var known = try Known()
        let told = known.told(try put(.user, "u", #"{"name":"V"}"#))
        for file in ["user.json", "email", "name"] {
            #expect(told.contains("content /users/u/\(file)"))
        }
        let created = known.told(try put(.user, "a", #"{"name":"A"}"#))
        for file in ["user.json", "email", "name"] {
            #expect(created.contains("entry /users/a \(file)"))
        }
    }

    @Test("a directory user that joins: both sides of the membership and the sessions in it")
    func joined() throws {
        var known = try Known()
        let told = known.told(try put(.directoryUser, "a", #"{"group_ids":["g","h"]}"#))
        for expected in [
            "content /users/a/groups", "content /groups/g/members", "content /groups/g/count",
            "entry /groups/g/members.d a", "entry /groups/g/sessions x",
            "listing /groups/g/members.d", "listing /groups/g/sessions", "listing /groups/g",
            "entry /groups h", "listing /groups", "entry /users/a email",
        ] { #expect(told.contains(expected), "\(expected) is not in \(told)") }
    }

    @Test("a member that leaves: the link and the sessions")
    func left() throws {
        var known = try Known()
        let change = MembershipChange(group: "g", remove: ["u"])
        let told = known.told(.changeMembers(change))
        for expected in [
            "content /users/u/groups", "content /groups/g/members", "content /groups/g/count",
            "content /groups/g/members.d/u", "delete /groups/g/members.d u",
            "entry /groups/g/sessions s", "listing /groups/g/members.d",
        ] { #expect(told.contains(expected), "\(expected) is not in \(told)") }
    }

    @Test("a group that is deleted: its directory and all in it")
    func groupDeleted() throws {
        var known = try Known()
        let told = known.told(.deleteGroup("g"))
        for expected in [
            "delete /groups g", "listing /groups", "content /groups/g/group.json",
            "content /groups/g/name", "content /groups/g/members", "content /groups/g/count",
            "content /users/u/groups",
        ] { #expect(told.contains(expected), "\(expected) is not in \(told)") }
        let below = try #require(told.firstIndex { $0.hasPrefix("delete /groups/g ") })
        #expect(below >= 0)
        #expect(throws: FSError.notFound) { try known.fixture.find("groups/g") }
    }

    @Test("a service account that is revoked: its files, its directory and its sessions")
    func accountRevoked() throws {
        var known = try Known()
        let told = known.told(.revoke(.serviceAccount("a"), reason: ""))
        for expected in [
            "delete /service-accounts a", "listing /service-accounts", "delete /sessions x",
            "content /service-accounts/a/account.json", "delete /users a", "listing /users",
        ] { #expect(told.contains(expected), "\(expected) is not in \(told)") }
    }

    @Test("context: the value, the listing, and the source with its last value")
    func context() throws {
        var known = try Known()
        #expect(known.told(try put(.context, "src/k", "w")).contains("content /context/src/k"))
        #expect(known.told(try put(.context, "src/l", "w")).contains("entry /context/src l"))
        #expect(known.told(try put(.context, "new/l", "w")).contains("entry /context new"))
        let told = known.told(.put([RecordWrite(delete: .context, id: "src/k")]))
        #expect(told.contains("delete /context/src k"))
        _ = known.told(.put([RecordWrite(delete: .context, id: "src/l")]))
        #expect(throws: FSError.notFound) { try known.fixture.find("context/src") }
    }

    @Test("a record without a face, and the first of its type")
    func faceless() throws {
        var known = try Known()
        #expect(
            known.told(try put(RecordType("t/T"), "q", "{}")).contains("entry /records/t%2FT q")
        )
        #expect(known.told(try put(RecordType("t/U"), "q", "{}")).contains("entry /records t%2FU"))
        let told = known.told(.put([RecordWrite(delete: RecordType("t/T"), id: "r")]))
        #expect(told.contains("delete /records/t%2FT r"))
    }

    @Test("a kernel that knows nothing is told nothing")
    func nothingKnown() throws {
        var fixture = Fixture()
        try fixture.putSession("s", user: "u")
        let told = fixture.apply(.revoke(.user("u"), reason: ""))
        #expect(told.content.isEmpty && told.names.isEmpty)
    }

    @Test(
        "each listing is told once a batch, and a bulk is one epoch with the content in reach",
        arguments: [(MountKind.ordinary, 3), (.readOnly, 20)]
    )
    func bulk(kind: MountKind, contents: Int) throws {
        var fixture = Fixture {
            $0.invalidatedNamesMax = 10
            $0.kind = kind
        }
        for number in 0..<20 { try fixture.putSession("s\(number)", user: "u") }
        for number in 0..<20 { _ = try fixture.find("sessions/s\(number)") }
        if kind == .ordinary {
            for number in 0..<3 { _ = try fixture.open("sessions/s\(number)") }
        }
        let told = fixture.apply(.revoke(.user("u"), reason: ""))
        #expect(told.content.count == contents)
        #expect(told.names.first == .everything)
        let sessions = try fixture.find("sessions").inode
        #expect(told.names.filter { $0 == .listing(directory: sessions) }.count == 1)
        #expect(told.names.allSatisfy { if case .delete = $0 { false } else { true } })
    }

    @Test("what changed in the last second is not to be believed for long")
    func recent() throws {
        var fixture = Fixture()
        try fixture.putSession("s", user: "u")
        #expect(try fixture.find("sessions/s").entrySeconds == 0)
        #expect(try fixture.find("sessions/s").attributeSeconds == 0)
        #expect(try fixture.find("sessions").attributeSeconds == 3600)
        #expect(try fixture.find("sessions").entrySeconds == 3600)
        #expect(try fixture.find("context").attributeSeconds == 3600)
        fixture.settle()
        #expect(try fixture.find("sessions/s").entrySeconds == 3600)
        #expect(try fixture.find("sessions/s").attributeSeconds == 3600)
        fixture.apply(.revoke(.session("s"), reason: ""))
        let sessions = try fixture.find("sessions").inode
        func missing(_ name: String) throws(FSError) -> LookupReply {
            try fixture.files.lookup(name, in: sessions, now: fixture.now, view: fixture.state)
        }
        #expect(try missing("s") == .missing(seconds: 0))
        #expect(try missing("other") == .missing(seconds: 3600))
        fixture.settle()
        #expect(try missing("s") == .missing(seconds: 3600))
    }

    @Test("a reply that a change overtook is taken back, no other one")
    func raced() throws {
        var fixture = Fixture()
        try fixture.putSession("s", user: "u")
        let sessions = try fixture.find("sessions").inode
        let session = try fixture.find("sessions/s").inode
        let before = fixture.files.mark()
        fixture.apply(.revoke(.session("s"), reason: ""))
        let after = fixture.files.mark()
        let files = fixture.files
        #expect(
            files.raced(since: before, name: "s", in: sessions) == [
                .content(inode: session), .entry(parent: sessions, name: "s"),
            ]
        )
        #expect(files.raced(since: before, inode: session) == [.content(inode: session)])
        #expect(files.raced(since: before, inode: sessions).contains(.listing(directory: sessions)))
        // Whoever only asked for attributes was told of no name.
        #expect(
            files.racedAttributes(since: before, inode: sessions)
                == [.listing(directory: sessions)]
        )
        #expect(files.racedAttributes(since: before, inode: session) == [.content(inode: session)])
        #expect(files.racedAttributes(since: after, inode: sessions).isEmpty)
        #expect(files.raced(since: before, name: "other", in: sessions).isEmpty)
        #expect(files.raced(since: after, name: "s", in: sessions).isEmpty)
        #expect(files.raced(since: after, inode: sessions).isEmpty)
    }
}
