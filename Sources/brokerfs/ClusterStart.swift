// SPDX-License-Identifier: Apache-2.0

import Cluster
import Identity
import Logging
import Node
import Raft
import Replica

/// Whether this node may start as the member it says it is, and how it begins.
struct ClusterStart {
    /// What the data directory says, or will say after a first start.
    let founding: Founding
    private let cluster: ClusterSettings
    private let dataDirectory: String
    private let file: FoundingFile
    private let usesUpFounding: Bool

    /// Looks at the certificate, the data directory and the founding file; on a first start it
    /// says in the data directory whose it is.
    ///
    /// Nil for a node on its own. Throws ``Failure``, with what to do, where the node must not
    /// start.
    init?(_ settings: Settings) throws {
        let identity = try settings.cluster.map { try Self.identity($0, name: settings.name) }
        file = FoundingFile(path: settings.cluster?.foundingPath, dataDirectory: settings.data)
        let facts: StartDecision.Facts
        do {
            facts = try file.facts()
        } catch {
            throw Failure(.failure, "\(error)")
        }
        switch StartDecision.decide(facts, configured: identity) {
        case .startAlone: return nil
        case .refuse(let refusal): throw Failure(.failure, "\(settings.data): \(refusal)")
        case .start(let record, let usesUpFounding):
            founding = record
            self.usesUpFounding = usesUpFounding
        case .found(let new):
            founding = new
            usesUpFounding = true
            do {
                try file.record(new)
            } catch {
                throw Failure(.failure, "\(error)")
            }
        }
        guard let cluster = settings.cluster else { return nil }
        self.cluster = cluster
        dataDirectory = settings.data
    }

    /// The node's part of what is known now.
    func apply(to configuration: inout NodeConfiguration) {
        configuration.member = MemberID(founding.member)
        configuration.clusterID = founding.clusterID
        configuration.founders = founding.founders
        configuration.stalenessMaxNanoseconds =
            UInt64(cluster.stalenessMaxMilliseconds) * 1_000_000
        cluster.apply(to: &configuration.raft)
    }

    /// The connections to the others; nothing is opened yet.
    func peers(log: Logger) -> Peers {
        let address = cluster.members.first { $0.name == founding.name }?.address ?? cluster.listen
        var configuration = PeersConfiguration(
            clusterID: founding.clusterID,
            member: GroupMember(id: founding.member, name: founding.name, address: address),
            group: founding.founders,
            listen: cluster.listen,
            tls: TLSFiles(
                authority: cluster.authorityPath,
                certificate: cluster.certificatePath,
                key: cluster.keyPath
            ),
            dataDirectory: dataDirectory
        )
        configuration.electionTimeoutNanoseconds =
            UInt64(cluster.electionTimeoutMilliseconds) * 1_000_000
        return Peers(configuration, log: log)
    }

    /// Joins the connections to the node behind them, and opens them.
    func start(_ peers: Peers, _ node: LocalNode) throws {
        let host = PeerHost(
            incarnation: founding.incarnation,
            history: { (try? node.information().serverVersion) ?? 0 },
            deliver: { node.deliver($0) },
            checkpoint: { message, directory in
                Replica.snapshotMessage(message, of: try node.checkpoint(into: directory))
            },
            receiveSnapshot: { node.receiveSnapshot($0, from: $1, completion: $2) },
            answer: { node.answer($0, completion: $1) }
        )
        do {
            try peers.start(host)
        } catch {
            throw Failure(.failure, "the connections to the group: \(error)")
        }
    }

    /// After the node has opened its directory: the founding file has done its work.
    func finish() throws {
        guard usesUpFounding else { return }
        do {
            try file.use()
        } catch {
            throw Failure(.failure, "the founding file: \(error)")
        }
    }

    /// Who the certificate says this node is; the configuration has to say the same.
    private static func identity(
        _ cluster: ClusterSettings,
        name: String
    ) throws -> ClusterIdentity {
        let path = cluster.certificatePath
        do {
            guard let bytes = try DurableFile.read(path) else {
                throw BootstrapError.file(path: path, reason: "is not there")
            }
            let identity = try ClusterIdentity(pem: String(decoding: bytes, as: UTF8.self))
            guard identity.clusterID == cluster.id, identity.name == name else {
                throw BootstrapError.content(
                    path: path,
                    reason: "belongs to \(identity.uri), and this node is \(name) of \(cluster.id)"
                )
            }
            return identity
        } catch {
            throw Failure(.failure, "cluster.tls.certificate: \(error)")
        }
    }
}
