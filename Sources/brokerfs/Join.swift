// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Cluster
import Foundation
import Identity

/// The subcommand `join`.
struct Join: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make this machine a member of a running cluster, with a token.",
        discussion: """
            Asks the node at ADDRESS, which has made the token (brokerfs cluster token), and \
            writes a folder: configuration, certificate, and a key that is drawn here and goes \
            nowhere. The token says which cluster to expect; it is told to no other. The new \
            member is a learner, a read-only mount, until it is promoted.
            """
    )

    @Argument(help: "Where a node of the cluster is: HOST:PORT.") var address: String
    @Option(help: "The token; - reads it from standard input.") var token: String
    @Option(help: "The new member's name; without it, the name of this machine.")
    var name: String?
    @Option(
        name: .customLong("address"),
        help:
            "Where the others reach it, HOST:PORT; without it, as ADDRESS sees it, same port."
    )
    var own: String?
    @Option(help: "Where to write the folder; without it, ./NAME.") var out: String?
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        let folder: NodeFolder
        let out: String
        do {
            let name = try Self.memberName(name)
            out = self.out ?? name
            guard try !DurableFile.exists(out) else {
                throw JoinError.own(.file(path: out, reason: "is there already"))
            }
            let node = try HostPort(address)
            let client = JoinClient(node, try readToken())
            folder = try await client.join(
                name: name,
                address: try await ownAddress(client, node)
            )
        } catch let error as JoinError {
            throw Failure(error.code, "\(error)")
        } catch let error as BootstrapError {
            throw Failure(.failure, "\(error)")
        }
        try write(folder, to: out)
        try report(folder, out)
    }

    /// The group has the member by now: what is lost here is to be removed there.
    private func write(_ folder: NodeFolder, to out: String) throws {
        do {
            try folder.write(to: out)
        } catch {
            let name = folder.founding.name
            throw Failure(
                .failure,
                "\(error). The cluster counts \(name) as a learner: brokerfs cluster remove \(name)"
            )
        }
    }

    private func report(_ folder: NodeFolder, _ out: String) throws {
        let founding = folder.founding
        guard !json else {
            return try Console.json(
                Summary(
                    cluster: founding.clusterID,
                    member: founding.member,
                    name: founding.name,
                    folder: out
                )
            )
        }
        Console.line("\(founding.name) is member \(founding.member) of \(founding.clusterID)")
        Console.line("brokerfs serve --config \(out)/brokerfs.yaml")
        Console.error("a learner, until: brokerfs cluster promote \(founding.name)")
    }

    /// What `--json` prints; keys are added, never renamed.
    private struct Summary: Encodable {
        var cluster: String
        var member: UInt64
        var name: String
        var folder: String
    }

    private func readToken() throws -> JoinToken {
        let text = token == "-" ? readLine() ?? "" : token
        guard let token = JoinToken(text.trimmingCharacters(in: .whitespaces)) else {
            throw Failure(.failure, "--token: that is no token, or only a part of one")
        }
        return token
    }

    private func ownAddress(_ client: JoinClient, _ node: HostPort) async throws -> HostPort {
        if let own { return try HostPort(own) }
        let host = try await client.localAddress()
        return try HostPort(host.contains(":") ? "[\(host)]:\(node.port)" : "\(host):\(node.port)")
    }

    private static func memberName(_ given: String?) throws(BootstrapError) -> String {
        let name = given ?? String(ProcessInfo.processInfo.hostName.prefix { $0 != "." })
        try MemberName.validate(name)
        return name
    }
}

extension JoinError {
    /// Whether nothing has come of it, or nobody can say.
    fileprivate var code: Code {
        switch self {
        case .noAnswer: .pending
        case .refused, .closed: .refused
        case .unreachable, .notTheGroup: .cannotTell
        case .answer, .own: .failure
        }
    }
}
