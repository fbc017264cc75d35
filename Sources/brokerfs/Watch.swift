// SPDX-License-Identifier: Apache-2.0

import AdminSocket
import ArgumentParser
import Foundation
import Glibc
import Identity
import SwiftProtobuf

/// The subcommand `watch`.
struct Watch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print every change as a line of JSON, and go on as they happen.",
        discussion: """
            The lines are those of events/all.jsonl. Where changes cannot be shown any more, \
            because they are older than the change log or because of a restore, a line \
            {"gap":true,"dropped_through":VERSION} says so: read the state anew, then go on.

            Ends with 0 on SIGINT, SIGTERM or when nobody reads its output any more, with 2 when \
            the node ends or does not answer: start it again with --since and the last version.
            """
    )

    @Option(help: "Begin after this version; 0: with the oldest change there is. Default: now.")
    var since: UInt64?
    @Option(help: "Only this type: session, user, context, … or a type URL. May be repeated.")
    var type: [String] = []
    @OptionGroup var node: NodeOptions

    func validate() throws {
        let names = RecordType.named.map(\.name)
        for name in type where !names.contains(name) && !name.contains("/") {
            throw ValidationError(
                "\(name) is not a type: \(names.joined(separator: ", ")), or a type URL"
            )
        }
    }

    func run() async throws {
        signal(SIGINT, endQuietly)
        signal(SIGTERM, endQuietly)
        signal(SIGPIPE, SIG_IGN)
        Self.endWithReader()
        do {
            try await AdminClient.follow(path: node.socket, request) { response in
                if case .failure(let failure)? = response.kind { throw Failure(failure) }
                Self.show(Array(response.events.lines.utf8))
            }
        } catch let error as AdminClientError {
            throw Failure(.cannotTell, error.description)
        }
        throw Failure(.cannotTell, "the node has ended the stream")
    }

    private var request: Brokerfs_Admin_Request {
        .with {
            $0.watch.types = type
            if let since { $0.watch.since = since }
        }
    }

    /// Whole lines at a time, so that a signal does not leave half of one in a pipe (pipe(7)).
    private static func show(_ lines: [UInt8]) {
        var rest = lines[...]
        while !rest.isEmpty {
            let chunk = rest.prefix(Int(PIPE_BUF))
            let end = (chunk.lastIndex(of: newline) ?? rest.firstIndex(of: newline)).map { $0 + 1 }
            let next = end ?? rest.endIndex
            guard Console.writeAll(rest[..<next], to: STDOUT_FILENO) else { Glibc._exit(0) }
            rest = rest[next...]
        }
    }

    private static let newline = UInt8(ascii: "\n")

    /// Ends as soon as the other end of a pipe is closed, and not with the next change.
    private static func endWithReader() {
        Thread.detachNewThread {
            var output = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
            // A signal ends the process, so that nothing interrupts this.
            guard poll(&output, 1, -1) == 1 else { return }
            if output.revents & Int16(POLLERR | POLLHUP) != 0 { Glibc._exit(0) }
        }
    }
}

/// What has been printed is complete: nothing is left to do.
func endQuietly(_ number: Int32) {
    _exit(0)
}
