// SPDX-License-Identifier: Apache-2.0

import Cluster
import Identity

/// Whether this node may start as the member it says it is, and how it begins.
struct ClusterStart {
    let identity: MemberIdentity
    /// What the data directory says, or will say after a first start.
    let founding: Founding
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
        self.identity = founding.identity
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
    ) throws -> MemberIdentity {
        let path = cluster.certificatePath
        do {
            guard let bytes = try DurableFile.read(path) else {
                throw BootstrapError.file(path: path, reason: "is not there")
            }
            let identity = try MemberIdentity(pem: String(decoding: bytes, as: UTF8.self))
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
