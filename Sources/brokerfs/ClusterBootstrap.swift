// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Cluster
import Identity
import Node

/// The subcommand `cluster bootstrap`.
struct ClusterBootstrap: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bootstrap",
        abstract: "Write one folder per node of a new cluster: configuration, keys, certificates.",
        discussion: """
            Copy DIR/NAME to the machine of that name, and run there:
              brokerfs serve --config NAME/brokerfs.yaml

            DIR/ca.key makes members: keep it offline. Nodes get a copy only with --copy-ca-key; \
            then they make tokens for others by themselves (brokerfs cluster token). \
            Nothing is overwritten. Do it once: every folder has a founding file, which allows one \
            start on an empty data directory.
            """
    )

    @Option(help: "The nodes: n1=HOST:PORT,n2=HOST:PORT,n3=HOST:PORT")
    var nodes: String
    @Option(help: "Where to write; made if it is missing.")
    var out: String
    @Option(help: "A UUID; drawn if it is not given.")
    var clusterID: String?
    @Flag(name: .customLong("copy-ca-key"), help: "Give each node the authority's key.")
    var copiesAuthorityKey = false
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let folders: ClusterFolders
        do {
            let members = try MemberList.parse(nodes, countMax: MemberList.foundersMax)
            let id = try clusterID.map { id throws(BootstrapError) in
                try ClusterIdentity.validated(clusterID: id)
            }
            folders = try ClusterFolders(
                clusterID: id ?? ClusterIdentity.newClusterID(),
                members: members,
                nodesAdmit: copiesAuthorityKey,
                now: Clock.wall()
            )
            try folders.write(to: out)
        } catch {
            throw Failure(.failure, "\(error)")
        }
        try report(folders)
    }

    private func report(_ folders: ClusterFolders) throws {
        let count = folders.folders.count
        if count.isMultiple(of: 2) {
            Console.error(
                "brokerfs: \(count) nodes bear the loss of \((count - 1) / 2), as \(count - 1) do;"
                    + " an odd number is better"
            )
        }
        guard !json else { return try Console.json(Summary(folders, out)) }
        Console.line("cluster \(folders.clusterID)")
        for folder in folders.folders {
            let path = "\(out)/\(folder.founding.name)"
            let address = folder.members.first { $0.id == folder.founding.member }?.address ?? ""
            Console.line("\(path)  for \(address): brokerfs serve --config \(path)/brokerfs.yaml")
        }
        let copies = copiesAuthorityKey ? "each node has a copy" : "no node has it"
        Console.line("\(out)/ca.key  makes members: keep it offline (\(copies))")
    }

    /// What `cluster bootstrap --json` prints; keys are added, never renamed.
    private struct Summary: Encodable {
        struct Node: Encodable {
            var member: UInt64
            var name: String
            var address: String
            var folder: String
        }
        var cluster: String
        var nodes: [Node]
        var authorityKey: String

        enum CodingKeys: String, CodingKey {
            case cluster, nodes
            case authorityKey = "authority_key"
        }

        init(_ folders: ClusterFolders, _ out: String) {
            cluster = folders.clusterID
            authorityKey = out + "/ca.key"
            nodes = folders.folders.compactMap { folder in
                folder.members.first { $0.id == folder.founding.member }.map {
                    Node(
                        member: $0.id,
                        name: $0.name,
                        address: $0.address,
                        folder: "\(out)/\($0.name)"
                    )
                }
            }
        }
    }
}
