// SPDX-License-Identifier: Apache-2.0

import Dispatch
import FSMap
import FuseMount
import GroupHarness
import Identity
import Log
import Node
import Raft
import Replica
import Testing

/// What the mounts of a group show, and what they show no more (G2, G6).
@Suite("reads on the mounts of a group", .serialized) struct GroupGateTests {
    @Test("a revocation is gone from all mounts within the bound, whatever they have cached")
    func revocation() throws {
        let mounted = try MountedGroup()
        defer { mounted.end() }
        for number in 0..<8 { try mounted.putSession("s\(number)") }
        let (leader, followers) = try mounted.roles()
        let readers = try followers.map { follower in
            try #require(mounted.comesTrue(follower, "test -e sessions/s7"))
            return try Conversation(
                mounted,
                follower,
                "reader-\(follower)",
                """
                import errno, os, time
                fds = [os.open("sessions/s%d" % n, os.O_RDONLY) for n in range(8)]
                for n in range(8):
                    for _ in range(3):
                        os.stat("sessions/s%d" % n); os.stat("users/alice/sessions/s%d" % n)
                        os.pread(fds[n], 1000, 0); os.listdir("sessions")
                print("warm")
                for n in range(8):
                    input()
                    # From the return of the revocation on.
                    time.sleep(1.0)
                    shown = [p for p in ("sessions/", "users/alice/sessions/")
                             if os.path.exists(p + "s%d" % n)]
                    try: shown.append(os.pread(fds[n], 1000, 0))
                    except OSError: pass
                    try: shown += [x for x in os.listdir("sessions") if x == "s%d" % n]
                    except OSError: pass
                    print("shown", shown)
                """
            )
        }
        for reader in readers { #expect(reader.line() == "warm") }
        for number in 0..<8 {
            try mounted.sh(leader, "rm sessions/s\(number)")
            for reader in readers { reader.tell() }
            for reader in readers { #expect(reader.line() == "shown []") }
        }
        for follower in followers {
            try #require(mounted.comesTrue(follower, "[ -z \"$(ls sessions)\" ]"))
        }
    }

    /// Prints what each way to see something says.
    private static let everything = """
        import errno, mmap, os, time
        fd = os.open("sessions/s1", os.O_RDONLY)
        dirfd = os.open("sessions", os.O_RDONLY)
        events = os.open("events/all.jsonl", os.O_RDONLY)
        pages = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
        def look(name, body):
            try: print(name, body() and "shown")
            except OSError as e: print(name, errno.errorcode[e.errno])
        def all():
            look("stat", lambda: os.stat("sessions/s1"))
            look("missing", lambda: os.path.lexists("sessions/none") or os.stat("sessions/none"))
            look("open", lambda: open("sessions/s1").read())
            look("read", lambda: os.pread(fd, 1000, 0))
            look("fstat", lambda: os.fstat(fd))
            look("list", lambda: os.listdir("sessions"))
            look("fdlist", lambda: os.listdir(dirfd))
            look("link", lambda: os.readlink("groups/g/members.d/bob"))
            look("xattr", lambda: os.getxattr("sessions/s1", "user.brokerfs.id"))
            look("statfs", lambda: os.statvfs("sessions"))
            look("events", lambda: os.pread(events, 10, 0))
        def always():
            look("root", lambda: os.listdir("."))
            look("readme", lambda: open("README").read())
            look("cluster", lambda: open("cluster/role").read())
            look("lag", lambda: open("cluster/lag_ms").read())
            look("nodes", lambda: os.listdir("cluster/nodes"))
            look("node", lambda: open("cluster/nodes/n1/role").read())
            look("statfs", lambda: os.statvfs("."))
        while True:
            for _ in range(2): os.stat("sessions/s1"), os.listdir("sessions"), pages[0]
            all()
            print("end")
            if input() != "closed": break
            all(); always()
            print("end")
            for _ in range(1000):
                if os.fork() == 0: os._exit(pages[0] & 0)
                status = os.wait()[1]
                if status: break
                time.sleep(0.02)
            print("signal", os.WTERMSIG(status))
            input()
        """

    private func lines(_ conversation: Conversation) -> [String] {
        var lines: [String] = []
        while true {
            let line = conversation.line()
            guard !line.isEmpty, line != "end" else { return lines }
            lines.append(line)
        }
    }

    @Test(
        "a follower that hears nothing refuses after the bound, warm caches or not, and recovers",
        arguments: [MountKind.ordinary, .readOnly]
    )
    func cutOff(kind: MountKind) throws {
        let mounted = try MountedGroup(kind: kind)
        defer { mounted.end() }
        try mounted.putSession("s1")
        try mounted.putSession("s2")
        try mounted.put(.directoryUser, "bob", #"{"group_ids":["g"]}"#)
        let follower = try #require(try mounted.roles().followers.first)
        try #require(mounted.comesTrue(follower, "test -L groups/g/members.d/bob"))
        let reader = try Conversation(mounted, follower, "reader", Self.everything)
        let before = lines(reader)
        #expect(before.count == 11)
        for line in before where !line.hasPrefix("missing") {
            #expect(line.hasSuffix("shown"), "\(line)")
        }
        mounted.group.network.isolate(follower)
        let node = try mounted.node(follower)
        try #require(mounted.group.holds { !node.mayShow(now: node.monotonicNanoseconds()) })
        try mounted.change(.revoke(.session("s2"), reason: ""))
        reader.tell("closed")
        let after = lines(reader)
        #expect(after.count == 18)
        for line in after.prefix(11) { #expect(line.hasSuffix(" ESTALE"), "\(line)") }
        for line in after.dropFirst(11) { #expect(line.hasSuffix(" shown"), "\(line)") }
        #expect(reader.line() == "signal 7", "mapped pages are gone too, and cannot be had")
        #expect(try mounted.sh(follower, "cat cluster/writable") == "0")
        #expect((Int(try mounted.sh(follower, "cat cluster/lag_ms")) ?? 0) >= 1000)
        #expect(mounted.attempt(follower, "ls -l").output.contains("cluster"))
        mounted.group.network.heal()
        try #require(mounted.comesTrue(follower, "test -e sessions/s1"))
        reader.tell()
        let again = lines(reader)
        for line in again where !line.hasPrefix("missing") {
            #expect(line.hasSuffix("shown"), "\(line)")
        }
        #expect(mounted.attempt(follower, "test -e sessions/s2").status != 0)
        #expect(try mounted.sh(follower, "ls sessions") == "s1")
    }

    @Test("a leader that is cut off refuses too, and shows nothing that another revoked")
    func leaderCutOff() throws {
        let mounted = try MountedGroup()
        defer { mounted.end() }
        try mounted.putSession("s1")
        let leader = try mounted.roles().leader
        try mounted.sh(leader, "cat sessions/s1 users/alice/sessions/s1")
        mounted.group.network.isolate(leader)
        let next = try #require(mounted.group.leader(besides: leader)?.configuration.member)
        try #require(mounted.comesTrue(next, "rm sessions/s1"))
        let shown = mounted.attempt(leader, "sleep 1; cat sessions/s1 users/alice/sessions/s1")
        #expect(shown.status != 0 && !shown.output.contains("alice\""), "\(shown)")
        mounted.group.network.heal()
        try #require(mounted.comesTrue(leader, "ls sessions && ! test -e sessions/s1"))
    }

    @Test(
        "a kernel asks again when what it was told is as old as the bound, though nothing changed"
    )
    func timeouts() throws {
        let mounted = try MountedGroup()
        defer { mounted.end() }
        try mounted.putSession("s1")
        for member in mounted.members {
            try #require(mounted.comesTrue(member, "test -e sessions/s1"))
            let asker = try Conversation(
                mounted,
                member,
                "asker-\(member)",
                """
                import os, time
                time.sleep(1.2)
                while True:
                    os.stat("sessions/s1"), os.path.exists("sessions/none")
                    print("asked")
                    input()
                    time.sleep(1.0)
                """
            )
            #expect(asker.line() == "asked")
            for _ in 0..<3 {
                let before = try mounted.mount(member).statistics.cacheableRequests
                asker.tell()
                #expect(asker.line() == "asked")
                // The way to both names, and both.
                let after = try mounted.mount(member).statistics.cacheableRequests
                #expect(after >= before + 3, "n\(member)")
            }
        }
    }

    @Test("the state of a snapshot takes the place of what was shown, open files included")
    func replacement() throws {
        let mounted = try MountedGroup {
            // Nothing but the replacement itself makes the kernel forget.
            $0.stalenessMaxNanoseconds = 60_000_000_000
            $0.flushBytes = 4_096
            $0.replica.retainedBytesMax = 4_096
            $0.log = LogLimits(segmentSizeBytes: 65_536, payloadSizeBytesMax: 32_768)
            $0.replica.commandBytesMax = 16_384
        }
        defer { mounted.end() }
        try mounted.putSession("gone")
        try mounted.putSession("stays")
        try mounted.put(.context, "src/k", #"{"text":"one"}"#)
        let follower = try #require(try mounted.roles().followers.first)
        try #require(mounted.comesTrue(follower, "test -e context/src/k"))
        let reader = try Conversation(
            mounted,
            follower,
            "reader",
            """
            import errno, os, time
            def look(body):
                try: print(body())
                except OSError as e: print(errno.errorcode[e.errno])
            # What changed a moment ago is not cached.
            time.sleep(1.2)
            gone = os.open("sessions/gone", os.O_RDONLY)
            stays = os.open("sessions/stays", os.O_RDONLY)
            os.pread(gone, 1000, 0), os.pread(stays, 1000, 0), os.listdir("sessions")
            number = os.stat("sessions/stays").st_ino
            os.stat("sessions/gone"), os.listdir("sessions")
            open("context/src/k").read()
            print("warm")
            input()
            look(lambda: os.path.exists("sessions/gone"))
            look(lambda: os.pread(gone, 1000, 0))
            look(lambda: len(os.pread(stays, 1000, 0)) > 10)
            look(lambda: os.stat("sessions/stays").st_ino == number)
            look(lambda: "two" in open("context/src/k").read())
            look(lambda: len(os.listdir("sessions")))
            """
        )
        #expect(reader.line() == "warm")
        mounted.group.network.isolate(follower)
        try mounted.change(.revoke(.session("gone"), reason: ""))
        try mounted.put(.context, "src/k", #"{"text":"two"}"#)
        for number in 0..<800 { try mounted.putSession("n\(number)") }
        let index = try mounted.node(mounted.roles().leader).cluster.applied
        mounted.group.network.heal()
        // Until it is shown, and the kernel has been told.
        let forgotten = DispatchSemaphore(value: 0)
        try mounted.node(follower).waitUntilForgotten(index, nanoseconds: 20_000_000_000) {
            if $1 { forgotten.signal() }
        }
        #expect(forgotten.wait(timeout: .now() + 25) == .success)
        try #require(mounted.comesTrue(follower, "test -e sessions/n799"))
        let names = try Shell.check("ls \(mounted.node(follower).configuration.dataDirectory)")
        #expect(names.contains("state.current"), "it was a snapshot: \(names)")
        reader.tell()
        #expect(reader.line() == "False")
        #expect(reader.line() == "EKEYREVOKED")
        #expect(reader.line() == "True")
        #expect(reader.line() == "True")
        #expect(reader.line() == "True")
        #expect(reader.line() == "801")
    }
}
