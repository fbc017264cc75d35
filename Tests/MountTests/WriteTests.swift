// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What an operator, a script and a tool do to the tree, through a real mount.
@Suite(.serialized) struct WriteTests {
    private let node: MountedNode

    init() throws {
        node = try MountedNode()
        try node.load([
            Line.session("s1"), Line.session("s2"), Line.session("s3", user: "bob"),
            Line.user("alice"), Line.user("bob"), Line.group("oncall"),
            Line.directoryUser("alice", groups: ["oncall"]),
        ])
    }

    @Test("rm revokes a session under all its names, for good")
    func removeSession() throws {
        try node.sh(
            "cat sessions/s1 users/alice/sessions/s1 >/dev/null; rm users/alice/sessions/s1"
        )
        #expect(node.attempt("cat sessions/s1").status == 1)
        #expect(
            try node.sh("ls sessions users/alice/sessions")
                == "sessions:\ns2\ns3\n\nusers/alice/sessions:\ns2\n"
        )
        let again = node.attempt("echo '{\"user_id\":\"alice\"}' > sessions/s1")
        #expect(again.status != 0)
        #expect(again.output.contains("Key has been revoked"))
        #expect(
            try node.sh("tail -n 1 events/all.jsonl").contains(
                #""op":"revoke","type":"session","id":"s1""#
            )
        )
    }

    @Test("rmdir of a user's sessions is one entry, and the directory stays, empty")
    func removeAllSessions() throws {
        let before = try node.sh("cat cluster/applied").trimmed
        try node.sh("ls users/alice/sessions >/dev/null; rmdir users/alice/sessions")
        #expect(Int(try node.sh("cat cluster/applied").trimmed) == Int(before).map { $0 + 1 })
        #expect(try node.sh("ls users/alice/sessions") == "")
        #expect(try node.sh("ls sessions") == "s3\n")
        #expect(node.attempt("cd users/alice/sessions && ls && rmdir ../sessions").status == 0)
    }

    @Test("rmdir of a group's sessions revokes those of its members only")
    func removeGroupSessions() throws {
        try node.sh("rmdir groups/oncall/sessions")
        #expect(
            try node.sh("ls sessions groups/oncall/sessions")
                == "groups/oncall/sessions:\n\nsessions:\ns3\n"
        )
    }

    @Test("cat and cp create and update a session, hidden tokens keep their secrets")
    func writeSession() throws {
        try node.sh(
            #"""
            echo '{"user_id":"carol","idp_id":"okta","id_token":{"raw":"top-secret"}}' > sessions/s9
            """#
        )
        #expect(try node.sh("ls users/carol/sessions") == "s9\n")
        let shown = try node.sh("cat sessions/s9")
        #expect(shown.contains(#""raw": "[hidden sha256:"#))
        #expect(!shown.contains("top-secret"))
        try node.sh(
            "sed 's/okta/entra/' sessions/s9 > ../edited.json && cp ../edited.json sessions/s9"
        )
        #expect(
            try node.sh("cat sessions/s9") == shown.replacingOccurrences(of: "okta", with: "entra")
        )
        let forged = node.attempt(
            """
            sed 's/sha256:....../sha256:000000/' sessions/s9 > ../forged.json
            cp ../forged.json sessions/s9
            """
        )
        #expect(forged.status != 0)
        #expect(forged.output.contains("Invalid argument"))
        #expect(try node.sh("cat sessions/s9").contains("entra"))
    }

    @Test("a session's size is its true size, for stat, wc and tar")
    func sizes() throws {
        #expect(try node.sh("stat -c %s sessions/s1") == node.sh("cat sessions/s1 | wc -c"))
        try node.sh(
            """
            tar -C . -cf ../copy.tar sessions groups/oncall/members \
              && tar -xOf ../copy.tar sessions/s1 | cmp - sessions/s1
            """
        )
        #expect(
            try node.sh("stat -c %i sessions/s1") == node.sh("stat -c %i users/alice/sessions/s1")
        )
    }

    @Test("members: appends add, copies replace, one shell does not lose another's")
    func members() throws {
        try node.sh("echo bob >> groups/oncall/members")
        #expect(try node.sh("cat groups/oncall/members") == "alice\nbob\n")
        try node.sh(
            """
            for i in 1 2 3 4 5 6 7 8; do
              echo a$i >> groups/oncall/members & echo b$i >> groups/oncall/members &
            done; wait
            """
        )
        #expect(try node.sh("cat groups/oncall/count").trimmed == "18")
        try node.sh("printf 'zoe\\ncarol\\ncarol\\n' > ../new && cp ../new groups/oncall/members")
        #expect(try node.sh("cat groups/oncall/members") == "carol\nzoe\n")
        #expect(try node.sh("stat -c %s groups/oncall/members").trimmed == "10")
        #expect(try node.sh("cat users/zoe/groups") == "oncall\n")
        #expect(node.attempt("[ -L groups/oncall/members.d/alice ]").status == 1)
        #expect(
            node.attempt(
                "[ -L groups/oncall/members.d/zoe ] && test -d groups/oncall/members.d/zoe/"
            ).status == 0
        )
    }

    @Test("members: who appends and empties the list first replaces it")
    func membersEmptied() throws {
        try node.sh(
            """
            timeout 60 python3 - <<'X'
            import os
            fd = os.open('groups/oncall/members', os.O_WRONLY | os.O_APPEND)
            os.ftruncate(fd, 0)
            os.write(fd, b'bob\\n')
            os.close(fd)
            X
            """
        )
        #expect(try node.sh("cat groups/oncall/members") == "bob\n")
    }

    @Test("mkdir and rmdir make and delete a group")
    func groups() throws {
        try node.sh("mkdir groups/new && echo alice >> groups/new/members")
        #expect(try node.sh("cat users/alice/groups") == "new\noncall\n")
        #expect(node.attempt("mkdir groups/new").status != 0)
        try node.sh("rmdir groups/new")
        #expect(node.attempt("ls groups/new").status != 0)
        #expect(try node.sh("cat users/alice/groups") == "oncall\n")
    }

    @Test("context values are put and removed")
    func context() throws {
        try node.sh("mkdir -p context/device && echo trusted > context/device/laptop")
        #expect(try node.sh("cat context/device/laptop") == "trusted\n")
        try node.sh(
            """
            head -c 65536 /dev/zero | tr '\\0' x > ../big && cp ../big context/device/big \
              && cmp ../big context/device/big
            """
        )
        #expect(node.attempt("echo x >> ../big; cp ../big context/device/big").status != 0)
        try node.sh("cmp <(head -c 65536 ../big) context/device/big")
        try node.sh("rm context/device/laptop context/device/big")
        #expect(node.attempt("cat context/device/laptop").status != 0)
    }

    @Test("what the contract does not have is refused, and harms nothing")
    func refused() throws {
        let refused = [
            "mv sessions/s1 sessions/s8", "chmod 600 sessions/s1", "chown 1 sessions/s1",
            "ln sessions/s1 sessions/s8", "ln -s x sessions/s8", "mkfifo sessions/s8",
            "rm users/alice/user.json", "rmdir users/alice", "mkdir sessions/d", "touch cluster/x",
            "rm README", "rmdir users", "rm groups/oncall/count", "echo 1 > cluster/writable",
        ]
        for command in refused {
            let result = node.attempt(command)
            #expect(result.status != 0, "\(command) succeeded")
            #expect(
                result.output.contains("not permitted") || result.output.contains("denied"),
                "\(command): \(result.output)"
            )
        }
        #expect(try node.sh("ls sessions") == "s1\ns2\ns3\n")
    }

    @Test("metadata is in the extended attributes")
    func extendedAttributes() throws {
        let shown = try node.sh("getfattr -d sessions/s1")
        #expect(shown.contains("user.brokerfs.id=\"s1\""))
        #expect(shown.contains("user.brokerfs.user=\"alice\""))
        #expect(shown.contains("user.brokerfs.type=\"type.googleapis.com/session.Session\""))
        #expect(shown.contains("user.brokerfs.expires_at=\"2099-01-01T00:00:00Z\""))
        try node.sh("cp -a sessions/s1 ../copy 2>/dev/null; test -s ../copy")
    }

    @Test("service accounts: rm of the account revokes it and its sessions")
    func serviceAccounts() throws {
        try node.load([
            #"{"type":"service-account","id":"ci","data":{"user_id":"alice"}}"#,
            Line.session("c1", user: "ci"),
        ])
        #expect(try node.sh("cat service-accounts/ci/owner") == "alice\n")
        #expect(try node.sh("ls service-accounts/ci/sessions") == "c1\n")
        try node.sh("rm service-accounts/ci/account.json")
        #expect(
            try node.sh("ls service-accounts sessions")
                == "service-accounts:\n\nsessions:\ns1\ns2\ns3\n"
        )
    }

    @Test("a reader keeps the snapshot it opened while the record changes")
    func snapshotAtOpen() throws {
        let result = try node.sh(
            """
            exec 7<users/alice/user.json
            \(node.cli("load -")) >/dev/null <<'X'
            {"type":"user","id":"alice","data":{"name":"Somebody Else Entirely"}}
            X
            cat <&7; cat users/alice/name
            """
        )
        #expect(result.contains(#""name": "alice""#))
        #expect(result.hasSuffix("Somebody Else Entirely\n"))
    }
}
