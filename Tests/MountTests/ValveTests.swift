// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing

/// What one user or one client can take from the others.
@Suite(.serialized) struct ValveTests {
    private let nobody = "setpriv --reuid nobody --regid nogroup --clear-groups"

    @Test("too many changes of one user get EBUSY and a line in the log; those of others go on")
    func changes() throws {
        let node = try MountedNode(
            settings: "limits: {changes_per_second: 1, changes_burst: 20}"
        )
        try node.load((0..<60).map { Line.session("s\($0)") })
        let result = node.attempt("cd sessions && for i in {0..59}; do rm s$i; done")
        #expect(result.output.contains("Device or resource busy"))
        let left = try node.sh("ls sessions").split(separator: "\n").count
        #expect(left > 10 && left < 45)
        #expect(node.log.contains("limits.changes_per_second"))
        let lines = node.log.split(separator: "\n").filter { $0.contains("uid=0") }
        #expect(lines.count < 10)
        // The command line has an allowance of its own: it is not the mount that is asked.
        try Shell.check(node.cli("revoke user:alice"))
    }

    @Test("a document that is refused so leaves the record as it was, and can be written later")
    func refusedDocument() throws {
        let node = try MountedNode(
            settings: "limits: {changes_per_second: 1, changes_burst: 1}"
        )
        try node.load([Line.group("g")])
        let results = node.attempt("for u in a b c; do echo $u > groups/g/members; done")
        #expect(results.output.contains("Device or resource busy"))
        #expect(try node.sh("cat groups/g/members") == "a\n")
        usleep(1_100_000)
        try node.sh("echo z > groups/g/members")
        #expect(try node.sh("cat groups/g/members") == "z\n")
    }

    @Test("a user with too many open files gets EMFILE, all together ENFILE")
    func openFiles() throws {
        let node = try MountedNode(settings: "limits: {open_files: 40, open_files_per_uid: 16}")
        try node.load([Line.user("alice"), Line.session("s1")])
        let hold = "exec {fd}<users/alice/name || exit 1"
        let greedy = node.attempt(
            "\(nobody) bash -c 'for i in {1..30}; do \(hold); done'"
        )
        #expect(greedy.output.contains("Too many open files\n"))
        #expect(try node.sh("cat users/alice/name") == "alice\n")
        let users = (1000..<1004).map { uid in
            "setpriv --reuid \(uid) --regid nogroup --clear-groups "
                + "bash -c 'for i in {1..15}; do \(hold); done; sleep 5' &"
        }
        let all = node.attempt("{ \(users.joined(separator: " ")) wait; }")
        #expect(all.output.contains("Too many open files in system"))
        #expect(try node.sh("cat users/alice/name") == "alice\n")
    }
}
