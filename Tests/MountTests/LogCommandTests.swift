// SPDX-License-Identifier: Apache-2.0

import Foundation
import Log
import Testing

/// `brokerfs log`: a look at the log of a node that runs, has stopped, or has been damaged.
@Suite struct LogCommandTests {
    /// The fields of a line of JSON that the tests look at.
    private struct Printed: Decodable {
        struct Write: Decodable, Equatable {
            var op: String
            var type: String
            var id: String
        }

        var index: UInt64
        var term: UInt64
        var kind: String
        var op: String?
        var type: String?
        var id: String?
        var reason: String?
        var writes: [Write]?
    }

    private func log(_ node: MountedNode, _ command: String, _ more: String = "") -> Shell.Result {
        Shell.run("\(MountedNode.binary) log \(command) \(node.data) \(more)")
    }

    /// A node that has put, revoked and changed something.
    private func busyNode() throws -> MountedNode {
        let node = try MountedNode()
        try node.load([Line.session("s1"), Line.session("s2", user: "bob")])
        try node.load([Line.group("oncall")])
        try Shell.check(node.cli("revoke session:s1 --reason 'INC-7 \u{1B}[31m'"))
        return node
    }

    @Test("the log of a running node is sound, and its entries say what they did")
    func running() throws {
        let node = try busyNode()
        let check = log(node, "check")
        #expect(check.status == 0)
        #expect(check.output.contains("sound"))
        let dump = log(node, "dump")
        #expect(dump.status == 0)
        let lines = dump.output.split(separator: "\n")
        #expect(lines.first == "1 1 empty")
        #expect(lines.dropFirst().first?.contains(" begin history ") == true)
        #expect(dump.output.contains("put 2 records (session s1, session s2)"))
        #expect(dump.output.contains(#"revoke session s1 reason "INC-7 \u{1B}[31m""#))
        #expect(!dump.output.contains("secret-"))
        #expect(node.attempt("ls sessions").output.contains("s2"))
    }

    @Test("as JSON, and a part of it")
    func json() throws {
        let node = try busyNode()
        let all = log(node, "dump", "--json")
        let lines = try all.output.split(separator: "\n").map { line in
            try JSONDecoder().decode(Printed.self, from: Data(line.utf8))
        }
        #expect(lines.map(\.index) == Array(1...UInt64(lines.count)))
        #expect(lines.first?.kind == "empty")
        #expect(lines.dropFirst().allSatisfy { $0.kind == "command" })
        let put = try #require(lines.first { $0.writes?.count == 2 })
        #expect(put.writes?.first == .init(op: "put", type: "session", id: "s1"))
        let revoked = try #require(lines.first { $0.op == "revoke" })
        #expect(revoked.type == "session" && revoked.id == "s1")
        #expect(revoked.reason == "INC-7 \u{1B}[31m")
        #expect(!all.output.contains("secret-"))
        let part = log(node, "dump", "--from \(put.index) --to \(put.index)")
        #expect(part.status == 0)
        #expect(part.output.split(separator: "\n").count == 1)
        #expect(part.output.hasPrefix("\(put.index) \(put.term) command "))
        #expect(log(node, "dump", "--from 99999").output.isEmpty)
    }

    @Test("a flipped byte is named with file and offset, and nothing on disk is changed")
    func damaged() throws {
        let node = try busyNode()
        #expect(node.terminate().status == 0)
        #expect(log(node, "check").status == 0)
        let segment = try Shell.check("ls \(node.data)/log/*.log | tail -n 1").trimmed
        // A byte of the first entry: the entries behind it say that it was durable.
        try Shell.check("printf '\\377' | dd of=\(segment) bs=1 seek=4106 conv=notrunc status=none")
        let sums = "cd \(node.data) && find . -type f | sort | xargs sha256sum"
        let before = try Shell.check(sums)
        let check = log(node, "check")
        #expect(check.status == 1)
        #expect(check.output.contains("DAMAGED  \(segment) at byte 4096: a durable record"))
        #expect(check.output.contains("restore a backup"))
        let dump = log(node, "dump")
        #expect(dump.status == 1)
        #expect(dump.output.contains("the log is damaged: \(segment) at byte 4096"))
        #expect(try Shell.check(sums) == before)
    }

    @Test("entries of every kind, one that is no command, and what the member must not forget")
    func kinds() throws {
        let root = try MountedNode.temporaryDirectory()
        defer { _ = Shell.run("rm -rf --one-file-system \(root)") }
        let directory = root + "/log"
        let first = MemberState(member: 3, incarnation: 77)
        var member = try MemberFile.create(in: directory, on: PosixDisk(), first)
        try member.write(.init(member: 3, incarnation: 77, term: 5, vote: 2))
        let check = "\(MountedNode.binary) log check \(root)"
        let lost = Shell.run(check)
        #expect(lost.status == 1)
        #expect(lost.output.contains("the log is gone: the member knows of term 5"))

        var log = try DurableLog(opening: directory, on: PosixDisk())
        let tags: [UInt32] = [1, 2, 9, 0]
        try log.append(
            tags.enumerated().map { position, tag in
                let payload = tag == 1 ? [] : Array("secret-\(tag)".utf8)
                return LogEntry(term: 5, index: UInt64(position) + 1, tag: tag, payload: payload)
            }
        )
        let dump = Shell.run("\(MountedNode.binary) log dump \(root)")
        #expect(dump.status == 0)
        #expect(dump.output.hasPrefix("1 5 empty\n2 5 configuration 8 bytes\n3 5 tag 9 8 bytes\n"))
        #expect(dump.output.contains("4 5 command no command of this version, 8 bytes"))
        #expect(!dump.output.contains("secret-"))
        let sound = Shell.run(check)
        #expect(sound.status == 0)
        #expect(sound.output.contains("member   3, incarnation 77, term 5, voted for 2\n"))

        let file = directory + "/member"
        try Shell.check("printf x | dd of=\(file) bs=1 seek=4200 conv=notrunc status=none")
        let mended = Shell.run(check)
        #expect(mended.status == 0)
        #expect(mended.output.contains("copy 2 of 2: the copy fails its checksum"))
        let json = Shell.run(check + " --json")
        #expect(json.status == 0)
        for line in [#""damaged_copies" : 1"#, #""incarnation" : "77""#, #""last_term" : 5"#] {
            #expect(json.output.contains(line))
        }
        try Shell.check("printf x | dd of=\(file) bs=1 seek=100 conv=notrunc status=none")
        let refused = Shell.run(check)
        #expect(refused.status == 1)
        #expect(Shell.run(check + " --json").status == 1)
        #expect(refused.output.contains("DAMAGED  \(file) at byte 0: neither copy is whole"))
    }

    @Test("no log to look at, and wrong usage, are not taken for damage")
    func nothingThere() throws {
        let root = try MountedNode.temporaryDirectory()
        defer { _ = Shell.run("rmdir \(root)") }
        let brokerfs = MountedNode.binary
        for arguments in [
            "check \(root)", "dump \(root)/none", "check", "dump \(root) --from 2 --to 1",
            "check \(root) --nope",
        ] {
            #expect(Shell.run("\(brokerfs) log \(arguments)").status == 2, "\(arguments)")
        }
        #expect(Shell.run("\(brokerfs) log check --help").status == 0)
        #expect(Shell.run("\(brokerfs) status --nope").status == 1)
    }
}
