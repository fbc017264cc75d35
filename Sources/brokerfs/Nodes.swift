// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Identity
import SwiftProtobuf

/// The subcommand `nodes`.
struct Nodes: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the nodes as cluster/nodes shows them.",
        discussion: """
            As the asked node knows them: its own place exactly, the others' as they last said. \
            `brokerfs cluster members` adds who votes and what the group can bear.
            """
    )

    @OptionGroup var node: NodeOptions
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        let report = GroupReport(try await node.ask(.with { $0.members = true }).members)
        guard !json else { return try Console.json(report.nodes) }
        for line in report.table { Console.line(line) }
    }
}
