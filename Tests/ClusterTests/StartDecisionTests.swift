// SPDX-License-Identifier: Apache-2.0

import Cluster
import Foundation
import Testing

struct StartDecisionTests {
    private let mine = Sample.founding(1)
    private let me = Sample.identity(1)

    private func decide(
        record: Founding? = nil,
        log: Bool,
        founding: Founding? = nil,
        as configured: ClusterIdentity? = Sample.identity(1)
    ) -> StartDecision {
        StartDecision.decide(
            .init(record: record, hasMemberFile: log, founding: founding),
            configured: configured
        )
    }

    @Test("a directory that is there starts; an empty one only with a founding file")
    func starts() {
        #expect(decide(record: mine, log: true) == .start(mine, usesUpFounding: false))
        #expect(decide(log: false, founding: mine) == .found(mine))
        #expect(decide(log: false) == .refuse(.lost(me)))
    }

    @Test("what a crash left of the first start is ended: the founding file goes after the log")
    func interrupted() {
        // Recorded, and no log yet.
        #expect(decide(record: mine, log: false, founding: mine) == .found(mine))
        // The log is there, and the founding file not yet used up.
        let ended = StartDecision.start(mine, usesUpFounding: true)
        #expect(decide(record: mine, log: true, founding: mine) == ended)
    }

    @Test("a log that was lost is not begun anew, even where the record is left")
    func lostLog() {
        #expect(decide(record: mine, log: false) == .refuse(.lost(me)))
    }

    @Test("the directory of another cluster or member is refused, whatever else is there")
    func otherDirectory() {
        for other in [Sample.founding(2), Sample.founding(1, cluster: Sample.otherClusterID)] {
            let refusal = StartDecision.refuse(
                .otherDirectory(found: other.identity, configured: me)
            )
            for log in [true, false] {
                #expect(decide(record: other, log: log) == refusal)
                #expect(decide(record: other, log: log, founding: mine) == refusal)
            }
        }
    }

    @Test("the founding file of another cluster or member is refused")
    func otherFounding() {
        for other in [Sample.founding(2), Sample.founding(1, cluster: Sample.otherClusterID)] {
            let refusal = StartDecision.refuse(
                .otherFounding(found: other.identity, configured: me)
            )
            #expect(decide(log: false, founding: other) == refusal)
            #expect(decide(record: mine, log: true, founding: other) == refusal)
        }
    }

    @Test("a node on its own and a member never take each other's directory")
    func alone() {
        #expect(decide(log: true) == .refuse(.isAlone))
        #expect(decide(log: true, founding: mine) == .refuse(.isAlone))
        #expect(decide(log: true, as: nil) == .startAlone)
        #expect(decide(log: false, as: nil) == .startAlone)
        #expect(decide(record: mine, log: true, as: nil) == .refuse(.needsCluster(mine)))
        #expect(decide(record: mine, log: false, as: nil) == .refuse(.needsCluster(mine)))
    }

    @Test("a refusal says what to do")
    func words() {
        #expect("\(StartDecision.Refusal.lost(me))".contains("brokerfs join"))
        #expect("\(StartDecision.Refusal.lost(me))".contains("cluster remove n1"))
        #expect("\(StartDecision.Refusal.needsCluster(mine))".contains("brokerfs.yaml"))
    }
}

struct FoundingFileTests {
    private func begun(_ directory: TemporaryDirectory) throws -> FoundingFile {
        let path = directory.path + "/founding"
        try DurableFile.create(path, Sample.founding(1).encoded(), mode: DurableFile.publicMode)
        return FoundingFile(path: path, dataDirectory: directory.path + "/data")
    }

    @Test("what is written is read again")
    func roundTrip() throws {
        let founding = Sample.founding(3)
        #expect(try Founding(decoding: founding.encoded(), at: "x") == founding)
    }

    @Test("one that is torn, empty or of no member is refused")
    func unreadable() {
        let whole = Sample.founding(1).encoded()
        var other = Sample.founding(1)
        other.name = "../n1"
        var nobody = Sample.founding(1)
        nobody.member = 0
        let texts = [
            [], Array("{}".utf8), Array(whole.dropLast(20)), other.encoded(), nobody.encoded(),
        ]
        for text in texts {
            #expect(throws: BootstrapError.self) { try Founding(decoding: text, at: "x") }
        }
    }

    @Test("it is used up only when the member's file is there, and then for good")
    func use() throws {
        let directory = try TemporaryDirectory()
        let file = try begun(directory)
        let founding = Sample.founding(1)
        #expect(
            try file.facts()
                == .init(record: nil, hasMemberFile: false, founding: founding)
        )
        try file.record(founding)
        #expect(throws: BootstrapError.self) { try file.use() }
        #expect(try directory.names() == ["data", "founding"])
        try FileManager.default.createDirectory(
            atPath: directory.path + "/data/log",
            withIntermediateDirectories: false
        )
        try DurableFile.create(
            directory.path + "/data/log/member",
            [1],
            mode: DurableFile.secretMode
        )
        try file.use()
        #expect(try directory.names() == ["data", "founding.used"])
        #expect(
            try file.facts() == .init(record: founding, hasMemberFile: true, founding: nil)
        )
        // Idempotent: a start that finds nothing to use up is an ordinary one.
        try file.use()
        try FileManager.default.removeItem(atPath: directory.path + "/data")
        let facts = try file.facts()
        let decision = StartDecision.decide(facts, configured: Sample.identity(1))
        #expect(decision == .refuse(.lost(Sample.identity(1))))
    }

    @Test("a data directory that cannot be looked at is not taken for an empty one")
    func unreachable() throws {
        let directory = try TemporaryDirectory()
        try DurableFile.create(directory.path + "/data", [], mode: DurableFile.publicMode)
        let file = try begun(directory)
        #expect(throws: BootstrapError.self) { try file.facts() }
    }
}
