// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The daemon dies, or its connection does, in the middle of every kind of request.
@Suite(.serialized) struct FaultTests {
    private let node: MountedNode

    init() throws {
        node = try MountedNode()
        try node.load([
            Line.session("s1"), Line.session("s2"), Line.user("alice"), Line.group("g"),
            Line.directoryUser("alice", groups: ["g"]),
        ])
    }

    /// What one client does over and over, each a kind of request of its own.
    private static let loops: [String] = [
        "stat -f .", "ls -l sessions", "ls -U users groups", "cat sessions/s1",
        "cat groups/g/members", "readlink groups/g/members.d/alice",
        "getfattr -d sessions/s1", "setfattr -n user.x -v 1 sessions/s1",
        "sh -c \"echo bob >> groups/g/members\"", "sh -c \"echo x > context/src/$i\"",
        "cp -f README /dev/null", "sed -i s/a/a/ groups/g/members",
        "sh -c \"echo x > sessions/.$i; rm sessions/.$i\"", "rm -f context/src/$((i-1))",
        "mkdir groups/h$i", "rmdir groups/h$((i-1))", "truncate -s 0 sessions/s2",
        "touch sessions/s1", "tail -n 1 events/all.jsonl",
    ]

    /// Starts every client; each ends by itself when the mount fails, or after five seconds.
    private func startClients() throws -> [Process] {
        try Self.loops.map { loop in
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
            let body =
                "cd \(node.mount) && mkdir -p context/src 2>/dev/null; "
                + "for i in $(seq 100000); do \(loop) >/dev/null 2>&1; "
                // Names outlive their daemon in the kernel's cache; this asks it every time.
                + "stat -f . >/dev/null 2>&1 || exit 0; done"
            process.arguments = ["-s", "KILL", "20", "/bin/bash", "-c", body]
            process.standardInput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            return process
        }
    }

    /// Every client has to notice: one that hangs is killed by its time limit, with status 137.
    private func expectEnd(_ clients: [Process]) {
        for (client, loop) in zip(clients, Self.loops) {
            client.waitUntilExit()
            #expect(client.terminationStatus != 137, "\(loop) hangs")
        }
    }

    @Test("killed in the middle of every kind of request: nobody hangs, and it comes up again")
    func killed() throws {
        for round in 0..<5 {
            try node.sh("mkdir -p context/src; echo 'round \(round)' > context/src/round")
            let clients = try startClients()
            usleep(UInt32.random(in: 200_000...900_000))
            node.kill()
            expectEnd(clients)
            try node.start()
            #expect(try node.sh("cat context/src/round") == "round \(round)\n")
            #expect(try node.sh("cat sessions/s1").contains("alice"))
        }
    }

    @Test("aborted through fusectl: requests fail, the daemon ends, and it comes up again")
    func aborted() throws {
        let control = "/sys/fs/fuse/connections"
        _ = Shell.run("mountpoint -q \(control) || mount -t fusectl fusectl \(control)")
        let clients = try startClients()
        usleep(500_000)
        let minor = "$(stat -c %d \(node.mount))"
        try Shell.check("echo 1 > \(control)/\(minor)/abort")
        expectEnd(clients)
        let end = node.terminate()
        #expect(end.seconds < 5 && end.status == 0)
        try node.start()
        #expect(try node.sh("cat sessions/s1").contains("alice"))
    }
}
