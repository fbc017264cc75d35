// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The mount that shows tokens.
@Suite(.serialized) struct RevealTests {
    private let node: MountedNode
    private var view: String { node.directory("reveal") }

    init() throws {
        node = try MountedNode(kinds: ["read-only", "reveal"])
        try node.load([
            Line.session("s1"), Line.user("alice"), Line.group("oncall"),
            Line.directoryUser("alice", groups: ["oncall"]),
            """
            {"type":"session","id":"s2","data":{"user_id":"alice","oauth_token":\
            {"access_token":"secret-access","refresh_token":"secret-refresh"}}}
            """,
            #"{"type":"directory-user","id":"bob","data":{"password":"secret-bob"}}"#,
        ])
    }

    private static let names = [
        "sessions/s1", "users/alice/sessions/s1", "groups/oncall/sessions/s1",
        "records/type.googleapis.com%2Fsession.Session/s1",
    ]

    @Test("tokens show there, under every name and with true sizes, and nowhere else")
    func tokens() throws {
        let read = "find . -type f -exec cat {} +"
        let shown = try Shell.check("cd \(view) && \(read)")
        for secret in ["s1", "access", "refresh", "bob"] {
            #expect(shown.contains("secret-\(secret)\""), "\(secret)")
        }
        for name in Self.names {
            #expect(try Shell.check("cat \(view)/\(name)").contains("\"secret-s1\""), "\(name)")
        }
        #expect(!shown.contains("[hidden"))
        for mount in [node.mount, node.directory("read-only")] {
            let hidden = try Shell.check("cd \(mount) && \(read)")
            #expect(!hidden.contains("secret-") && hidden.contains("[hidden"))
        }
        let sizes = try Shell.check(
            """
            cd \(view) && find . -type f ! -path './cluster/*' | while read -r f; do
              [ "$(stat -c %s "$f")" = "$(cat "$f" | wc -c)" ] || echo "$f"
            done
            """
        )
        #expect(sizes == "")
    }

    @Test("every open is in the log with uid, pid and path, and no token is")
    func log() throws {
        let pid = try Shell.check("bash -c 'exec 7<\(view)/users/alice/sessions/s1; echo $$'")
        let line = node.log.split(separator: "\n").last { $0.contains("revealed") }
        let text = String(try #require(line))
        for part in ["notice", "uid=0", "pid=\(pid.trimmed)", "path=sessions/s1"] {
            #expect(text.contains(part), "\(part) is not in \(text)")
        }
        let before = node.log.split(separator: "\n").filter { $0.contains("revealed") }.count
        try Shell.check("cd \(view) && cat sessions/s1 sessions/s1 sessions/s2")
        let after = node.log.split(separator: "\n").filter { $0.contains("revealed") }.count
        #expect(after - before == 3)
        #expect(!node.log.contains("secret-"))
    }

    @Test("nobody but root gets in, and the modes say so")
    func access() throws {
        let nobody = "setpriv --reuid nobody --regid nogroup --clear-groups"
        for command in ["ls \(view)", "cat \(view)/sessions/s1", "stat \(view)/README"] {
            let result = Shell.run("\(nobody) \(command)")
            #expect(result.output.contains("Permission denied"), "\(command)")
        }
        let modes = try Shell.check(
            "cd \(view) && find . ! -type l -printf '%y%m %U %G\\n' | sort -u"
        )
        #expect(modes == "d700 0 0\nf600 0 0\n")
        #expect(!(try Shell.check("grep ' \(view) ' /proc/mounts").contains("allow_other")))
    }

    @Test("nothing changes through it, and what changed shows at once")
    func readOnly() throws {
        for change in ["rm sessions/s1", "bash -c 'echo bob >> groups/oncall/members'"] {
            let result = Shell.run("cd \(view) && \(change)")
            #expect(result.output.contains("Read-only file system"), "\(change)")
        }
        let result = Shell.run(
            """
            cd \(view) && exec 7<sessions/s1 && cat sessions/s1 >/dev/null || exit 9
            \(node.cli("revoke session:s1")) >/dev/null; cat <&7; cat sessions/s1
            """
        )
        #expect(result.status == 1)
        #expect(!result.output.contains("secret-s1"))
        #expect(result.output.contains("Key has been revoked"))
    }
}
