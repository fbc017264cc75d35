// SPDX-License-Identifier: Apache-2.0

import Foundation
package import Identity

/// The folders of a new cluster, one for each node, and the authority's key.
package struct ClusterFolders: Sendable {
    package let clusterID: String
    package let folders: [NodeFolder]
    let authority: CertificateAuthority.Pair

    /// Makes keys and certificates for all members, in memory.
    ///
    /// With `nodesAdmit` each node gets the authority's key, so that it can admit others.
    package init(
        clusterID: String,
        members: [GroupMember],
        nodesAdmit: Bool,
        now: Timestamp
    ) throws(BootstrapError) {
        let authority = try CertificateAuthority(clusterID: clusterID, now: now)
        let pair = try authority.encoded()
        var folders: [NodeFolder] = []
        for member in members {
            let address = try HostPort(member.address)
            let founding = Founding(
                clusterID: clusterID,
                member: member.id,
                name: member.name,
                incarnation: Founding.newIncarnation(),
                founders: members
            )
            folders.append(
                NodeFolder(
                    founding: founding,
                    members: members,
                    listen: address.anywhere,
                    authority: pair.certificate,
                    pair: try authority.issue(founding.identity, host: address.host, now: now),
                    authorityKey: nodesAdmit ? pair.key : nil
                )
            )
        }
        self.clusterID = clusterID
        self.folders = folders
        self.authority = pair
    }

    /// Writes all below `directory`, which is made where it is missing.
    ///
    /// Throws, and writes nothing, where one of the names is taken; what was written before another
    /// failure is taken away again.
    package func write(to directory: String) throws(BootstrapError) {
        let keyPath = directory + "/ca.key"
        for path in folders.map({ directory + "/" + $0.founding.name }) + [keyPath]
        where try DurableFile.exists(path) {
            throw .file(path: path, reason: "is there already; nothing was changed")
        }
        try DurableFile.makeDirectory(directory, mode: 0o755)
        var written: [String] = []
        do throws(BootstrapError) {
            for folder in folders {
                try folder.write(to: directory + "/" + folder.founding.name)
                written.append(directory + "/" + folder.founding.name)
            }
            try DurableFile.create(
                keyPath,
                Array(authority.key.utf8),
                mode: DurableFile.secretMode
            )
            try DurableFile.syncDirectory(directory)
        } catch {
            for path in written { try? FileManager.default.removeItem(atPath: path) }
            throw error
        }
    }
}
