// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Identity
import SwiftProtobuf

/// The subcommand `revoke`.
struct Revoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Revoke sessions for good: one, or all of a user, group or service account.",
        discussion: """
            Whatever the number, it is one commit. When it returns 0 a quorum has the revocation \
            on disk and the sessions cannot be read through this node's mounts; they never come \
            back. With --wait all it waits for the other nodes' mounts, and says when each had \
            forgotten the sessions; it exits 3 where some have not within --timeout. What such a \
            node's mounts show is no older than its max_staleness; past it they refuse reads.
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
    @Option(help: "Return when a quorum has it, or when all nodes' mounts have forgotten it.")
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
        var report = RevocationReport(target.text, applied)
        if wait == .all, report.index > 0 {
            let seconds = node.timeout
            let question = Brokerfs_Admin_Request.with {
                $0.progress.index = report.index
                // The answer has to be here within the time, and not just on its way.
                $0.progress.timeoutMs = UInt32(seconds * 1000 - Self.marginMilliseconds)
            }
            do {
                report.add(try await node.ask(question).progressed)
            } catch let failure as Failure {
                try show(report)
                throw Failure(
                    .partial,
                    "revoked; where it has arrived is not known: "
                        + failure.message
                )
            }
        }
        try show(report)
        if let text = report.missingText { throw Failure(.partial, text) }
    }

    private static let marginMilliseconds = 300

    private func show(_ report: RevocationReport) throws {
        if json { return try Console.json(report) }
        for line in report.lines { Console.line(line) }
    }
}
