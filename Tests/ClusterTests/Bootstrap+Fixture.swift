// SPDX-License-Identifier: Apache-2.0

import Cluster
import Foundation
import Identity

/// A directory that goes with the test.
final class TemporaryDirectory {
    let path: String

    init() throws {
        let base = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        path = "\(base)/brokerfs-bootstrap-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: path,
            withIntermediateDirectories: true
        )
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func text(_ name: String) throws -> String {
        try String(contentsOfFile: "\(path)/\(name)", encoding: .utf8)
    }

    func mode(_ name: String) throws -> Int? {
        let attributes = try FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")
        return (attributes[.posixPermissions] as? NSNumber)?.intValue
    }

    func names(_ directory: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(path)/\(directory)").sorted()
    }
}

enum Sample {
    static let clusterID = "0e3d1c5a-8a55-4b3e-9d59-0a2f3f1c7b11"
    static let otherClusterID = "7c1f4a66-53c5-4b6b-8f5e-5d1a2b3c4d5e"
    static let now = Timestamp(seconds: 1_795_000_000)

    static let members = [
        GroupMember(id: 1, name: "n1", address: "10.0.0.1:7701"),
        GroupMember(id: 2, name: "n2", address: "node-2.example.com:7701"),
        GroupMember(id: 3, name: "n3", address: "[fd00::3]:7701"),
    ]

    static func identity(_ member: UInt64, cluster: String = clusterID) -> ClusterIdentity {
        ClusterIdentity(clusterID: cluster, member: member, name: "n\(member)")
    }

    static func founding(_ member: UInt64, cluster: String = clusterID) -> Founding {
        Founding(
            clusterID: cluster,
            member: member,
            name: "n\(member)",
            incarnation: 4711,
            founders: members
        )
    }
}
