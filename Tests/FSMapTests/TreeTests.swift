// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Testing

@Suite("The tree")
struct TreeTests {
    private func sample() throws -> Fixture {
        var fixture = Fixture()
        try fixture.put(.user, "alice", #"{"name":"Alice","email":"alice@example.com"}"#)
        let groups = #"{"group_ids":["ops","dev"],"email":"a@dir","display_name":"A. Lice"}"#
        try fixture.put(.directoryUser, "alice", groups)
        try fixture.put(.directoryUser, "bob", #"{"group_ids":["dev"],"email":"bob@dir"}"#)
        try fixture.put(.directoryGroup, "ops", #"{"name":"Operations"}"#)
        let account = #"{"user_id":"alice","expires_at":"2030-01-01T00:00:00Z"}"#
        try fixture.put(.serviceAccount, "ci", account)
        try fixture.put(.context, "risk/alice", "low")
        try fixture.put(RecordType("example.com/Lock"), "l/1", #"{"note":"x"}"#)
        try fixture.putSession("s1", user: "alice")
        try fixture.putSession("s2", user: "bob")
        try fixture.putSession("s3", user: "ci")
        try fixture.putSession("s4", user: "alice")
        try fixture.putSession("s5", user: "alice")
        fixture.apply(.revoke(.session("s4"), reason: "left \"us\""))
        fixture.apply(.revoke(.session("s5"), reason: ""))
        return fixture
    }

    @Test(
        "directories list what the contract says",
        arguments: [
            (
                "",
                "README sessions users service-accounts groups context records events revocations "
                    + "cluster"
            ),
            ("sessions", "s1 s2 s3"), ("users", "alice bob ci"),
            ("users/alice", "user.json email name groups sessions"),
            ("users/bob", "email name groups sessions"), ("users/ci", "groups sessions"),
            ("users/alice/sessions", "s1"),
            ("service-accounts/ci", "account.json owner expires_at sessions"),
            ("service-accounts/ci/sessions", "s3"), ("groups", "ops dev"),
            ("groups/ops", "group.json name count members members.d sessions"),
            ("groups/dev", "count members members.d sessions"),
            ("groups/dev/members.d", "alice bob"), ("groups/dev/sessions", "s1 s2"),
            ("context", "risk"), ("context/risk", "alice"),
            ("records/example.com%2FLock", "l%2F1"), ("events", "all.jsonl"),
            ("revocations", "13 14"),
            ("cluster", "role leader term writable applied committed lag_ms nodes"),
            ("cluster/nodes", "n1 n%202"), ("cluster/nodes/n1", "address role state applied"),
        ]
    )
    func listings(path: String, names: String) throws {
        let fixture = try sample()
        #expect(try fixture.names(path).joined(separator: " ") == names)
    }

    @Test(
        "files hold what the contract says",
        arguments: [
            ("users/alice/email", "alice@example.com\n"), ("users/alice/name", "Alice\n"),
            ("users/alice/groups", "dev\nops\n"), ("users/bob/email", "bob@dir\n"),
            ("users/bob/name", ""), ("users/ci/groups", ""),
            ("service-accounts/ci/owner", "alice\n"),
            ("service-accounts/ci/expires_at", "2030-01-01T00:00:00Z\n"),
            ("groups/ops/name", "Operations\n"), ("groups/dev/count", "2\n"),
            ("groups/dev/members", "alice\nbob\n"), ("context/risk/alice", "low"),
            ("cluster/role", "leader\n"), ("cluster/writable", "1\n"),
            ("cluster/nodes/n%202/applied", "6\n"),
        ]
    )
    func contents(path: String, content: String) throws {
        let fixture = try sample()
        #expect(try fixture.text(of: path) == content)
    }

    @Test("sizes are true, numbers differ, there is one link, for every node of the tree")
    func walk() throws {
        let fixture = try sample()
        var numbers: [UInt64: String] = [:]
        func walk(_ path: String, _ inode: UInt64) throws {
            for entry in try fixture.list(inode: inode, page: 2).dropFirst(2) {
                let child = "\(path)/\(entry.name)"
                let found = try fixture.find(child)
                #expect(found.attributes.number == entry.number, "\(child)")
                #expect(found.attributes.kind == entry.kind && found.attributes.links == 1)
                #expect(found.attributes.modifiedAt > .epoch, "\(child)")
                let isSession = child.contains("/sessions/")
                let before = numbers.updateValue(child, forKey: entry.number)
                #expect(before == nil || isSession, "\(child) and \(before ?? "")")
                switch entry.kind {
                case .directory: try walk(child, found.inode)
                case .regular:
                    let text = try fixture.text(of: child)
                    #expect(text.utf8.count == Int(found.attributes.sizeBytes), "\(child)")
                case .symlink:
                    let target = try fixture.files.target(of: found.inode, view: fixture.state)
                    #expect(target.utf8.count == Int(found.attributes.sizeBytes))
                    #expect(target == "../../../users/\(entry.name)")
                }
            }
        }
        try walk("", FileSystem.rootInode)
        #expect(numbers.count > 50)
    }

    @Test("a session is one inode under all its names")
    func oneInode() throws {
        let fixture = try sample()
        let inode = try fixture.find("sessions/s1").inode
        for path in ["users/alice/sessions/s1", "groups/dev/sessions/s1", "groups/ops/sessions/s1"]
        {
            #expect(try fixture.find(path).inode == inode)
        }
        for path in [
            "users/bob/sessions/s1", "service-accounts/ci/sessions/s1", "groups/ops/sessions/s2",
        ] {
            #expect(throws: FSError.notFound) { try fixture.find(path) }
        }
    }

    @Test(
        "modes and groups come from one table",
        arguments: [
            ("sessions", 0o750, 72), ("sessions/s1", 0o640, 71), ("users", 0o755, 0),
            ("users/alice/user.json", 0o644, 0), ("users/alice/email", 0o444, 0),
            ("users/alice/sessions", 0o750, 72), ("service-accounts/ci/sessions", 0o750, 72),
            ("groups/dev/members", 0o644, 0), ("groups/dev/count", 0o444, 0),
            ("groups/dev/sessions", 0o750, 72), ("context", 0o750, 71),
            ("context/risk", 0o750, 71), ("context/risk/alice", 0o640, 71),
            ("records", 0o750, 71), ("records/example.com%2FLock/l%2F1", 0o640, 71),
            ("records/pomerium.io%2FDirectoryUser/bob", 0o440, 71), ("events", 0o750, 4),
            ("events/all.jsonl", 0o640, 4), ("cluster", 0o755, 0), ("cluster/role", 0o444, 0),
            ("README", 0o444, 0), ("revocations", 0o750, 71), ("revocations/13", 0o640, 71),
        ] as [(String, UInt32, UInt32)]
    )
    func permissions(path: String, mode: UInt32, group: UInt32) throws {
        let attributes = try sample().find(path).attributes
        #expect(attributes.mode == mode && attributes.gid == group && attributes.uid == 0)
    }

    @Test("metadata is in extended attributes")
    func metadata() throws {
        let fixture = try sample()
        func value(_ key: String, _ path: String) throws -> String {
            let bytes = try fixture.files.extendedAttribute(
                "user.brokerfs.\(key)",
                of: try fixture.find(path).inode,
                caller: 0,
                view: fixture.state
            )
            return String(decoding: bytes, as: UTF8.self)
        }
        #expect(try value("id", "sessions/s1") == "s1")
        #expect(try value("user", "sessions/s1") == "alice")
        #expect(try value("type", "sessions/s1") == RecordType.session.url)
        #expect(try value("version", "sessions/s1") == "8")
        #expect(try value("modified_at", "sessions/s1").hasSuffix("Z"))
        #expect(
            try value("expires_at", "service-accounts/ci/account.json") == "2030-01-01T00:00:00Z"
        )
        #expect(try value("id", "context/risk/alice") == "risk/alice")
        #expect(try value("id", "records/example.com%2FLock/l%2F1") == "l/1")
        #expect(try value("id", "users/alice") == "alice")
        #expect(throws: FSError.noAttribute) { try value("expires_at", "sessions/s1") }
        #expect(throws: FSError.noAttribute) { try value("more", "sessions/s1") }
        let inode = try fixture.find("sessions/s1").inode
        let names = try fixture.files.extendedAttributes(
            of: inode,
            caller: 0,
            view: fixture.state
        )
        #expect(
            names == ["id", "type", "version", "modified_at", "user"].map { "user.brokerfs.\($0)" }
        )
        for foreign in ["security.selinux", "system.posix_acl_access"] {
            #expect(throws: FSError.unsupported) {
                try fixture.files.extendedAttribute(
                    foreign,
                    of: inode,
                    caller: 0,
                    view: fixture.state
                )
            }
        }
    }

    @Test("a directory that goes while it is read ends with ENOENT, as readdir(3) has it")
    func goneWhileRead() throws {
        var fixture = Fixture()
        try fixture.putSession("s1", user: "u")
        let inode = try fixture.find("users/u/sessions").inode
        let handle = try fixture.files.openDirectory(inode, view: fixture.state).handle
        defer { fixture.files.releaseDirectory(handle) }
        fixture.apply(.revoke(.session("s1"), reason: ""))
        #expect(throws: FSError.notFound) {
            try fixture.files.readDirectory(
                inode,
                handle: handle,
                after: 0,
                view: fixture.state
            ) { _ in true }
        }
        #expect(throws: FSError.notFound) {
            try fixture.files.openDirectory(inode, view: fixture.state)
        }
        #expect(throws: FSError.notFound) {
            try fixture.files.lookup("s1", in: inode, now: fixture.now, view: fixture.state)
        }
        // Another directory has the name now: the kernel is to look it up anew.
        try fixture.putSession("s2", user: "u")
        #expect(throws: FSError.stale) {
            try fixture.files.openDirectory(inode, view: fixture.state)
        }
        #expect(throws: FSError.stale) {
            try fixture.files.lookup("s2", in: inode, now: fixture.now, view: fixture.state)
        }
    }

    @Test("offsets survive changes: nothing is skipped or repeated while entries come and go")
    func offsets() throws {
        var fixture = Fixture()
        for number in 0..<300 { try fixture.putSession("s\(number)", user: "u") }
        for path in ["sessions", "users/u/sessions"] {
            let inode = try fixture.find(path).inode
            let handle = try fixture.files.openDirectory(inode, view: fixture.state).handle
            var seen: [String] = []
            var offset: UInt64 = 0
            let stays = Set(
                fixture.state.entries(in: .records(.session), after: 0, limit: 999).map(\.id)
            )
            for round in 0... {
                var taken = 0
                try fixture.files.readDirectory(
                    inode,
                    handle: handle,
                    after: offset,
                    view: fixture.state
                ) { entry in
                    guard taken < 7 else { return false }
                    seen.append(entry.name)
                    offset = entry.offset
                    taken += 1
                    return true
                }
                guard taken > 0 else { break }
                if round % 3 == 0, seen.count > 2, let last = seen.last {
                    fixture.apply(.revoke(.session(last), reason: ""))
                    if round < 60 { try fixture.putSession("\(path.count)n\(round)", user: "u") }
                }
            }
            #expect(Set(seen).count == seen.count)
            #expect(stays.isSubset(of: seen))
            fixture.files.releaseDirectory(handle)
        }
    }

    @Test("a listing with attributes counts a lookup for each entry taken, and no other")
    func plus() throws {
        let fixture = try sample()
        let inode = try fixture.find("sessions").inode
        let handle = try fixture.files.openDirectory(inode, view: fixture.state).handle
        var taken: [(String, UInt64?)] = []
        try fixture.files.readDirectoryPlus(
            inode,
            handle: handle,
            after: 0,
            now: fixture.now,
            view: fixture.state
        ) { line, entry in
            guard taken.count < 4 else { return false }
            taken.append((line.name, entry?.inode))
            return true
        }
        #expect(taken.map(\.0) == [".", "..", "s1", "s2"])
        #expect(taken[0].1 == nil && taken[1].1 == nil)
        let session = try #require(taken[2].1)
        fixture.files.forget(session, lookups: 1)
        #expect(try fixture.find("sessions/s1").inode != session)
    }

    @Test("a name that is not canonical, too long or in no directory does not exist")
    func noName() throws {
        let fixture = try sample()
        for path in [
            "sessions/%73%31", "users/ALICE", "nothing", "users/alice/nothing", "cluster/nodes/n3",
        ] {
            #expect(throws: FSError.notFound) { try fixture.find(path) }
        }
        let long = String(repeating: "x", count: 256)
        #expect(throws: FSError.nameTooLong) { try fixture.find("sessions/\(long)") }
        #expect(throws: FSError.notDirectory) { try fixture.find("README/x") }
    }
}
