// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Cluster
import Identity
import SwiftProtobuf

/// The subcommand `cluster`.
struct ClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster",
        abstract: "Make a cluster, and change who is in it.",
        discussion: """
            A change works through any node; it is refused, with the numbers, where the group \
            would lose its quorum by it. One change at a time.
            """,
        subcommands: [
            ClusterBootstrap.self, ClusterMembers.self, ClusterAdd.self, ClusterPromote.self,
            ClusterRemove.self, ClusterTransfer.self, ClusterToken.self,
        ]
    )
}

/// The subcommand `cluster members`.
struct ClusterMembers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "members",
        abstract: "Show who is in the group, who votes, and what it can bear."
    )

    @OptionGroup var node: NodeOptions
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        let members = try await node.ask(.with { $0.members = true }).members
        let report = GroupReport(members)
        if json {
            try Console.json(report)
        } else {
            for line in report.table { Console.line(line) }
            Console.line(report.arithmetic)
        }
    }
}

/// The subcommand `cluster add`.
struct ClusterAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add a member as a learner: it gets everything and counts for nothing.",
        discussion: """
            For a member whose certificate and folder you have made yourself with the authority's \
            key. In one step, certificate and all: brokerfs cluster token, brokerfs join.
            """
    )

    /// A member as it is typed.
    struct Newcomer: ExpressibleByArgument {
        var member: GroupMember

        init?(argument: String) {
            guard let member = try? MemberList.parse(one: argument) else { return nil }
            self.member = member
        }
    }

    @Argument(help: "NAME=HOST:PORT") var newcomer: Newcomer
    @OptionGroup var node: NodeOptions
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        let member = newcomer.member
        try await node.change("added \(member.name) as a learner", json: json) {
            $0.add.name = member.name
            $0.add.address = member.address
        }
    }
}

/// The subcommand `cluster promote`.
struct ClusterPromote: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "promote",
        abstract: "Make a learner that has caught up a voter."
    )

    @Argument(help: "The member's name.") var name: String
    @OptionGroup var node: NodeOptions
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        try await node.change("promoted \(name)", json: json) { $0.promote = name }
    }
}

/// The subcommand `cluster remove`.
struct ClusterRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove a member, for good: its number never comes back.",
        discussion: """
            A member that leads may be removed; another takes over.
            """
    )

    @Argument(help: "The member's name.") var name: String
    @OptionGroup var node: NodeOptions
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        try await node.change("removed \(name)", json: json) { $0.remove = name }
    }
}

/// The subcommand `cluster transfer`.
struct ClusterTransfer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "transfer",
        abstract: "Hand the leadership, and with it the writable mount, to another voter."
    )

    @Argument(help: "Who shall lead; whoever is furthest if it is not given.") var name: String?
    @OptionGroup var node: NodeOptions
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        _ = try await node.ask(.with { $0.transfer.to = name ?? "" })
        let leader = try await newLeader()
        if json {
            try Console.json(["leader": leader])
        } else {
            Console.line(leader.isEmpty ? "handed over" : "\(leader) leads")
        }
    }

    /// The asked node may hear of the new leader a moment later.
    private func newLeader() async throws -> String {
        for _ in 0..<Self.attemptsMax {
            let members = try? await node.ask(.with { $0.members = true }).members
            if let leader = members?.leader, !leader.isEmpty, name == nil || leader == name {
                return leader
            }
            try await Task.sleep(for: .milliseconds(Self.pauseMilliseconds))
        }
        return ""
    }

    private static let attemptsMax = 40
    private static let pauseMilliseconds = 25
}

extension NodeOptions {
    /// Asks for a change of the group and says what the group can bear after it.
    fileprivate func change(
        _ text: String,
        json: Bool,
        _ fill: (inout Brokerfs_Admin_ChangeGroup) -> Void
    ) async throws {
        _ = try await ask(.with { fill(&$0.changeGroup) })
        let report = GroupReport(try await ask(.with { $0.members = true }).members)
        if json { return try Console.json(report) }
        Console.line("\(text); \(report.arithmetic)")
    }
}
