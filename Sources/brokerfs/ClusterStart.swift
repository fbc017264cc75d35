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
        var configuration = PeersConfiguration(
            clusterID: founding.clusterID,
            member: GroupMember(id: founding.member, name: founding.name, address: address),
            group: founding.group,
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

    /// Who admits machines that join through this node.
    func admission(_ node: LocalNode, log: Logger) -> Admission {
        let group = Admission.Group(
            clusterID: founding.clusterID,
            founders: founding.founders,
            timers: GroupTimers(
                electionTimeoutMilliseconds: cluster.electionTimeoutMilliseconds,
                heartbeatMilliseconds: cluster.heartbeatMilliseconds,
                stalenessMaxMilliseconds: cluster.stalenessMaxMilliseconds
            ),
            authorityPath: cluster.authorityPath,
            authorityKeyPath: cluster.authorityKeyPath
        )
        let host = Admission.Host(
            group: { node.membersNow },
            add: { node.changeGroup(.add($0), completion: $1) }
        )
        return Admission(group, host: host, log: log)
    }

    /// Where others reach this node.
    var address: String {
        cluster.members.first { $0.name == founding.name }?.address ?? cluster.listen
    }

    /// Joins the connections to the node behind them, and opens them.
    func start(_ peers: Peers, _ node: LocalNode, _ admission: Admission) throws {
        let host = PeerHost(
            incarnation: founding.incarnation,
            history: { (try? node.information().serverVersion) ?? 0 },
            deliver: { node.deliver($0) },
            checkpoint: { message, directory in
                Replica.snapshotMessage(message, of: try node.checkpoint(into: directory))
            },
            receiveSnapshot: { node.receiveSnapshot($0, from: $1, completion: $2) },
            answer: { node.answer($0, completion: $1) },
            admission: admission
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
            let identity = try ClusterIdentity(pem: try DurableFile.text(path))
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
