// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing

/// inotify(7) on a real mount: what the kernel tells of changes, wherever they came from.
@Suite struct InotifyTests {
    /// Prints `READY`, then `MASK path/name` for every event, until it has seen what it waits for.
    private static let watcher = """
        import ctypes, os, select, struct, sys, time
        libc = ctypes.CDLL(None, use_errno=True)
        names = {2: "MODIFY", 4: "ATTRIB", 8: "CLOSE_WRITE", 0x100: "CREATE", 0x200: "DELETE",
                 0x400: "DELETE_SELF", 0x4000: "OVERFLOW"}
        fd = libc.inotify_init1(0)
        paths = {}
        end, seconds = sys.argv[1], float(sys.argv[2])
        for path in sys.argv[3:]:
            mask = 0x2 | 0x4 | 0x8 | 0x100 | 0x200 | 0x400
            wd = libc.inotify_add_watch(fd, path.encode(), mask)
            assert wd >= 0, (path, os.strerror(ctypes.get_errno()))
            paths[wd] = path
        print("READY", flush=True)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not select.select([fd], [], [], deadline - time.monotonic())[0]: break
            data, at = os.read(fd, 65536), 0
            while at < len(data):
                wd, mask, cookie, length = struct.unpack_from("iIII", data, at)
                name = data[at + 16:at + 16 + length].rstrip(b"\\0").decode()
                at += 16 + length
                for bit in sorted(names):
                    if not mask & bit: continue
                    line = f"{names[bit]} {paths.get(wd, '')}" + ("/" + name if name else "")
                    print(line, flush=True)
                    if line == end: sys.exit(0)
        """

    /// What is seen while `change` runs and until `end` is seen; all of it.
    private func events(
        _ node: MountedNode,
        until end: String,
        seconds: Int = 10,
        on paths: [String],
        _ change: () throws -> Void
    ) throws -> [String] {
        let script = node.root + "/watcher.py"
        let output = node.root + "/watcher.out"
        try Self.watcher.write(toFile: script, atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        let arguments = (["'\(end)'", "\(seconds)"] + paths).joined(separator: " ")
        process.arguments = [
            "-c", "cd \(node.mount) && exec python3 \(script) \(arguments) >\(output) 2>&1",
        ]
        process.standardInput = FileHandle.nullDevice
        try process.run()
        defer { if process.isRunning { Glibc.kill(process.processIdentifier, SIGKILL) } }
        try Shell.check("until grep -q READY \(output); do sleep 0.02; done", seconds: 10)
        try change()
        process.waitUntilExit()
        let text = try String(contentsOfFile: output, encoding: .utf8)
        return text.split(separator: "\n").map(String.init).filter { $0 != "READY" }
    }

    private func context(_ id: String, _ text: String) -> String {
        #"{"type":"context","id":"\#(id)","data":{"text":"\#(text)"}}"#
    }

    private func deletion(_ id: String) -> String {
        #"{"type":"context","id":"\#(id)","deleted":true}"#
    }

    @Test("context that changes elsewhere is created, modified and deleted for who watches")
    func contextElsewhere() throws {
        let node = try MountedNode()
        try node.load([context("src/old", "one"), context("src/known", "one")])
        // One name that the kernel has, one that it knows to be missing, one it never heard of.
        try node.sh("cat context/src/old context/src/known; ! cat context/src/new")
        let seen = try events(
            node,
            until: "DELETE context/src/end",
            on: ["context/src", "context/src/known"]
        ) {
            try node.load([context("src/known", "two")])
            #expect(try node.sh("cat context/src/known") == "two")
            try node.load([context("src/new", "one"), context("src/unheard", "one")])
            #expect(try node.sh("cat context/src/new") == "one")
            try node.load([deletion("src/old"), deletion("src/known")])
            #expect(node.attempt("cat context/src/old").status != 0)
            try node.load([context("src/end", "")])
            try node.load([deletion("src/end")])
        }
        for expected in [
            "MODIFY context/src/known", "CREATE context/src/new", "CREATE context/src/unheard",
            "DELETE context/src/old", "DELETE context/src/known", "CREATE context/src/end",
        ] {
            #expect(seen.contains(expected), "\(seen)")
        }
        // The watch on the file itself: the directory's watch has the same path.
        #expect(seen.count { $0 == "MODIFY context/src/known" } == 2, "\(seen)")
        #expect(seen.contains("DELETE_SELF context/src/known"), "\(seen)")
        #expect(try node.sh("ls context/src").trimmed == "new\nunheard")
    }

    @Test("members and sessions too; a revoked session stays away")
    func sessionsElsewhere() throws {
        let node = try MountedNode()
        try node.load([Line.session("s1"), Line.session("s2"), Line.group("g")])
        try node.sh("cat sessions/s1 users/alice/sessions/s2 groups/g/members >/dev/null")
        let seen = try events(
            node,
            until: "DELETE users/alice/sessions/s1",
            on: ["sessions", "users/alice/sessions", "groups/g/members"]
        ) {
            try node.load([Line.directoryUser("bob", groups: ["g"])])
            try node.load([Line.session("s3")])
            try Shell.check(node.cli("revoke session:s2"))
            #expect(node.attempt("cat sessions/s2").status != 0)
            try Shell.check(node.cli("revoke session:s1"))
        }
        for expected in [
            "MODIFY groups/g/members", "CREATE sessions/s3", "CREATE users/alice/sessions/s3",
            "DELETE sessions/s2", "DELETE users/alice/sessions/s2", "DELETE sessions/s1",
        ] {
            #expect(seen.contains(expected), "\(seen)")
        }
        #expect(try node.sh("ls sessions users/alice/sessions").contains("s1") == false)
        #expect(node.attempt("cat users/alice/sessions/s1").status != 0)
        #expect(try node.sh("cat groups/g/members") == "bob\n")
    }

    @Test("what is changed through the mount is told of once")
    func own() throws {
        let node = try MountedNode()
        try node.load([context("src/a", "one"), context("src/b", "one"), Line.session("s1")])
        // While she has one left, her directory stays.
        try node.load([Line.session("s2")])
        try node.sh("cat context/src/a users/alice/sessions/s1 >/dev/null")
        let seen = try events(
            node,
            until: "DELETE context/src/end",
            on: ["context/src", "sessions", "users/alice/sessions"]
        ) {
            try node.sh("echo two >context/src/new; rm context/src/a sessions/s1")
            // What comes after it through the other way is told of last.
            try node.load([context("src/end", "")])
            try node.load([deletion("src/end")])
        }
        let counts = Dictionary(seen.map { ($0, 1) }, uniquingKeysWith: +)
        for expected in [
            "CREATE context/src/new", "MODIFY context/src/new", "DELETE context/src/a",
            "DELETE sessions/s1", "DELETE users/alice/sessions/s1",
        ] {
            #expect(counts[expected] == 1, "\(expected) in \(seen)")
        }
    }

    @Test("it can be switched off, and then nothing is told")
    func off() throws {
        let node = try MountedNode(environment: ["BROKERFS_NOTIFY_INOTIFY": "false"])
        try node.load([context("src/a", "one")])
        try node.sh("cat context/src/a")
        let seen = try events(node, until: "", seconds: 2, on: ["context/src"]) {
            try node.load([context("src/b", "one"), context("src/a", "two")])
        }
        #expect(seen.isEmpty, "\(seen)")
        #expect(try node.sh("cat context/src/a") == "two")
    }

    @Test("an unmount in the middle of changes ends in time, and changes nothing")
    func unmount() throws {
        let node = try MountedNode()
        let lines = (0..<200).map { context("src/k\($0)", "one") }
        try node.load(lines)
        try node.sh("cat context/src/* >/dev/null")
        let hammer = Process()
        hammer.executableURL = URL(fileURLWithPath: "/bin/bash")
        let file = node.root + "/hammer.jsonl"
        let changes = (0..<2000).flatMap { number in
            [context("src/h\(number % 50)", "\(number)"), deletion("src/h\(number % 50)")]
        }
        try changes.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
        let load = node.cli("load \(file)")
        hammer.arguments = [
            "-c", "cd \(node.mount)/context/src && while env \(load); do ls; done >/dev/null 2>&1",
        ]
        try hammer.run()
        usleep(700_000)
        let (seconds, status) = node.terminate()
        hammer.waitUntilExit()
        #expect(status == 0)
        #expect(seconds < 8, "a loaded machine is slow, a deadlock is for ever")
        #expect(!node.log.contains("does not let go") && !node.log.contains("do not end"))
        try node.start()
        #expect(try node.sh("cat context/src/k*").count == 600)
    }
}
