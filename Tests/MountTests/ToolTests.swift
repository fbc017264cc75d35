// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// A real tool on a file, and what must come of it.
struct ToolCase: CustomTestStringConvertible, Sendable {
    var name: String
    /// Runs in the mount; `$f` is the file, `$new` one outside of the mount with the new content.
    var script: String
    var status: Int32 = 0
    /// What the file holds afterwards; nil: it is gone.
    var content: String? = "new"
    /// What the tool says.
    var says: String?

    var testDescription: String { name }

    private static let emacs =
        #"emacs -batch "$f" --eval '(progn (replace-string "start" "new") (save-buffer))'"#
    private static let python = """
        python3 -c 'import os,sys; p=sys.argv[1]; t=p+".tmp"; s=open(p).read(); o=open(t,"w"); \
        o.write(s.replace("start","new")); o.flush(); os.fsync(o.fileno()); o.close(); \
        os.replace(t,p)' "$f"
        """
    private static let nano = """
        expect -c 'set timeout 8; spawn env TERM=xterm nano $env(f); expect -re .; \
        send "\\x1cstart\\r"; sleep 0.3; send "new\\r"; sleep 0.3; send "A"; sleep 0.3; \
        send "\\x0f\\r"; sleep 0.5; send "\\x18"; expect eof'
        """
    private static let revoked = "Key has been revoked"

    /// Tools that change a file in place, or write another one and rename it over the file.
    static let editing: [ToolCase] = [
        ToolCase(name: "cat", script: #"cat "$new" > "$f""#),
        ToolCase(name: "cp", script: #"cp "$new" "$f""#),
        ToolCase(name: "tee", script: #"tee "$f" < "$new" >/dev/null"#),
        ToolCase(name: "dd", script: #"dd if="$new" of="$f" bs=7 2>/dev/null"#),
        ToolCase(name: "sed -i", script: #"sed -i s/start/new/ "$f""#),
        ToolCase(name: "ed", script: #"printf '%%s/start/new/\nw\nq\n' | ed -s "$f""#),
        ToolCase(name: "vim", script: #"vim -es -u NONE -c %s/start/new/ -c wq "$f""#),
        ToolCase(
            name: "vim that renames the old file away",
            script: #"vim -es -u NONE -c 'set backup backupcopy=no' -c %s/start/new/ -c wq "$f""#
        ),
        ToolCase(name: "emacs", script: emacs),
        ToolCase(name: "nano", script: nano),
        ToolCase(
            name: "mv of a temporary name",
            script: #"cat "$new" > "$f.tmp"; mv "$f.tmp" "$f""#
        ),
        ToolCase(name: "Python's atomic write", script: python),
        ToolCase(name: "rsync -a", script: #"rsync -a "$new" "$f""#),
        ToolCase(
            name: "tar over what is there",
            script: #"cd "$(dirname "$f")" && tar -x --overwrite -f "$new.tar""#,
            status: 2,
            says: "Cannot change mode"
        ),
    ]

    /// Tools that unlink the file first: a revocation, and then a refusal.
    static let unlinking: [ToolCase] = [
        ToolCase(
            name: "install",
            script: #"install -m 640 "$new" "$f""#,
            status: 1,
            content: nil,
            says: revoked
        ),
        ToolCase(
            name: "mv from another file system",
            script: #"mv "$new" "$f""#,
            status: 1,
            content: nil,
            says: revoked
        ),
        ToolCase(
            name: "tar",
            script: #"cd "$(dirname "$f")" && tar -x -f "$new.tar""#,
            status: 2,
            content: nil,
            says: revoked
        ),
    ]

    /// What is refused, and leaves the file as it was.
    static let refused: [ToolCase] = [
        ToolCase(
            name: "an unknown field",
            script: #"echo '{"nope":1}' > "$f""#,
            status: 1,
            content: "start",
            says: "Invalid argument"
        ),
        ToolCase(
            name: "half a document",
            script: #"head -c 20 "$new" > "$f""#,
            status: 1,
            content: "start",
            says: "Invalid argument"
        ),
        ToolCase(
            name: "truncate",
            script: #"truncate -s 5 "$f""#,
            status: 1,
            content: "start",
            says: "Invalid argument"
        ),
        ToolCase(
            name: "append to a document",
            script: #"echo x >> "$f""#,
            status: 1,
            content: "start",
            says: "Operation not permitted"
        ),
        ToolCase(
            name: "mv to another id",
            script: #"mv "$f" "$f-2""#,
            status: 1,
            content: "start",
            says: "Operation not permitted"
        ),
        ToolCase(
            name: "chmod",
            script: #"chmod 600 "$f""#,
            status: 1,
            content: "start",
            says: "Operation not permitted"
        ),
        ToolCase(
            name: "ln",
            script: #"ln "$f" "$f-2""#,
            status: 1,
            content: "start",
            says: "Operation not permitted"
        ),
        ToolCase(name: "touch", script: #"touch "$f""#, content: "start"),
    ]
}

/// Editors, copiers and archivers on a real mount (PRODUCT section 2).
@Suite(.serialized) struct ToolTests {
    private let node: MountedNode

    init() throws {
        node = try MountedNode()
    }

    private static func document(_ word: String) -> String {
        "{\n  \"user_id\": \"alice\",\n  \"idp_id\": \"\(word)\"\n}\n"
    }

    /// Runs a tool on a session, and checks status, words, content and the names that are left.
    private func check(_ tool: ToolCase, in directory: String) throws {
        let id = "t"
        let new = node.root + "/new/" + id
        try Shell.check("mkdir -p \(node.root)/new")
        try Self.document("new").write(toFile: new, atomically: true, encoding: .utf8)
        try Shell.check("tar -c -C \(node.root)/new -f \(new).tar \(id)")
        try node.sh("cat > sessions/\(id) <<'END'\n\(Self.document("start"))END")
        let before = try node.sh("stat -c %i sessions/\(id)")
        let result = node.attempt(
            "export f=$PWD/\(directory)/\(id) new=\(new) TERM=xterm; \(tool.script)"
        )
        #expect(result.status == tool.status, "\(result.output)")
        if let says = tool.says { #expect(result.output.contains(says), "\(result.output)") }
        guard let content = tool.content else {
            #expect(node.attempt("cat sessions/\(id)").output.contains("No such file"))
            #expect(try node.sh("ls -A sessions users") == "sessions:\n\nusers:\n")
            return
        }
        #expect(try node.sh("jq -r .idp_id sessions/\(id)").trimmed == content)
        #expect(try node.sh("cat users/alice/sessions/\(id)") == node.sh("cat sessions/\(id)"))
        #expect(try node.sh("ls -A sessions") == "\(id)\n")
        let after = try node.sh("stat -c '%i %h' sessions/\(id) users/alice/sessions/\(id)")
        let expected = "\(before.trimmed) 1\n"
        #expect(after == expected + expected, "the same inode with one link, under both names")
    }

    @Test("an edit is an update, never a revocation", arguments: ToolCase.editing)
    func edit(_ tool: ToolCase) throws {
        try check(tool, in: "sessions")
    }

    @Test("the same below users/", arguments: ToolCase.editing.filter { !$0.name.contains("tar") })
    func editByUser(_ tool: ToolCase) throws {
        try check(tool, in: "users/alice/sessions")
    }

    @Test("what unlinks and creates again is a revocation, loudly", arguments: ToolCase.unlinking)
    func unlink(_ tool: ToolCase) throws {
        try check(tool, in: "sessions")
    }

    @Test("a refusal leaves the record as it was", arguments: ToolCase.refused)
    func refuse(_ tool: ToolCase) throws {
        try check(tool, in: "sessions")
    }

    @Test("the reason of a refusal is in the directory, for whoever was refused")
    func lastError() throws {
        #expect(node.attempt("echo '{\"nope\":1}' > sessions/x").status != 0)
        let reason = "getfattr --only-values -n user.brokerfs.last_error sessions 2>/dev/null"
        #expect(try node.sh(reason).contains("nope"))
        #expect(try node.sh("getfattr -d sessions 2>/dev/null").contains("last_error"))
        #expect(node.attempt("getfattr -n user.brokerfs.last_error groups").status != 0)
    }
}

/// Sets of members by the same tools, and what is removed in bulk.
@Suite(.serialized) struct BulkToolTests {
    private let node: MountedNode

    init() throws {
        node = try MountedNode()
        try node.load([Line.group("g"), Line.directoryUser("alice", groups: ["g"])])
    }

    @Test(
        "editors and redirections change the members of a group",
        arguments: [
            "echo bob >> members", "echo bob | tee -a members", "printf 'alice\\nbob\\n' > members",
            "sed -i '$a bob' members", "vim -es -u NONE -c '$put =\\\"bob\\\"' -c wq members",
            "printf '$a\\nbob\\n.\\nw\\nq\\n' | ed -s members",
            "(cat members; echo bob) > .new && mv .new members",
        ]
    )
    func members(script: String) throws {
        let result = node.attempt("cd groups/g && \(script)")
        #expect(result.status == 0, "\(result.output)")
        #expect(try node.sh("cat groups/g/members") == "alice\nbob\n")
        #expect(try node.sh("cat users/bob/groups groups/g/count") == "g\n2\n")
        #expect(try node.sh("ls -A groups/g/members.d") == "alice\nbob\n")
    }

    @Test("appends from two shells never lose one another")
    func appends() throws {
        let append = "for i in $(seq 60); do echo $1-$i >> groups/g/members || exit 1; done"
        try node.sh("f() { \(append); }; f a & p=$!; f b && wait $p")
        #expect(try node.sh("cat groups/g/count").trimmed == "121")
        #expect(try node.sh("sort -c groups/g/members; wc -l < groups/g/members").trimmed == "121")
    }

    @Test("rm of many users' sessions stops at the brake; rmdir and the command line do not")
    func brake() throws {
        try node.load((0..<60).map { Line.session("s\($0)", user: "u\($0)") })
        let result = node.attempt("rm sessions/*")
        #expect(result.status == 1)
        #expect(result.output.contains("Device or resource busy"))
        #expect(try node.sh("ls sessions | wc -l").trimmed == "10")
        #expect(node.log.contains("brake.unlinks"))
        let users = try node.sh("cat sessions/* | jq -r .user_id").split(separator: "\n")
        try node.sh("rmdir users/\(users[0])/sessions")
        try Shell.check(node.cli("revoke user:\(users[1])"))
        #expect(try node.sh("ls sessions | wc -l").trimmed == "8")
    }

    @Test("rm -rf of the mount removes no users, groups, events or cluster files")
    func removeAll() throws {
        try node.load((0..<5).map { Line.session("s\($0)", user: "u\($0)") })
        let kept = "ls README cluster events users/alice groups/g/*; cat groups/g/members"
        let before = try node.sh(kept)
        let result = node.attempt("rm -rf --one-file-system \(node.mount)/*")
        #expect(result.status == 1 && result.output.contains("Operation not permitted"))
        #expect(try node.sh(kept) == before)
        #expect(try node.sh("ls sessions") == "", "fewer than the brake allows")
    }
}
