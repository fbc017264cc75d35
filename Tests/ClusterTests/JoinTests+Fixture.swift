// SPDX-License-Identifier: Apache-2.0

import Cluster
import Identity
import Logging
import Node
import Replica
import Synchronization

/// A node of a group of three that admits others; the group is a fake.
final class AdmittingNode {
    struct Group {
        var members = Sample.members
        var additionsCount = 0
        /// What the leader says of an addition; nil: it is done.
        var failure: ProposalError?
        /// Whether an addition happens, whatever is said of it.
        var isCarriedOut = true
    }

    /// Shared with the closures, which outlive nothing here.
    final class State: Sendable {
        let group = Mutex(Group())
    }

    let state = State()
    let directory: TemporaryDirectory
    let folders: ClusterFolders
    let admission: Admission
    let peers: Peers
    private let log: Logger

    init(clusterID: String = Sample.clusterID) throws {
        directory = try TemporaryDirectory()
        var log = Logger(label: "test")
        log.logLevel = .critical
        self.log = log
        folders = try ClusterFolders(
            clusterID: clusterID,
            members: Sample.members,
            nodesAdmit: true,
            now: Clock.wall()
        )
        try folders.write(to: directory.path + "/c")
        let folder = directory.path + "/c/n1"
        let state = state
        admission = Admission(
            Admission.Group(
                clusterID: clusterID,
                founders: Sample.members,
                timers: GroupTimers(electionTimeoutMilliseconds: 500),
                authorityPath: folder + "/ca.pem",
                authorityKeyPath: folder + "/ca.key"
            ),
            host: Admission.Host(
                group: { state.group.withLock { $0.members } },
                add: { state.add($0, $1) }
            ),
            log: log,
            visibleNanoseconds: 50_000_000
        )
        peers = Self.peers(folder, Sample.members[0], clusterID, log)
        var host = FakeHost().peerHost
        host.admission = admission
        try peers.start(host)
    }

    deinit { peers.stop() }

    /// Where it listens.
    var address: HostPort {
        get throws { try HostPort("127.0.0.1:\(peers.listeningPort ?? 0)") }
    }

    /// Makes a token and joins with it.
    func join(
        _ token: JoinToken,
        name: String = "n4",
        address own: String = "127.0.0.1:7704"
    ) async throws -> NodeFolder {
        try await JoinClient(address, token).join(name: name, address: try HostPort(own))
    }

    func token(name: String = "") throws -> JoinToken {
        try admission.issue(name: name, seconds: 600, authorityKey: "")
    }

    /// The connections of a member whose folder is written; not started.
    func peers(of folder: NodeFolder, at path: String) throws -> Peers {
        try folder.write(to: path)
        let founding = folder.founding
        let member = GroupMember(id: founding.member, name: founding.name, address: "127.0.0.1:1")
        return Self.peers(path, member, founding.clusterID, log)
    }

    private static func peers(
        _ folder: String,
        _ member: GroupMember,
        _ clusterID: String,
        _ log: Logger
    ) -> Peers {
        var configuration = PeersConfiguration(
            clusterID: clusterID,
            member: member,
            group: [],
            listen: "127.0.0.1:0",
            tls: TLSFiles(
                authority: folder + "/ca.pem",
                certificate: folder + "/node.pem",
                key: folder + "/node.key"
            ),
            dataDirectory: folder
        )
        // Handshakes of debug builds on a busy machine are no matter of these tests.
        configuration.electionTimeoutNanoseconds = 2_000_000_000
        configuration.limits.handshakeNanoseconds = 120_000_000_000
        return Peers(configuration, log: log)
    }
}

extension AdmittingNode.State {
    fileprivate func add(
        _ member: GroupMember,
        _ completion: @Sendable (Result<Applied, ProposalError>) -> Void
    ) {
        let failure = group.withLock { group in
            group.additionsCount += 1
            if group.isCarriedOut {
                var member = member
                member.id = UInt64(group.members.count + 1)
                group.members.append(member)
            }
            return group.failure
        }
        if let failure { return completion(.failure(failure)) }
        completion(.success(Applied(recordVersion: 0, count: 1)))
    }
}
