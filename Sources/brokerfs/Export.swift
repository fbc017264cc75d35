// SPDX-License-Identifier: Apache-2.0

import AdminSocket
import ArgumentParser
import Foundation
import Glibc
import Identity
import SwiftProtobuf

/// The subcommand `export`.
struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keep a plain copy of the tree for programs that must not touch FUSE.",
        discussion: """
            DIR/current is a link to the newest copy, exchanged in one step; DIR should be on a \
            tmpfs. The format files is the same names, bytes, modes and owners as in the tree; \
            env is one file, current/env, of lines KEY='value' for a shell or systemd. A key is \
            BROKERFS_ and the path: / is __, other bytes that are no letter or digit are _XX.

            Without --once the copy is made anew after every change; the command ends with 0 on \
            SIGINT and SIGTERM, with 2 when the node ends. The copy stays.

            It reads a mount that hides tokens. While that answers ESTALE, because nobody vouches \
            for the node's state, no copy is made and the one there is stays; with --once that is \
            exit code 2, otherwise it is tried again until there is a new copy.
            """
    )

    /// What a copy looks like.
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case files, env
    }

    /// A directory of the tree.
    enum Part: String, ExpressibleByArgument, CaseIterable {
        case groups, context, users, sessions
        case serviceAccounts = "service-accounts"
    }

    @Option(help: "Where to; made if it is missing.") var to: String
    @Option(help: "files or env.") var format = Format.files
    @Option(help: "groups, context, users, sessions or service-accounts; may be repeated.")
    var include: [Part] = [.groups, .context, .users]
    @Flag(help: "Make one copy and end.") var once = false
    @OptionGroup var node: NodeOptions

    func run() async throws {
        let status = try await node.ask(.with { $0.status = true }).status
        guard !status.mount.isEmpty else {
            throw Failure(.cannotTell, "the node has no mount that hides tokens: nothing to copy")
        }
        let writer = ExportWriter(
            tree: status.mount,
            directory: absolute(to),
            format: format,
            parts: include.map(\.rawValue)
        )
        guard !once else {
            do {
                return try writer.export()
            } catch let stale as StaleTree {
                throw Failure(.cannotTell, "\(status.mount): \(stale)")
            }
        }
        signal(SIGINT, endQuietly)
        signal(SIGTERM, endQuietly)
        try await follow(from: status.recordVersion, writer)
    }

    /// Whatever changes while a copy is made leads to one more.
    private func follow(from version: UInt64, _ writer: ExportWriter) async throws {
        let (changes, changed) = AsyncThrowingStream.makeStream(
            of: Void.self,
            bufferingPolicy: .bufferingNewest(1)
        )
        let socket = node.socket
        let following = Task {
            do {
                try await AdminClient.follow(
                    path: socket,
                    .with { $0.watch.since = version }
                ) { response in
                    if case .failure(let failure)? = response.kind { throw Failure(failure) }
                    changed.yield()
                }
                changed.finish(throwing: Failure(.cannotTell, "the node has ended"))
            } catch let error as AdminClientError {
                changed.finish(throwing: Failure(.cannotTell, error.description))
            } catch {
                changed.finish(throwing: error)
            }
        }
        defer { following.cancel() }
        try await copy(writer)
        for try await _ in changes { try await copy(writer) }
    }

    /// Tries until the mount shows what it has; an end of the mount ends this, too.
    private func copy(_ writer: ExportWriter) async throws {
        var isTold = false
        while true {
            do {
                return try writer.export()
            } catch let stale as StaleTree {
                if !isTold { Console.error("brokerfs: \(writer.tree): \(stale)") }
                isTold = true
            }
            try await Task.sleep(for: .milliseconds(500))
        }
    }
}
