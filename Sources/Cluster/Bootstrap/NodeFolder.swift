// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
package import Identity

/// The folder of one node: what `brokerfs serve --config <folder>/brokerfs.yaml` needs.
package struct NodeFolder: Sendable {
    package var founding: Founding
    /// Who is in the group now, this member among them.
    package var members: [GroupMember]
    /// Where this node listens for the others.
    package var listen: String
    package var authority: String
    package var pair: CertificateAuthority.Pair
    /// The authority's key, where this node may admit others (`brokerfs join`).
    package var authorityKey: String?
    package var timers: GroupTimers

    /// Joins the parts.
    package init(
        founding: Founding,
        members: [GroupMember],
        listen: String,
        authority: String,
        pair: CertificateAuthority.Pair,
        authorityKey: String?,
        timers: GroupTimers = GroupTimers()
    ) {
        self.founding = founding
        self.members = members
        self.listen = listen
        self.authority = authority
        self.pair = pair
        self.authorityKey = authorityKey
        self.timers = timers
    }

    /// Writes the folder, which must not be there yet; durable when it returns, or not there.
    ///
    /// The founding file comes last: a folder without it starts nothing.
    package func write(to path: String) throws(BootstrapError) {
        guard try !DurableFile.exists(path) else {
            throw .file(path: path, reason: "is there already; nothing was changed")
        }
        try DurableFile.createDirectory(path, mode: 0o755)
        do throws(BootstrapError) {
            try fill(path)
        } catch {
            try? FileManager.default.removeItem(atPath: path)
            throw error
        }
    }

    private func fill(_ path: String) throws(BootstrapError) {
        for (name, text, mode) in files {
            try DurableFile.create(path + "/" + name, Array(text.utf8), mode: mode)
        }
        try DurableFile.create(
            path + "/founding",
            founding.encoded(),
            mode: DurableFile.publicMode
        )
        try DurableFile.syncDirectory(path)
        try DurableFile.syncDirectory(DurableFile.parent(of: path))
    }

    private var files: [(name: String, text: String, mode: UInt32)] {
        var files = [
            ("brokerfs.yaml", configuration, DurableFile.publicMode),
            ("ca.pem", authority, DurableFile.publicMode),
            ("node.pem", pair.certificate, DurableFile.publicMode),
            ("node.key", pair.key, DurableFile.secretMode),
        ]
        if let authorityKey { files.append(("ca.key", authorityKey, DurableFile.secretMode)) }
        return files
    }

    /// The text of `brokerfs.yaml`.
    var configuration: String {
        """
        # SPDX-License-Identifier: Apache-2.0
        # One node of a brokerfs cluster. Run it with: brokerfs serve --config brokerfs.yaml
        # Relative paths are seen from the folder of this file.

        # The name of this node: in cluster/nodes/ and in its certificate. It does not change.
        node: \(founding.name)
        # The log and the state, made at the first start. Put it on a disk of its own if you can.
        # Never copy it to another machine, nor bring an old copy back: such a member has forgotten
        # what it acknowledged. A lost one must not start again as the same member.
        data: data
        # Where the files are shown; a relative directory is made if it is missing.
        mount: mnt

        cluster:
          # Which cluster this is; certificates and the data directory say the same.
          id: \(founding.clusterID)
          # Where the other members reach this node: TCP, mutual TLS 1.3, nothing else.
          listen: "\(listen)"
          # Who is in the group, with the addresses the others dial. Used until the log says more;
          # members that come and go later are in the log (brokerfs cluster members).
          members: \(MemberList.text(members))
          tls:
            # The authority of the cluster; whoever has its key can make members.
            ca: ca.pem
            # Who this node is. Read again when they change: no restart is needed.
            certificate: node.pem
            key: node.key
        \(authorityKeyLines)
          # Allows one start on an empty data directory, and becomes founding.used by it.
          founding: founding
          # A follower that has heard nothing of a leader for 1 to 2 times this asks for votes.
          # Longer is calmer on a slow network, and slower to take over. The same on all nodes.
          election_timeout_ms: \(timers.electionTimeoutMilliseconds)
          # How often a leader says that it is there; at most a fifth of the election timeout.
          heartbeat_ms: \(timers.heartbeatMilliseconds)
          # How old what a mount shows may be. Past it reads answer "Stale file handle" (ESTALE).
          # At least twice the election timeout, or every failover is seen as staleness.
          max_staleness_ms: \(timers.stalenessMaxMilliseconds)
          # Writes on the mount of a node that does not lead: refuse (EROFS), revocations (only what
          # takes access away goes to the leader), all. The command line reaches the leader anyway.
          follower_writes: refuse

        """
    }

    private var authorityKeyLines: String {
        guard authorityKey != nil else {
            return """
                    # With the authority's key this node makes tokens for others by itself; without
                    # it the key is handed over for each: brokerfs cluster token --ca-key FILE
                    # ca_key: ca.key
                """
        }
        return """
                # The authority's key, for admitting others (brokerfs cluster token). Remove the
                # file and this line if that shall take the key that is kept offline.
                ca_key: ca.key
            """
    }
}
