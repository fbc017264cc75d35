// SPDX-License-Identifier: Apache-2.0

import AdminSocket
import ArgumentParser
import Cluster
import Identity
import Node
import SwiftProtobuf

/// The subcommand `cluster token`.
struct ClusterToken: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Make a token with which one machine may join, once.",
        discussion: """
            Prints the command to run on the new machine. The token is good for one machine, \
            through this node, until its time is over or the node is restarted. The node signs the \
            new certificate with the authority's key: its own (cluster.tls.ca_key), or the one \
            handed over here, which it keeps in memory as long as the token is good.
            """
    )

    @Option(help: "Who may use it; without it, any name that is free.")
    var name: String?
    @Option(help: "How many minutes it is good, up to a day (1440).")
    var minutes = 15
    @Option(name: .customLong("ca-key"), help: "The authority's key, PEM (`ca.key` of bootstrap).")
    var authorityKeyPath: String?
    @OptionGroup var node: NodeOptions
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard (1...1440).contains(minutes) else {
            throw ValidationError("--minutes is between 1 and 1440")
        }
    }

    func run() async throws {
        let key: String
        do {
            key =
                try authorityKeyPath.map { path throws(BootstrapError) in
                    try DurableFile.text(path)
                } ?? ""
        } catch {
            throw Failure(.failure, "--ca-key: \(error)")
        }
        let answer = try await node.ask(
            .with {
                $0.issueToken.name = name ?? ""
                $0.issueToken.seconds = UInt32(minutes) * 60
                $0.issueToken.authorityKey = key
            }
        ).token
        guard !json else { return try Console.json(Summary(answer)) }
        Console.line("brokerfs join \(answer.address) --token \(answer.token)")
        let who = name.map { "as \($0)" } ?? "under any free name"
        Console.error("good for \(minutes) minutes and one machine, \(who)")
    }

    /// What `--json` prints; keys are added, never renamed.
    private struct Summary: Encodable {
        var token: String
        var address: String
        var expiresAt: String

        enum CodingKeys: String, CodingKey {
            case token, address
            case expiresAt = "expires_at"
        }

        init(_ answer: Brokerfs_Admin_Token) {
            token = answer.token
            address = answer.address
            expiresAt = Timestamp(answer.expiresAt).text
        }
    }
}

extension Admission {
    /// Answers the command above, in a node that others reach at this address.
    func tokens(address: String) -> IssueToken {
        { [self] request in
            let token: JoinToken
            do {
                token = try issue(
                    name: request.name,
                    seconds: request.seconds,
                    authorityKey: request.authorityKey
                )
            } catch {
                return .failure(.invalid, "\(error)")
            }
            var end = Clock.wall()
            end.seconds += Int64(request.seconds)
            return .with {
                $0.token.token = token.text
                $0.token.address = address
                $0.token.expiresAt = end.message
            }
        }
    }
}
