// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc

/// The command line.
///
/// One binary: a node, and everything that talks to one.
@main
struct Brokerfs: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "brokerfs",
        abstract: "Identity state as files: ls and cat to inspect, rm to revoke.",
        discussion: """
            Exit codes: 0 ok, 1 usage or other error, 2 cannot tell (no node, no mount), 3 partly \
            effective, 4 pending (the outcome is unknown), 5 refused by policy, 6 not found. Those \
            of member, doctor and log are in their own help.
            """,
        version: version,
        subcommands: [
            Serve.self, MountCommand.self, Demo.self, Generate.self, Load.self, Status.self,
            Nodes.self, Wait.self, PathCommand.self, Revoke.self, Member.self, Watch.self,
            ExecOnChange.self, Export.self, Doctor.self, LogCommand.self, ClusterCommand.self,
            Join.self,
        ]
    )

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            Self.leave(error)
        }
    }

    /// Help and version go to stdout with 0; every other error to stderr with its exit code.
    private static func leave(_ error: any Error) -> Never {
        if let failure = error as? Failure {
            if !failure.message.isEmpty { Console.error("brokerfs: \(failure.message)") }
            Glibc.exit(failure.code.rawValue)
        }
        let parserCode = exitCode(for: error)
        let text = fullMessage(for: error)
        if parserCode == .success {
            Console.line(text)
            Glibc.exit(0)
        }
        if !text.isEmpty { Console.error(text) }
        // There 1 says that a log is damaged, which a wrong flag must not.
        let isLog = CommandLine.arguments.dropFirst().first == LogCommand.name
        Glibc.exit((isLog ? Code.cannotTell : .failure).rawValue)
    }
}

/// Exit codes ; scripts rely on them.
enum Code: Int32 {
    case ok = 0
    case failure = 1
    case cannotTell = 2
    case partial = 3
    case pending = 4
    case refused = 5
    case notFound = 6
}

/// Ends the command with a code; an empty message says nothing.
struct Failure: Error {
    var code: Code
    var message: String

    init(_ code: Code, _ message: String = "") {
        self.code = code
        self.message = message
    }
}
