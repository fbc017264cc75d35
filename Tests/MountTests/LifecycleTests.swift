// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing

/// Starting, stopping and dying.
@Suite(.serialized) struct LifecycleTests {
    @Test("kill -9 during writes, 20 times: acknowledged is there, revoked stays away")
    func killLoop() throws {
        let node = try MountedNode()
        var state = AcknowledgedState()
        for round in 0..<20 {
            let journal = node.root + "/journal"
            let writer = try startWriter(node, round: round, journal: journal)
            usleep(UInt32(60_000 + (round * 37 % 10) * 25_000))
            node.kill()
            writer.waitUntilExit()
            state.read(try String(contentsOfFile: journal, encoding: .utf8))
            // The dead mount is still there: the node clears it by itself.
            try node.start()
            let listed = Set(try node.sh("ls -U sessions").split(separator: "\n").map(String.init))
            #expect(state.missing(in: listed) == [], "lost in round \(round)")
            #expect(state.resurrected(in: listed) == [], "back in round \(round)")
        }
        #expect(state.created.count > 100, "the writer was too slow for the test to mean anything")
        #expect(state.revoked.count > 20)
    }

    /// Creates sessions and revokes every third; notes each step before and after.
    private func startWriter(_ node: MountedNode, round: Int, journal: String) throws -> Process {
        let script = """
            cd \(node.mount); i=0; exec 3>\(journal)
            while [ $i -lt 100000 ]; do
              id=r\(round)-$i
              echo '{"user_id":"u'$((i % 7))'"}' 2>/dev/null > sessions/$id || break
              echo "created $id" >&3
              if [ $((i % 3)) = 0 ]; then
                echo "revoking $id" >&3
                rm sessions/$id 2>/dev/null && echo "revoked $id" >&3 || break
              fi
              i=$((i + 1))
            done
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
        process.arguments = ["-k", "1", "20", "/bin/bash", "-c", script]
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    @Test("SIGTERM unmounts within 2 s, with files open, and loses nothing")
    func terminate() throws {
        let node = try MountedNode()
        try node.load([Line.session("s1")])
        let holder = Process()
        holder.executableURL = URL(fileURLWithPath: "/bin/sh")
        holder.arguments = ["-c", "cd \(node.mount); exec 7<sessions/s1; sleep 20"]
        try holder.run()
        defer {
            holder.terminate()
            holder.waitUntilExit()
        }
        usleep(300_000)
        let end = node.terminate()
        #expect(end.seconds < 2)
        #expect(end.status == 0)
        #expect(Shell.run("grep -c ' \(node.mount) ' /proc/mounts").output.trimmed == "0")
        try node.start()
        #expect(try node.sh("ls sessions") == "s1\n")
    }

    @Test("stopped under load and with interrupted writers, ten times, it ends cleanly")
    func terminateUnderLoad() throws {
        let node = try MountedNode()
        for round in 0..<10 {
            let writer = try startWriter(node, round: round, journal: node.root + "/journal")
            usleep(100_000)
            node.stop()
            // The shell that starts it lets the node go on: nobody can wait for, or kill, who waits
            // for a directory that a request of a stopped thread has locked.
            _ = Shell.run(
                "timeout -s KILL 0.1 touch \(node.mount)/sessions/never >&/dev/null &"
                    + " sleep 0.15; kill -CONT \(node.pid)"
            )
            let end = node.terminate()
            #expect(end.status == 0, "round \(round)")
            #expect(end.seconds < 2)
            writer.waitUntilExit()
            try node.start()
        }
    }

    @Test("a node that hangs keeps no command waiting for ever")
    func silentNode() throws {
        let node = try MountedNode()
        try node.load([Line.session("s1")])
        node.stop()
        defer { Glibc.kill(node.pid, SIGCONT) }
        let gate = Shell.run(node.cli("member oncall alice --timeout 1"), seconds: 20)
        #expect(gate.status == 2, "\(gate.output)")
        let change = Shell.run(node.cli("revoke session:s1 --timeout 1"), seconds: 20)
        #expect(change.status == 4, "\(change.output)")
        #expect(change.output.contains("does not answer"))
        #expect(Shell.run(node.cli("status --timeout 0")).status != 0)
    }

    @Test("unmounted from outside, the node ends by itself")
    func unmountedOutside() throws {
        let node = try MountedNode()
        try Shell.check("umount \(node.mount)")
        for _ in 0..<100 where Shell.run("kill -0 \(node.pid)").status == 0 { usleep(50_000) }
        #expect(node.terminate().status == 0)
    }

    @Test("modes follow the table: others see users and groups, not sessions")
    func permissions() throws {
        let node = try MountedNode()
        try node.load([Line.session("s1"), Line.user("alice"), Line.group("oncall")])
        let modes = try node.sh(
            """
            stat -c '%a %n' . sessions sessions/s1 users users/alice/name groups/oncall/members \
              context records events events/all.jsonl revocations cluster
            """
        )
        #expect(
            modes == """
                755 .
                750 sessions
                640 sessions/s1
                755 users
                444 users/alice/name
                644 groups/oncall/members
                750 context
                750 records
                750 events
                640 events/all.jsonl
                750 revocations
                755 cluster

                """
        )
        let nobody = "setpriv --reuid nobody --regid nogroup --clear-groups"
        #expect(node.attempt("\(nobody) cat users/alice/name").output == "alice\n")
        #expect(node.attempt("\(nobody) ls sessions").output.contains("Permission denied"))
        #expect(node.attempt("\(nobody) cat users/alice/sessions/s1").status != 0)
        #expect(node.attempt("\(nobody) sh -c 'echo x >> groups/oncall/members'").status != 0)
        let options = try Shell.check("grep ' \(node.mount) ' /proc/mounts")
        for option in ["fuse.brokerfs", "nosuid", "nodev", "noexec", "default_permissions"] {
            #expect(options.contains(option), "\(option) is not in \(options)")
        }
    }

    @Test("an ordinary user mounts through fusermount3 and works on it")
    func ordinaryUser() throws {
        try Shell.check("chmod 0666 /dev/fuse")
        let node = try MountedNode(user: "nobody")
        let run = "setpriv --reuid nobody --regid nogroup --clear-groups"
        try Shell.check(
            "\(run) sh -c 'echo \"{\\\"user_id\\\":\\\"alice\\\"}\" > \(node.mount)/sessions/s1'"
        )
        #expect(try Shell.check("\(run) ls \(node.mount)/users/alice/sessions") == "s1\n")
        try Shell.check("\(run) rm \(node.mount)/sessions/s1")
        let doctor = Shell.run("\(run) env \(node.cli("doctor"))").output
        #expect(doctor.contains("an ordinary user's mount goes without"))
        #expect(node.terminate().status == 0)
    }

    @Test("a clean stop leaves nothing to replay, and inode numbers stay")
    func restart() throws {
        let node = try MountedNode()
        try node.load((0..<50).map { Line.session("s\($0)") })
        let before = try node.sh("stat -c '%i %n' sessions/* users/alice")
        _ = node.terminate()
        try node.start()
        #expect(node.log.contains("unapplied=0"))
        #expect(try node.sh("stat -c '%i %n' sessions/* users/alice") == before)
    }

    @Test(
        "with a disk that hangs: a signal is answered at once, a write in bounded time, reads go on"
    )
    func hungDisk() throws {
        let disk = try TemporaryDisk()
        defer { disk.remove() }
        let node = try MountedNode(dataOn: disk.directory)
        try node.load([Line.session("s1"), Line.session("s2")])
        try disk.freeze()
        let interrupted = try timed { node.attempt("timeout -s KILL 0.3 rm sessions/s1") }
        #expect(interrupted.seconds < 1.5)
        // A shell whose child ends meanwhile has not been told to stop waiting.
        let write = #"echo '{"user_id":"alice"}' > sessions/s3"#
        let news = node.attempt("{ sleep 0.3 & \(write); }")
        #expect(news.status == 1 && news.output.contains("timed out"), "\(news.output)")
        let late = try timed { node.attempt("rm sessions/s2") }
        #expect(late.result.status != 0)
        #expect(late.result.output.contains("timed out"))
        #expect(late.seconds > 1 && late.seconds < 6)
        #expect(try node.sh("cat sessions/s1").contains("alice"))
        try disk.thaw()
        // The first was on its way to the disk and happened; the second never left the queue.
        usleep(500_000)
        #expect(try node.sh("ls sessions") == "s2\n")
        node.kill()
    }

    @Test("a load goes on after a disk that stood still for longer than a commit may take")
    func slowDisk() throws {
        let disk = try TemporaryDisk()
        defer { disk.remove() }
        let node = try MountedNode(dataOn: disk.directory)
        try disk.freeze()
        let thaw = "(sleep 3.5; fsfreeze -u \(disk.directory)) >/dev/null 2>&1 &"
        try Shell.check(thaw)
        // Two requests that come late together; the second takes back what the first gives.
        let joined = Line.directoryUser("bob", groups: ["oncall"])
        let left = Line.directoryUser("bob", groups: [])
        try node.load([joined] + (0..<260).map { Line.user("u\($0)") } + [left])
        #expect(try node.sh("ls users | wc -l") == "261\n")
        #expect(Shell.run(node.cli("member oncall bob")).status == 1)
        node.kill()
    }

    private func timed(_ body: () -> Shell.Result) throws -> (result: Shell.Result, seconds: Double)
    {
        let start = Date()
        let result = body()
        return (result, Date().timeIntervalSince(start))
    }
}

/// A file system of its own, that stands still when it is told to.
private struct TemporaryDisk {
    let directory: String

    init() throws {
        directory = try MountedNode.temporaryDirectory()
        try Shell.check(
            """
            truncate -s 256M \(directory).img && mkfs.ext4 -q \(directory).img
            mount -o loop \(directory).img \(directory)
            """
        )
    }

    func freeze() throws { try Shell.check("fsfreeze -f \(directory)") }
    func thaw() throws { try Shell.check("fsfreeze -u \(directory)") }

    func remove() {
        _ = Shell.run("fsfreeze -u \(directory)")
        _ = Shell.run("umount -l \(directory); rm -f \(directory).img; rmdir \(directory)")
    }
}

/// What a writer was told, and so may rely on.
private struct AcknowledgedState {
    private(set) var created: Set<String> = []
    private(set) var revoked: Set<String> = []
    private var undecided: Set<String> = []

    mutating func read(_ journal: String) {
        for line in journal.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 2 else { continue }
            switch words[0] {
            case "created": created.insert(words[1])
            case "revoking": undecided.insert(words[1])
            case "revoked": revoked.insert(words[1])
            default: break
            }
        }
    }

    func missing(in listed: Set<String>) -> [String] {
        created.subtracting(undecided).subtracting(listed).sorted()
    }

    func resurrected(in listed: Set<String>) -> [String] {
        revoked.intersection(listed).sorted()
    }
}
