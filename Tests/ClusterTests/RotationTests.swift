// SPDX-License-Identifier: Apache-2.0

import Cluster
import Foundation
import Identity
import Node
import Raft
import SwiftASN1
import Synchronization
import Testing
import X509

/// New certificates are used without a restart, and bad ones not at all.
@Suite struct RotationTests {
    private func hurry(_ configuration: inout PeersConfiguration) {
        configuration.limits.checkNanoseconds = 20_000_000
        // Longer than a handshake ever takes: an old connection must outlive the making of the new.
        configuration.limits.drainNanoseconds = 120_000_000_000
    }

    @Test("a change of the authority itself, step by step, loses no connection")
    func authority() throws {
        let group = try TestGroup.connected(2, adjust: hurry)
        defer { group.end() }
        let new = try TestAuthority("new authority")
        let old = try group.authority.certificate.serializeAsPEM().pemString
        let both = try old + "\n" + new.certificate.serializeAsPEM().pemString
        for id in [1, 2] as [UInt64] {
            try renewed(group, id) { try write(both, to: group.certificates(id) + "/ca.pem") }
        }
        for id in [1, 2] as [UInt64] {
            try renewed(group, id) {
                let pair = try new.issue(uris: [group.identity(id).uri])
                try write(pair.key, to: group.certificates(id) + "/node.key")
                try write(pair.certificate, to: group.certificates(id) + "/node.pem")
            }
        }
        for id in [1, 2] as [UInt64] {
            try renewed(group, id) {
                let pem = try new.certificate.serializeAsPEM().pemString
                try write(pem, to: group.certificates(id) + "/ca.pem")
            }
        }
        for id in [1, 2] as [UInt64] {
            #expect(try group.host(id).state.withLock { $0.unreachable.isEmpty })
            #expect(try group.host(id).state.withLock { $0.suspected.isEmpty })
        }
        // Who has a certificate of the old authority is a stranger now.
        try group.start(3)
        group.introduce()
        #expect(eventually { (try? group.status(3, of: 1)?.lastError) != nil })
        #expect(try group.status(3, of: 1)?.isConnected == false)
    }

    @Test("files that cannot be used are passed over, and used once they are right")
    func badFiles() throws {
        let group = try TestGroup.connected(2, adjust: hurry)
        defer { group.end() }
        let before = try group.status(1, of: 2)?.connectedSince
        try write("no key", to: group.certificates(1) + "/node.key")
        // The other goes and comes: the old certificate still works.
        let port = try #require(try group.peers(2).listeningPort)
        let host = try group.host(2)
        try group.stop(2)
        try group.start(2, port: port, host: host, adjust: hurry)
        group.introduce()
        #expect(group.isConnected())
        #expect(try group.status(1, of: 2)?.connectedSince != before)
        try renewed(group, 1) {
            try group.authority.write(group.identity(1), to: group.certificates(1))
        }
    }

    private func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    /// Changes files of a member, and waits until its connection is another one that works.
    private func renewed(_ group: TestGroup, _ id: UInt64, _ change: () throws -> Void) throws {
        let other: UInt64 = id == 1 ? 2 : 1
        let before = try group.status(id, of: other)?.connectedSince
        try change()
        #expect(
            eventually {
                let status = try? group.status(id, of: other)
                return status?.isConnected == true && status?.connectedSince != before
            }
        )
        let host = try group.host(other)
        let count = host.received.count
        #expect(
            eventually {
                try? group.peers(id).send([.heartbeat(from: id, to: other, round: 1)])
                return host.received.count > count
            }
        )
    }
}
