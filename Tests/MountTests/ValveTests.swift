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

    @Test("a kernel that knows too many files forgets those that nobody uses")
    func inodes() throws {
        let node = try MountedNode(settings: "limits: {inodes: 1000}")
        try node.load((0..<5000).map { Line.session("s\($0)") })
        try node.sh("exec 3<sessions/s0; stat sessions/s* >/dev/null; cat <&3 | grep -q alice")
        var known = Int.max
        for _ in 0..<100 where known > 1500 {
            usleep(50_000)
            let status = try Shell.check(node.cli("status --json") + " | jq .mounts[0].inodes")
            known = Int(status.dropLast()) ?? .max
        }
        #expect(known > 500 && known <= 1500, "\(known) known after 5000 lookups")
        #expect(try node.sh("stat sessions/s* | grep -c ' File:'") == "5000\n")
    }

    @Test("a patch whose commit was refused is no whole file when it is tried again")
    func patchTriedAgain() throws {
        let node = try MountedNode(settings: "limits: {changes_per_second: 1, changes_burst: 1}")
        let users = ["alice", "bob", "carol"]
        try node.load(
            [Line.group("g")] + users.map { Line.directoryUser($0, groups: ["g"]) }
        )
        let outcome = try node.sh(
            """
            timeout 60 python3 - <<'X'
            import errno, os
            def outcome(body):
                try:
                    body()
                    return 'done'
                except OSError as error:
                    return errno.errorcode[error.errno]
            fd = os.open('groups/g/members', os.O_RDWR)
            with open('groups/g/members', 'a') as other:
                other.write('dave\\n')
            print(outcome(lambda: os.pwrite(fd, b'alicf\\n', 0)))
            print(outcome(lambda: os.fsync(fd)))
            print(outcome(lambda: os.pwrite(fd, b'alicf\\n', 0)))
            print(outcome(lambda: os.close(fd)))
            X
            """
        )
        #expect(outcome == "done\nEBUSY\nEINVAL\ndone\n")
        #expect(try node.sh("cat groups/g/members") == "alice\nbob\ncarol\ndave\n")
    }

    @Test("a client that hangs with files open and a half-read directory stops nobody else")
    func hungClient() throws {
        let node = try MountedNode(kinds: ["read-only"])
        try node.load((0..<3000).map { Line.session("s\($0)") } + [Line.group("oncall")])
        let ready = node.root + "/ready"
        let clients = try [node.mount, node.directory("read-only")].map { mount in
            try hang(in: mount, saying: "\(ready)-\(mount.split(separator: "/").last ?? "")")
        }
        defer {
            for client in clients {
                kill(client.processIdentifier, SIGKILL)
                client.waitUntilExit()
            }
        }
        for _ in 0..<200
        where Shell.run("test -e \(ready)-mnt -a -e \(ready)-read-only").status != 0 {
            usleep(50_000)
        }
        let views = [node.mount, node.directory("read-only")]
        for round in 0..<20 {
            try node.sh("echo bob-\(round) > groups/oncall/members")
            try node.sh("rm sessions/s\(round)")
            for view in views {
                let seen = try Shell.check("cat \(view)/groups/oncall/members", seconds: 10)
                #expect(seen == "bob-\(round)\n")
                #expect(Shell.run("cat \(view)/sessions/s\(round)", seconds: 10).status == 1)
            }
        }
        try Shell.check(node.cli("revoke user:alice"), seconds: 20)
        for view in views { #expect(try Shell.check("ls \(view)/sessions") == "") }
        let end = node.terminate()
        #expect(end.status == 0)
        #expect(end.seconds < 4)
    }

    /// A client that holds all a client can hold, and is stopped.
    private func hang(in mount: String, saying ready: String) throws -> Process {
        let script = """
            import ctypes, os, signal, sys
            os.chdir(sys.argv[1])
            held = [os.open(f"sessions/s{n}", os.O_RDONLY) for n in range(30)]
            for one in held: os.read(one, 10)
            listing = os.scandir("sessions"); next(listing)
            watch = ctypes.CDLL(None)
            notify = watch.inotify_init()
            for name in [b".", b"sessions", b"sessions/s0", b"groups/oncall/members"]:
                watch.inotify_add_watch(notify, name, 0xFFF)
            try:
                writer = os.open("sessions/s5", os.O_WRONLY | os.O_TRUNC)
                os.write(writer, b'{"user_id":')
                members = os.open("groups/oncall/members", os.O_WRONLY | os.O_APPEND)
                os.write(members, b"half-a-na")
            except OSError: pass
            open(sys.argv[2], "w").close()
            os.kill(os.getpid(), signal.SIGSTOP)
            """
        let client = Process()
        client.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        client.arguments = ["python3", "-c", script, mount, ready]
        try client.run()
        return client
    }

    @Test(
        "a thread of the node that stands still leaves no request waiting",
        arguments: ["replica", "disk", "reply"]
    )
    func stuckThread(_ name: String) throws {
        let node = try MountedNode()
        try node.load([Line.session("s1"), Line.session("s2")])
        let stopped = node.root + "/stopped"
        let tracer = Process()
        tracer.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        // PTRACE_SEIZE and PTRACE_INTERRUPT of ptrace(2) stop one thread and no other.
        let script = """
            import ctypes, glob, sys, time
            call = ctypes.CDLL(None, use_errno=True).ptrace
            for task in glob.glob(f"/proc/{sys.argv[1]}/task/*"):
                if open(task + "/comm").read().strip() == sys.argv[2]:
                    thread = int(task.rsplit("/", 1)[1])
                    assert call(0x4206, thread, None, None) == 0, ctypes.get_errno()
                    assert call(0x4207, thread, None, None) == 0, ctypes.get_errno()
                    open(sys.argv[3], "w").close()
            time.sleep(60)
            """
        tracer.arguments = ["python3", "-c", script, "\(node.pid)", name, stopped]
        try tracer.run()
        defer {
            kill(tracer.processIdentifier, SIGKILL)
            tracer.waitUntilExit()
        }
        for _ in 0..<200 where !FileManager.default.fileExists(atPath: stopped) { usleep(50_000) }
        usleep(100_000)
        let result = Shell.run("rm \(node.mount)/sessions/s1", seconds: 20)
        #expect(result.output.contains("timed out"), "\(result)")
        #expect(try Shell.check("cat \(node.mount)/sessions/s2", seconds: 10).contains("alice"))
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
