// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Identity
import SwiftProtobuf

/// The subcommand `member`.
struct Member: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ask whether a user is in a group: exits 0 yes, 1 no, 2 cannot tell."
    )

    @Argument(help: "The group's id.") var group: String
    @Argument(help: "The user's id.") var user: String
    @OptionGroup var node: NodeOptions
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        let answer: Brokerfs_Admin_Membership
        do {
            answer = try await node.ask(
                .with {
                    $0.isMember.group = group
                    $0.isMember.user = user
                }
            ).membership
        } catch let failure as Failure {
            // A gate must not take a failure to answer for a no, nor for a yes.
            throw Failure(.cannotTell, failure.message)
        }
        if json { try Console.json(["group": group, "user": user, "member": "\(answer.member)"]) }
        guard answer.member else {
            throw Failure(.failure, answer.groupExists ? "" : "there is no group \(group)")
        }
    }
}
