// SPDX-License-Identifier: Apache-2.0

import Foundation

/// What three mounts of one group show, with a revocation on each of two leaders.
///
/// Every answer is held against what it has to be; the first that is not ends the tour.
struct ClusterTour {
    private let cluster: DemoCluster
    private let shell: DemoShell

    /// How long another mount may go on showing what was revoked: `cluster.max_staleness_ms`, and
    /// the ticks in which a kernel counts.
    private static let visibleMax = Duration.milliseconds(1050)
    /// How often a command is typed again because the group had to elect meanwhile.
    private static let attemptsMax = 5
    private static let sessions = ["alice-laptop", "alice-phone", "alice-ssh"]
    private static let value = "risk/alice"

    init(_ cluster: DemoCluster, _ shell: DemoShell) {
        self.cluster = cluster
        self.shell = shell
    }

    func run() throws {
        try shell.say(
            "brokerfs demo: three nodes and three mounts, below \(cluster.root)\n"
        )
        try showLeader()
        try load()
        try refuse()
        try revoke("alice-laptop", left: ["alice-phone", "alice-ssh"])
        let killed = try killLeader()
        try revoke("alice-ssh", left: ["alice-phone"])
        try showDead(killed)
        try restart(killed)
    }

    // The steps

    private func showLeader() throws {
        try show("Raft picks the mount that is writable") { leader in
            ("cat \(names.first { $0 != leader.name } ?? "")/mnt/cluster/leader", leader.name)
        }
        try show { leader in
            let lines = names.map { "\($0)/mnt/cluster/writable:\($0 == leader.name ? 1 : 0)" }
            return ("grep '' n?/mnt/cluster/writable", lines.joined(separator: "\n"))
        }
    }

    private func load() throws {
        let file = "\(cluster.root)/\(DemoCluster.stateFile)"
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let count = text.split(separator: "\n").count
        try show("sample state, through a node that does not lead") { leader in
            let node = names.first { $0 != leader.name } ?? ""
            let command = "brokerfs load \(DemoCluster.stateFile) --data \(node)/data"
            return (command, "loaded \(count) records")
        }
        try cluster.wait(for: "the sample state on all mounts") {
            cluster.nodes.allSatisfy { node in
                Self.sessions.allSatisfy { node.look(for: $0) == .there }
            } ? () : nil
        }
    }

    private func refuse() throws {
        try show("the writable mount takes a change") { leader in
            let file = "\(leader.name)/mnt/groups/oncall/members"
            return ("echo bob >> \(file); cat \(file)", "alice\nbob")
        }
        try show("the others say at once that they do not") { leader in
            let file = "\(names.first { $0 != leader.name } ?? "")/mnt/sessions/alice-phone"
            return ("rm \(file)", "rm: cannot remove '\(file)': Read-only file system")
        }
    }

    /// Revokes a session that every kernel has cached.
    private func revoke(_ session: String, left: [String]) throws {
        let live = cluster.nodes.filter(\.isRunning)
        let all = live.map(\.name).joined(separator: " ")
        let files = live.map { "\($0.name)/mnt/sessions/\(session)" }
        try show("one session, read through \(live.count) mounts: all kernels have it cached") {
            _ in
            let lines = files.map { "\($0):  \"user_id\": \"alice\"," }
            return ("grep '\"user_id\"' \(Self.glob(files))", lines.joined(separator: "\n"))
        }
        let writer = try show("revoke it where one may write") { leader in
            ("rm \(leader.name)/mnt/sessions/\(session)", "")
        }
        try forget(session, since: .now, on: live.filter { $0.name != writer.name })
        try show("no mount shows it") { _ in
            let lines = files.map { "cat: \($0): No such file or directory" }
            let command = "for n in \(all); do cat $n/mnt/sessions/\(session); done"
            return (command, lines.joined(separator: "\n"))
        }
        try show("and nobody brings it back") { leader in
            let file = "\(leader.name)/mnt/sessions/\(session)"
            return ("echo '{\"user_id\":\"alice\"}' > \(file)", "\(file): Key has been revoked")
        }
        try show { _ in
            let lines = live.flatMap { _ in left }
            let command = "for n in \(all); do ls $n/mnt/users/alice/sessions; done"
            return (command, lines.joined(separator: "\n"))
        }
    }

    /// Looks on the other mounts until none has the session; none may show it after the bound.
    private func forget(
        _ session: String,
        since revoked: ContinuousClock.Instant,
        on others: [DemoNode]
    ) throws {
        for node in others {
            let taken: Duration = try cluster.wait(for: "\(node.name) to forget \(session)") {
                let begin = ContinuousClock.now
                switch node.look(for: session) {
                case .gone: return .now - revoked
                case .refused: return nil
                case .there:
                    guard begin - revoked <= Self.visibleMax else {
                        let text = "\(node.name) shows \(session) \(begin - revoked) after its end"
                        throw Failure(.failure, text)
                    }
                    return nil
                }
            }
            try shell.say("-> \(node.name) had forgotten it \(Self.text(taken)) after that")
        }
        try shell.say("")
        // Names and listings follow the content.
        try cluster.wait(for: "the listings without \(session)") {
            cluster.nodes.allSatisfy { !$0.isRunning || $0.sessions?.contains(session) == false }
                ? () : nil
        }
    }

    /// Kills the leader; returns it when another mount has taken a change.
    private func killLeader() throws -> DemoNode {
        let old = try cluster.waitForLeader()
        let others = cluster.nodes.filter { $0.name != old.name }
        try shell.say("# the leader dies\n$ kill -KILL \(old.processID)   # \(old.name)")
        let killed = old.kill()
        let new = try cluster.wait(for: "another writable mount") {
            others.first { $0.put("13", at: Self.value) }
        }
        let taken = ContinuousClock.now - killed
        try shell.say(
            "-> \(new.name) took a change of context/\(Self.value) \(Self.text(taken)) after that\n"
        )
        try show("another leads; what was revoked before stays gone") { leader in
            ("cat \(new.name)/mnt/cluster/leader", leader.name)
        }
        try show { _ in
            let lines = others.map {
                "cat: \($0.name)/mnt/sessions/alice-laptop: No such file or directory"
            }
            let names = others.map(\.name).joined(separator: " ")
            let command = "for n in \(names); do cat $n/mnt/sessions/alice-laptop; done"
            return (command, lines.joined(separator: "\n"))
        }
        return old
    }

    private func showDead(_ node: DemoNode) throws {
        try cluster.wait(for: "the end of \(node.name)") { node.isDead ? () : nil }
        try show("the mount of a dead node shows nothing") { _ in
            // What ls(1) says before depends on what the kernel still had of the directory.
            ("ls \(node.name)/mnt", "'\(node.name)/mnt': Transport endpoint is not connected")
        }
    }

    private func restart(_ node: DemoNode) throws {
        try shell.say(
            "# it is started again, and has forgotten as well\n"
                + "$ brokerfs serve --config \(node.name)/brokerfs.yaml &"
        )
        let begin = ContinuousClock.now
        try node.start()
        let caughtUp: Duration = try cluster.wait(for: "\(node.name) to answer again") {
            guard node.isRunning, node.answers, node.word("leader") == cluster.leader?.name else {
                return nil
            }
            return .now - begin
        }
        try shell.say("-> it answered again after \(Self.text(caughtUp))\n")
        try show { leader in
            let role = leader.name == node.name ? "leader" : "follower"
            return ("cat \(node.name)/mnt/cluster/role", role)
        }
        try show { _ in
            let lines = cluster.nodes.map { "\($0.name)/mnt/sessions/alice-phone" }
            return ("ls n?/mnt/sessions/alice-*", lines.joined(separator: "\n"))
        }
    }

    // How a step is shown

    private var names: [String] { cluster.nodes.map(\.name) }

    /// Types a command and compares what it prints; returns who led.
    ///
    /// A busy machine may keep a leader from its followers so long that they elect another, or
    /// refuse for a moment: then the answer was right and is another one, so it is asked again.
    @discardableResult
    private func show(
        _ why: String? = nil,
        _ step: (_ leader: DemoNode) -> (command: String, output: String)
    ) throws -> DemoNode {
        for attempt in 1... {
            let leader = try cluster.waitForLeader()
            let (command, output) = step(leader)
            let answer = try shell.run(command)
            try cluster.checkIsNotEnding()
            let isRight = Self.isRight(answer.text, output)
            if !isRight, attempt < Self.attemptsMax,
                answer.text.contains("Stale file handle") || cluster.leader?.name != leader.name
            {
                continue
            }
            if let why { try shell.say("# \(why)") }
            try shell.say("$ \(command)" + (answer.text.isEmpty ? "" : "\n\(answer.text)"))
            guard isRight else {
                throw Failure(.failure, "that is wrong, it had to be:\n\(output)")
            }
            return leader
        }
        preconditionFailure("the last attempt returns or throws")
    }

    /// Whether each line is what it has to be, or ends so: programs put their own words before.
    private static func isRight(_ text: String, _ expected: String) -> Bool {
        let lines = text.split(separator: "\n")
        let wanted = expected.split(separator: "\n")
        return lines.count == wanted.count && zip(lines, wanted).allSatisfy { $0.hasSuffix($1) }
    }

    /// The files of several nodes as one types them.
    private static func glob(_ files: [String]) -> String {
        files.count == 3 ? files[0].replacing("n1/", with: "n?/") : files.joined(separator: " ")
    }

    private static func text(_ duration: Duration) -> String {
        let tenths = Int((duration / .milliseconds(0.1)).rounded())
        return tenths < 100 ? "\(tenths / 10).\(tenths % 10) ms" : "\(tenths / 10) ms"
    }
}
