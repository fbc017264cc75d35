// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Everybody at once on the same names, with an oracle.
@Suite(.serialized) struct OracleTests {
    private struct Report: Decodable {
        var created: Int
        var revoked: Int
        var reads: Int
        var lists: Int
        var violations: Int
    }

    /// How long; a soak sets minutes.
    private static let seconds =
        ProcessInfo.processInfo.environment["BROKERFS_SOAK_SECONDS"].flatMap(Int.init) ?? 8

    @Test("no content after a revocation, no name after the bound, no entry lost or twice")
    func oracle() throws {
        let node = try MountedNode(settings: "brake: {unlinks: 0}")
        try Shell.check("mkdir \(node.root)/notes")
        try Oracle.script.write(
            toFile: node.root + "/oracle.py",
            atomically: true,
            encoding: .utf8
        )
        let text = try Shell.check(
            "python3 \(node.root)/oracle.py \(node.mount) \(MountedNode.binary) \(node.data)"
                + " \(Self.seconds) \(node.root)/notes",
            seconds: Self.seconds * 2 + 60
        )
        let report = try JSONDecoder().decode(Report.self, from: Data(text.utf8))
        #expect(report.violations == 0, "\(text)")
        #expect(report.created > 100 && report.revoked > 50, "\(text)")
        #expect(report.reads > 100 && report.lists > 20, "\(text)")
        if Self.seconds > 60 { print(text) }
        try expectNoLeak(node)
    }

    /// What the kernel has looked up it gives back: nothing is left but what is in use.
    private func expectNoLeak(_ node: MountedNode) throws {
        var known = 0
        for _ in 0..<50 {
            try "2\n".write(toFile: "/proc/sys/vm/drop_caches", atomically: false, encoding: .utf8)
            known = try #require(try MountReport.all(of: node).first).inodes
            if known <= 3 { return }
            usleep(200_000)
        }
        Issue.record("the kernel has let go of everything, and \(known) inodes are still counted")
    }
}
