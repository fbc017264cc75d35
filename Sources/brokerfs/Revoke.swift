// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Identity
import SwiftProtobuf

/// The subcommand `revoke`.
struct Revoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Revoke sessions for good: one, or all of a user, group or service account.",
        discussion: """
            Whatever the number, it is one commit. When it returns 0 the revocation is on disk and \
            the sessions cannot be read through the mount; they never come back.
            """
    )

    /// How far a revocation has to have come before the command returns.
    enum Wait: String, ExpressibleByArgument, CaseIterable {
        case all, quorum
    }

    @Argument(help: "session:ID, user:U, group:G or service-account:S")
    var target: Target
    @Option(help: "Why; kept in the change log and shown in events/all.jsonl.")
    var reason = ""
    @Option(help: "Return when a quorum has it, or when all nodes have. One node is both.")
    var wait = Wait.quorum
    @OptionGroup var node: NodeOptions
    @Flag(help: "Print JSON.") var json = false

    /// A revocation target as it is typed.
    struct Target: ExpressibleByArgument {
        var text: String
        var value: RevocationTarget

        init?(argument: String) {
            guard let colon = argument.firstIndex(of: ":") else { return nil }
            let id = String(argument[argument.index(after: colon)...])
            guard !id.isEmpty else { return nil }
            switch argument[..<colon] {
            case "session": value = .session(id)
            case "user": value = .user(id)
            case "group": value = .group(id)
            case "service-account": value = .serviceAccount(id)
            default: return nil
            }
            text = argument
        }
    }

    func run() async throws {
        let command = Command(at: .epoch, kind: .revoke(target.value, reason: reason))
        let applied = try await node.ask(.with { $0.propose = command.message }).applied
        if json {
            try Console.json(
                Summary(target: target.text, revoked: applied.count, version: applied.recordVersion)
            )
        } else if applied.count == 0 {
            Console.line("\(target.text): nothing was left to revoke")
        } else {
            Console.line(
                "\(target.text): revoked \(applied.count), version \(applied.recordVersion)"
            )
        }
    }

    private struct Summary: Encodable {
        var target: String
        var revoked: UInt64
        var version: UInt64
    }
}
