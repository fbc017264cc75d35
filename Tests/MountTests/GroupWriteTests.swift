// SPDX-License-Identifier: Apache-2.0

import Foundation
import FuseMount
import GroupHarness
import Identity
import Node
import Raft
import Replica
import Testing

/// Which mount of a group takes changes, and what becomes of those in between.
@Suite("writes on the mounts of a group", .serialized) struct GroupWriteTests {
    /// Everything that would change something; prints the errno of each.
    private static let everything = """
        import errno, os
        def attempt(name, body):
            try: body(); print(name, "ok")
            except OSError as e: print(name, errno.errorcode[e.errno])
        w = os.O_WRONLY
        attempt("create", lambda: os.open("context/src/new", w | os.O_CREAT))
        attempt("scratch", lambda: os.open("context/src/.x.tmp", w | os.O_CREAT))
        attempt("open", lambda: os.open("context/src/k", w))
        attempt("truncated", lambda: os.open("context/src/k", w | os.O_TRUNC))
        attempt("append", lambda: os.open("groups/g/members", w | os.O_APPEND))
        attempt("truncate", lambda: os.truncate("context/src/k", 0))
        attempt("unlink", lambda: os.unlink("sessions/s1"))
        attempt("rmdir", lambda: os.rmdir("users/alice/sessions"))
        attempt("rmdirs", lambda: os.rmdir("groups/g"))
        attempt("mkdir", lambda: os.mkdir("groups/new"))
        attempt("rename", lambda: os.rename("context/src/k", "context/src/k~"))
        attempt("link", lambda: os.link("context/src/k", "context/src/l"))
        attempt("symlink", lambda: os.symlink("x", "context/src/l"))
        attempt("mknod", lambda: os.mknod("context/src/l"))
        attempt("setxattr", lambda: os.setxattr("context/src/k", "user.x", b"1"))
        attempt("removexattr", lambda: os.removexattr("context/src/k", "user.x"))
        attempt("chmod", lambda: os.chmod("context/src/k", 0o600))
        attempt("utime", lambda: os.utime("context/src/k"))
        """

    private func fill(_ mounted: MountedGroup) throws {
        try mounted.putSession("s1")
        try mounted.put(.context, "src/k", #"{"text":"one"}"#)
        try mounted.put(.directoryGroup, "g", #"{"name":"g"}"#)
        for member in mounted.members {
            let all = "test -e sessions/s1 -a -e context/src/k -a -e groups/g"
            try #require(mounted.comesTrue(member, all))
        }
    }

    @Test("one mount is the leader's, and every change on the others is refused at once")
    func roles() throws {
        let mounted = try MountedGroup()
        defer { mounted.end() }
        try fill(mounted)
        let (leader, followers) = try mounted.roles()
        #expect(try mounted.sh(leader, "cat cluster/role cluster/writable") == "leader\n1")
        #expect(try mounted.sh(leader, "ls cluster/nodes") == "n1\nn2\nn3")
        for follower in followers {
            try #require(mounted.comesTrue(follower, "grep -q n\(leader) cluster/leader"))
            #expect(try mounted.sh(follower, "cat cluster/role cluster/writable") == "follower\n0")
            let lines = try mounted.python(follower, Self.everything).split(separator: "\n")
            #expect(lines.count == 18)
            for line in lines { #expect(line.hasSuffix(" EROFS"), "\(line)") }
        }
        try mounted.sh(leader, "echo bob >>groups/g/members && rm sessions/s1")
        for follower in followers {
            try #require(mounted.comesTrue(follower, "! test -e sessions/s1"))
            try #require(mounted.comesTrue(follower, "grep -q bob groups/g/members"))
        }
    }

    @Test("the mount is read-only as soon as its node does not lead, files that are open included")
    func flip() throws {
        let mounted = try MountedGroup()
        defer { mounted.end() }
        try fill(mounted)
        let leader = try mounted.roles().leader
        let writer = try Conversation(
            mounted,
            leader,
            "writer",
            """
            import errno, os
            def attempt(body):
                try: body(); print("ok")
                except OSError as e: print(errno.errorcode[e.errno])
            value = os.open("context/src/k", os.O_WRONLY)
            staged = os.open("sessions/s9", os.O_WRONLY | os.O_CREAT)
            scratch = os.open("context/src/.x.tmp", os.O_RDWR | os.O_CREAT)
            attempt(lambda: os.pwrite(value, b"two", 0))
            attempt(lambda: os.write(staged, b'{"user_id":'))
            attempt(lambda: os.write(scratch, b"x"))
            for _ in range(2):
                input()
                attempt(lambda: os.pwrite(value, b"three", 0))
                attempt(lambda: os.fsync(staged))
                attempt(lambda: os.write(staged, b'"alice"}'))
                attempt(lambda: os.ftruncate(value, 0))
                attempt(lambda: os.write(scratch, b"x"))
            attempt(lambda: os.close(value))
            attempt(lambda: os.close(staged))
            attempt(lambda: os.close(scratch))
            """
        )
        for _ in 0..<3 { #expect(writer.line() == "ok") }
        try mounted.node(leader).handOver()
        let next = try #require(
            mounted.group.leader(besides: leader)?.configuration.member
        )
        try #require(mounted.comesTrue(leader, "grep -q 0 cluster/writable"))
        writer.tell()
        #expect(writer.line() == "EROFS")
        #expect(writer.line() == "EROFS", "what was staged is dropped, and that is said")
        #expect(writer.line() == "EROFS")
        #expect(writer.line() == "EROFS")
        #expect(writer.line() == "EROFS")
        try mounted.sh(next, "printf four >context/src/k")
        try #require(mounted.comesTrue(leader, "grep -q four context/src/k"))
        // Back again: what was dropped stays dropped, and half a document is never committed.
        try mounted.node(next).deliver(.transferLeadership(to: leader))
        try #require(mounted.comesTrue(leader, "grep -q 1 cluster/writable"))
        writer.tell()
        #expect(writer.line() == "EINVAL", "a patch of what was dropped is no whole value")
        #expect(writer.line() == "ok", "nothing is staged")
        #expect(writer.line() == "EINVAL", "the beginning is missing")
        #expect(writer.line() == "ok")
        #expect(writer.line() == "ok")
        #expect(writer.line() == "EINVAL", "it was emptied, and nothing was written")
        #expect(writer.line() == "ok")
        #expect(writer.line() == "ok")
        #expect(mounted.attempt(leader, "test -e sessions/s9").status != 0)
    }

    @Test("a change in flight when the leader is cut off is answered in time")
    func inFlight() throws {
        let mounted = try MountedGroup { $0.replica.commitTimeoutNanoseconds = 1_000_000_000 }
        defer { mounted.end() }
        try fill(mounted)
        let (leader, followers) = try mounted.roles()
        try mounted.sh(leader, "cat sessions/s1")
        mounted.group.network.isolate(leader)
        // Whether it reaches the log before or after the lease has gone is chance.
        let answer = Shell.run(
            "cd \(mounted.directory(of: leader)) && rm sessions/s1",
            seconds: 20
        )
        #expect(answer.status == 1, "\(answer)")
        let honest = ["Read-only", "timed out", "Stale", "Input/output"]
        #expect(honest.contains { answer.output.contains($0) }, "\(answer)")
        let next = try #require(mounted.group.leader(besides: leader)?.configuration.member)
        try #require(followers.contains(next))
        try mounted.sh(next, "test -e sessions/s1")
        mounted.group.network.heal()
        // Committed or refused, and the same everywhere.
        let isThere = mounted.attempt(next, "test -e sessions/s1").status == 0
        try mounted.putSession("end")
        for member in mounted.members {
            try #require(mounted.comesTrue(member, "test -e sessions/end"))
            let shown = mounted.attempt(member, "test -e sessions/s1").status == 0
            #expect(shown == isThere, "n\(member)")
        }
    }

    @Test("a follower's mount passes revocations on, where that is wanted, and nothing else")
    func revocations() throws {
        let mounted = try MountedGroup(followerWrites: .revocations)
        defer { mounted.end() }
        try fill(mounted)
        try mounted.putSession("s2")
        try mounted.putSession("s3", user: "bob")
        let follower = try #require(try mounted.roles().followers.first)
        try #require(mounted.comesTrue(follower, "test -e sessions/s2 -a -e sessions/s3"))
        try mounted.sh(follower, "rm sessions/s3 && ! test -e sessions/s3")
        try mounted.sh(follower, "rmdir users/alice/sessions && ! test -e sessions/s1")
        let refused = mounted.attempt(follower, "echo x >context/src/k; rm context/src/k; touch .x")
        #expect(refused.output.components(separatedBy: "Read-only").count == 4, "\(refused)")
        for member in mounted.members {
            try #require(mounted.comesTrue(member, "[ -z \"$(ls sessions)\" ]"))
        }
    }

    @Test("or every change, answered when it can be seen here")
    func forwardsAll() throws {
        let mounted = try MountedGroup(followerWrites: .all)
        defer { mounted.end() }
        try fill(mounted)
        let follower = try #require(try mounted.roles().followers.first)
        try mounted.sh(follower, "printf two >context/src/k && grep -q two context/src/k")
        try mounted.sh(follower, "echo bob >>groups/g/members && grep -q bob groups/g/members")
        try mounted.sh(follower, "mkdir groups/h && test -d groups/h && rmdir groups/h")
        try mounted.sh(
            follower,
            "printf new >context/src/.t.tmp && mv context/src/.t.tmp context/src/n"
        )
        try mounted.sh(follower, "grep -q new context/src/n && rm context/src/n sessions/s1")
        for member in mounted.members {
            try #require(mounted.comesTrue(member, "! test -e sessions/s1"))
            try #require(mounted.comesTrue(member, "grep -q two context/src/k"))
        }
    }
}
