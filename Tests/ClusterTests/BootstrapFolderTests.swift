// SPDX-License-Identifier: Apache-2.0

import Cluster
import Foundation
import Identity
import Testing

struct BootstrapFolderTests {
    private func folders(nodesAdmit: Bool = true) throws -> ClusterFolders {
        try ClusterFolders(
            clusterID: Sample.clusterID,
            members: Sample.members,
            nodesAdmit: nodesAdmit,
            now: Sample.now
        )
    }

    @Test("each node has its folder, and keys are for their owner only")
    func files() throws {
        let directory = try TemporaryDirectory()
        try folders().write(to: directory.path + "/out")
        #expect(try directory.names("out") == ["ca.key", "n1", "n2", "n3"])
        #expect(try directory.mode("out/ca.key") == 0o600)
        for node in ["n1", "n2", "n3"] {
            let expected: [(String, Int)] = [
                ("brokerfs.yaml", 0o644), ("ca.key", 0o600), ("ca.pem", 0o644),
                ("founding", 0o644), ("node.key", 0o600), ("node.pem", 0o644),
            ]
            #expect(try directory.names("out/\(node)") == expected.map(\.0))
            for (file, mode) in expected {
                #expect(try directory.mode("out/\(node)/\(file)") == mode, "\(node)/\(file)")
            }
            #expect(try directory.mode("out/\(node)") == 0o755)
        }
    }

    @Test("the files of a node agree on who it is")
    func agreement() throws {
        let directory = try TemporaryDirectory()
        try folders().write(to: directory.path)
        for member in Sample.members {
            let pem = try directory.text("\(member.name)/node.pem")
            #expect(try ClusterIdentity(pem: pem) == Sample.identity(member.id))
            let path = "\(directory.path)/\(member.name)/founding"
            let bytes = try #require(try DurableFile.read(path))
            let founding = try Founding(decoding: bytes, at: path)
            #expect(founding.identity == Sample.identity(member.id))
            #expect(founding.founders == Sample.members)
            #expect(founding.isFounder)
        }
    }

    @Test("a second time is refused, and nothing is changed")
    func twice() throws {
        let directory = try TemporaryDirectory()
        try folders().write(to: directory.path)
        let before = try directory.text("n2/founding")
        #expect(throws: BootstrapError.self) { try folders().write(to: directory.path) }
        #expect(try directory.text("n2/founding") == before)
        try FileManager.default.removeItem(atPath: directory.path + "/n1")
        #expect(throws: BootstrapError.self) { try folders().write(to: directory.path) }
        #expect(try directory.names() == ["ca.key", "n2", "n3"])
        #expect(try directory.text("n2/founding") == before)
    }

    @Test("an offline authority leaves its key with nobody")
    func offline() throws {
        let directory = try TemporaryDirectory()
        try folders(nodesAdmit: false).write(to: directory.path)
        #expect(try !directory.names("n1").contains("ca.key"))
        #expect(try directory.names().contains("ca.key"))
        #expect(try directory.text("n1/brokerfs.yaml").contains("# ca_key: ca.key"))
    }
}
