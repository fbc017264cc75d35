// SPDX-License-Identifier: Apache-2.0

import FuseMount
import GroupHarness
import Identity
import Node
import Raft
import Replica
import Testing

/// What the kernel tells of `cluster/` (inotify(7), poll(2)).
@Suite("news of a group", .serialized) struct GroupNewsTests {
    @Test("role, leader, term and writable are told of by inotify, on every mount")
    func inotify() throws {
        let mounted = try MountedGroup()
        defer { mounted.end() }
        let (leader, followers) = try mounted.roles()
        for follower in followers {
            try #require(mounted.comesTrue(follower, "grep -q n\(leader) cluster/leader"))
        }
        let watchers = try mounted.members.map { member in
            let isConcerned = member == leader
            let names = isConcerned ? "role leader term writable" : "leader term"
            return try Conversation(
                mounted,
                member,
                "watcher-\(member)",
                """
                import ctypes, os, select, struct, time
                libc = ctypes.CDLL(None)
                fd = libc.inotify_init1(0)
                names = "\(names)".split()
                paths = {libc.inotify_add_watch(fd, b"cluster", 0x2): ""}
                for name in names:
                    paths[libc.inotify_add_watch(fd, b"cluster/" + name.encode(), 0x2)] = name
                assert -1 not in paths
                print("ready")
                missing = set(names) | set("./" + name for name in names)
                end = time.monotonic() + 25
                while missing and time.monotonic() < end:
                    if not select.select([fd], [], [], 1)[0]: continue
                    data, at = os.read(fd, 65536), 0
                    while at < len(data):
                        wd, mask, _, length = struct.unpack_from("iIII", data, at)
                        name = data[at + 16:at + 16 + length].rstrip(b"\\0").decode()
                        missing.discard("./" + name if name else paths.get(wd))
                        at += 16 + length
                print("missing", sorted(missing))
                """
            )
        }
        for watcher in watchers { #expect(watcher.line() == "ready") }
        try mounted.node(leader).handOver()
        _ = try #require(mounted.group.leader(besides: leader))
        for watcher in watchers { #expect(watcher.line() == "missing []") }
    }

    @Test("it is told while nobody vouches for the state, and changes made meanwhile come later")
    func whileClosed() throws {
        let mounted = try MountedGroup()
        defer { mounted.end() }
        try mounted.put(.context, "src/k", #"{"text":"one"}"#)
        let (leader, followers) = try mounted.roles()
        let follower = try #require(followers.first)
        try #require(mounted.comesTrue(follower, "test -e context/src/k"))
        try #require(mounted.comesTrue(follower, "grep -q n\(leader) cluster/leader"))
        let watcher = try Conversation(
            mounted,
            follower,
            "watcher",
            """
            import ctypes, os
            libc = ctypes.CDLL(None)
            def watch(path):
                fd = libc.inotify_init1(0)
                assert libc.inotify_add_watch(fd, path, 0x2) >= 0
                return fd
            leader, context = watch(b"cluster/leader"), watch(b"context/src")
            print("ready")
            os.read(leader, 4096)
            print("leader")
            os.read(context, 4096)
            print("context", "two" in open("context/src/k").read())
            """
        )
        #expect(watcher.line() == "ready")
        mounted.group.network.isolate(follower)
        // It has no leader any more, and says so.
        #expect(watcher.line() == "leader")
        let node = try mounted.node(follower)
        try #require(mounted.group.holds { !node.mayShow(now: node.monotonicNanoseconds()) })
        try mounted.put(.context, "src/k", #"{"text":"two"}"#)
        mounted.group.network.heal()
        #expect(watcher.line() == "context True")
    }

    @Test("changes that are applied while nobody vouches for the state are told when somebody does")
    func heldBack() throws {
        let mounted = try MountedGroup()
        defer { mounted.end() }
        try mounted.put(.context, "src/k", #"{"text":"one"}"#)
        let (leader, followers) = try mounted.roles()
        let follower = try #require(followers.first)
        try #require(mounted.comesTrue(follower, "test -e context/src/k"))
        let watcher = try Conversation(
            mounted,
            follower,
            "watcher",
            """
            import ctypes, os
            libc = ctypes.CDLL(None)
            fd = libc.inotify_init1(0)
            assert libc.inotify_add_watch(fd, b"context/src", 0x2) >= 0
            print("ready")
            os.read(fd, 4096)
            print("two" in open("context/src/k").read())
            """
        )
        #expect(watcher.line() == "ready")
        // It hears the others and they do not hear it: so it learns, and does not learn when.
        for other in mounted.members where other != follower {
            mounted.group.network.cut(from: follower, to: other)
        }
        let node = try mounted.node(follower)
        try #require(mounted.group.holds { !node.mayShow(now: node.monotonicNanoseconds()) })
        try mounted.put(.context, "src/k", #"{"text":"two"}"#)
        try mounted.putSession("more")
        let version = try mounted.node(leader).view().header(.context, "src/k")?.version
        try #require(
            mounted.group.holds {
                (try? node.view().header(.context, "src/k")?.version) == version
            }
        )
        #expect(!node.mayShow(now: node.monotonicNanoseconds()))
        mounted.group.network.heal()
        #expect(watcher.line() == "True")
    }

    @Test("a file of cluster/ that is open shows what is now, and wakes who polls it")
    func poll() throws {
        let mounted = try MountedGroup()
        defer { mounted.end() }
        let leader = try mounted.roles().leader
        let poller = try Conversation(
            mounted,
            leader,
            "poller",
            """
            import os, select
            fd = os.open("cluster/role", os.O_RDONLY)
            waiter = select.poll()
            waiter.register(fd, select.POLLIN)
            assert len(waiter.poll(20000)) == 1, "nothing has been read"
            print(os.pread(fd, 100, 0).decode().strip())
            assert waiter.poll(0) == [], "it has been read"
            print("waiting")
            while True:
                assert len(waiter.poll(25000)) == 1, "a change wakes"
                role = os.pread(fd, 100, 0).decode().strip()
                if role == "follower": break
            print(role)
            """
        )
        #expect(poller.line() == "leader")
        #expect(poller.line() == "waiting")
        try mounted.node(leader).handOver()
        #expect(poller.line() == "follower")
    }
}
