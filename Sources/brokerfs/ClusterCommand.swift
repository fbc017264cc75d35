// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// The subcommand `cluster`.
struct ClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster",
        abstract: "Make a cluster, and change who is in it.",
        subcommands: [ClusterBootstrap.self]
    )
}
