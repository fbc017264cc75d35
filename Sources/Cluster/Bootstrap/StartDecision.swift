// SPDX-License-Identifier: Apache-2.0

/// Whether a node may start on the data directory it finds (guarantee G7).
///
/// A directory that is lost, and then made anew and empty, must not vote again under the old
/// number: what it had acknowledged is gone. So an empty one is only taken where the founding file
/// allows it, and the first start uses that up.
package enum StartDecision: Equatable, Sendable {
    /// A node on its own, which has no founding file.
    case startAlone
    /// The directory is this member's; a founding file that a crash left over is to be used up.
    case start(Founding, usesUpFounding: Bool)
    /// The directory is empty and may be begun.
    case found(Founding)
    case refuse(Refusal)

    /// Why a node does not start.
    package enum Refusal: Error, Equatable, Sendable {
        /// The directory is that of a member, and the configuration has no cluster.
        case needsCluster(Founding)
        /// The directory is that of a node on its own.
        case isAlone
        /// It is that of another cluster or member.
        case otherDirectory(found: ClusterIdentity, configured: ClusterIdentity)
        /// The founding file is that of another cluster or member.
        case otherFounding(found: ClusterIdentity, configured: ClusterIdentity)
        /// Empty, or without its log, and no founding file is there.
        case lost(ClusterIdentity)
    }

    /// What is found.
    package struct Facts: Equatable, Sendable {
        /// What `<data>/cluster` says.
        package var record: Founding?
        /// Whether the member's term and vote are there.
        package var hasMemberFile: Bool
        /// What the founding file says; nil where there is none.
        package var founding: Founding?

        /// Joins what was found.
        package init(record: Founding?, hasMemberFile: Bool, founding: Founding?) {
            self.record = record
            self.hasMemberFile = hasMemberFile
            self.founding = founding
        }
    }

    /// Decides; `configured` is who the certificate says the node is, nil for a node on its own.
    package static func decide(_ facts: Facts, configured: ClusterIdentity?) -> StartDecision {
        guard let configured else {
            return facts.record.map { .refuse(.needsCluster($0)) } ?? .startAlone
        }
        if let record = facts.record, record.identity != configured {
            return .refuse(.otherDirectory(found: record.identity, configured: configured))
        }
        if let founding = facts.founding, founding.identity != configured {
            return .refuse(.otherFounding(found: founding.identity, configured: configured))
        }
        if facts.hasMemberFile {
            guard let record = facts.record else { return .refuse(.isAlone) }
            return .start(record, usesUpFounding: facts.founding != nil)
        }
        // A record without a log: the first start was interrupted, or the log was lost since.
        guard let founding = facts.founding else { return .refuse(.lost(configured)) }
        return .found(founding)
    }
}

extension StartDecision.Refusal: CustomStringConvertible {
    package var description: String {
        switch self {
        case .needsCluster(let record):
            """
            the data directory is that of member \(record.member) (\(record.name)) of the cluster \
            \(record.clusterID), and the configuration has no cluster section; start it with the \
            brokerfs.yaml that belongs to it
            """
        case .isAlone:
            """
            the data directory is that of a node on its own, which is not a member of any cluster. \
            Take an empty data directory, and load what a running node has (brokerfs load)
            """
        case .otherDirectory(let found, let configured):
            """
            the data directory belongs to \(found.uri), and this node is \(configured.uri); a \
            member keeps its directory and its number
            """
        case .otherFounding(let found, let configured):
            """
            the founding file belongs to \(found.uri), and this node is \(configured.uri); use the \
            folder that was made for this node as a whole
            """
        case .lost(let configured):
            """
            the data directory is empty, and there is no founding file that allows a first start. \
            If the disk of member \(configured.member) (\(configured.name)) was lost, it must not \
            vote again: it no longer knows what it acknowledged. On a running node: brokerfs \
            cluster remove \(configured.name), then brokerfs cluster token; here: brokerfs join, \
            which makes a new member under a new number. If the directory is elsewhere or not \
            mounted, set `data`
            """
        }
    }
}
