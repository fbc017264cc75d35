// SPDX-License-Identifier: Apache-2.0

@testable import Cluster
import Crypto
import Foundation
import Identity
import Raft
import Testing

/// What a receiver takes of a copy, chunk by chunk.
@Suite struct IncomingSnapshotTests {
    private let parent: String
    private let content = Data((0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
    private var limits = SnapshotLimits()

    init() throws {
        parent = NSTemporaryDirectory() + "brokerfs-incoming-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        limits.chunkBytes = 400
    }

    private func end() { try? FileManager.default.removeItem(atPath: parent) }

    private func file(_ name: String, _ data: Data) -> SnapshotFiles.File {
        SnapshotFiles.File(
            name: name,
            bytes: UInt64(data.count),
            sha256: Array(SHA256.hash(data: data))
        )
    }

    private func offer(_ files: [SnapshotFiles.File]) -> SnapshotOffer {
        let snapshot = Snapshot(
            position: LogPosition(index: 5, term: 2),
            configuration: Configuration(voters: [MemberID(1)])
        )
        let message = Raft.Message(
            from: MemberID(1),
            to: MemberID(2),
            term: 3,
            kind: .snapshot(snapshot)
        )
        return SnapshotOffer(id: [UInt8](repeating: 9, count: 16), message: message, files: files)
    }

    private func chunk(
        _ file: UInt32,
        _ range: Range<Int>,
        change: (inout Brokerfs_Peer_SnapshotChunk) -> Void = { _ in }
    ) -> Brokerfs_Peer_SnapshotChunk {
        var chunk = Brokerfs_Peer_SnapshotChunk()
        chunk.file = file
        chunk.offset = UInt64(range.lowerBound)
        chunk.data = content[range]
        chunk.sha256 = Data(SHA256.hash(data: chunk.data))
        change(&chunk)
        return chunk
    }

    private func begin(_ offer: SnapshotOffer) throws -> IncomingSnapshot {
        let transfer = try IncomingSnapshot(offer, in: parent, claim: 1, limits: limits)
        _ = try transfer.attach(offer, 1)
        return transfer
    }

    @Test("only the next chunk is taken, and only as its hash says")
    func chunks() throws {
        defer { end() }
        let offer = offer([file("a", content), file("empty", Data()), file("b", content[..<400])])
        let transfer = try begin(offer)
        try transfer.write(chunk(0, 0..<400), 1)
        let bad = [
            chunk(0, 0..<400), chunk(0, 800..<1000), chunk(1, 400..<800), chunk(9, 400..<800),
            chunk(0, 400..<400), chunk(0, 400..<801),
            chunk(0, 400..<800) { $0.data[$0.data.startIndex] ^= 1 },
            chunk(0, 400..<800) { $0.sha256 = Data() },
            chunk(0, 400..<800) { $0.offset = .max },
            chunk(0, 400..<800) { $0.file = .max },
        ]
        for chunk in bad {
            #expect(throws: SnapshotError.self) { try transfer.write(chunk, 1) }
        }
        #expect(throws: SnapshotError.badChunk("there are files missing")) {
            _ = try transfer.finish(1)
        }
        // None of that has spoiled what was there.
        try transfer.write(chunk(0, 400..<800), 1)
        try transfer.write(chunk(0, 800..<1000), 1)
        try transfer.write(chunk(2, 0..<400), 1)
        #expect(throws: SnapshotError.self) { try transfer.write(chunk(3, 0..<400), 1) }
        #expect(try transfer.finish(1) == offer.message)
        #expect(FileManager.default.contents(atPath: transfer.directory + "/a") == content)
        #expect(FileManager.default.contents(atPath: transfer.directory + "/empty") == Data())
        #expect(
            FileManager.default.contents(atPath: transfer.directory + "/b") == content[..<400]
        )
        #expect(throws: SnapshotError.superseded) { _ = try transfer.finish(1) }
    }

    @Test("a later connection goes on where the one before it was, which writes no more")
    func claims() throws {
        defer { end() }
        let offer = offer([file("a", content)])
        let transfer = try begin(offer)
        try transfer.write(chunk(0, 0..<400), 1)
        transfer.detach(1, now: 5)
        #expect(transfer.detachedAt == 5)
        let resume = try transfer.attach(offer, 2)
        #expect(resume.file == 0 && resume.offset == 400)
        #expect(transfer.detachedAt == nil)
        #expect(throws: SnapshotError.superseded) { try transfer.write(chunk(0, 400..<800), 1) }
        transfer.detach(1, now: 6)
        #expect(transfer.detachedAt == nil)
        try transfer.write(chunk(0, 400..<800), 2)
        try transfer.write(chunk(0, 800..<1000), 2)
        _ = try transfer.finish(2)
    }

    @Test("a file that is not what the offer says spoils the copy")
    func corrupt() throws {
        defer { end() }
        var wrong = file("a", content)
        wrong.sha256[0] ^= 1
        let transfer = try begin(offer([wrong]))
        try transfer.write(chunk(0, 0..<400), 1)
        try transfer.write(chunk(0, 400..<800), 1)
        #expect(throws: SnapshotError.corrupt(file: "a")) {
            try transfer.write(chunk(0, 800..<1000), 1)
        }
        try transfer.abandon()
        #expect(!FileManager.default.fileExists(atPath: transfer.directory))
        #expect(throws: SnapshotError.superseded) { try transfer.write(chunk(0, 0..<400), 1) }
    }

    @Test("offers with names that lead elsewhere, too much, or too little are refused")
    func offers() throws {
        defer { end() }
        let good = file("000001.sst", content)
        func refused(_ change: (inout Brokerfs_Peer_SnapshotOffer) -> Void) -> Bool {
            var wire = offer([good]).wire
            change(&wire)
            do {
                _ = try SnapshotOffer(wire, from: MemberID(1), to: MemberID(2), limits: limits)
                return false
            } catch {
                return true
            }
        }
        #expect(!refused { _ in })
        for name in [
            "", ".", "..", "../x", "a/b", "/etc/passwd", ".hidden", "a..b", "a\0b", "a b", "a\n",
            String(repeating: "x", count: 65), "ä", "C:\\x",
        ] {
            #expect(refused { $0.files[0].name = name }, "\(name)")
        }
        #expect(refused { $0.files = [] })
        #expect(refused { $0.files = [$0.files[0], $0.files[0]] })
        #expect(refused { $0.files[0].bytes = .max })
        #expect(refused { $0.files[0].sha256 = Data() })
        #expect(refused { $0.id = Data() })
        #expect(refused { $0.message.kind = .timeoutNow(.init()) })
        #expect(refused { $0.message.from = 3 })
        #expect(
            refused { wire in
                wire.files = (0..<3).map { number in
                    var file = wire.files[0]
                    (file.name, file.bytes) = ("f\(number)", limits.bytesMax / 2)
                    return file
                }
            }
        )
        #expect(
            refused { wire in
                wire.files = (0...limits.filesMax).map { number in
                    var file = wire.files[0]
                    (file.name, file.bytes) = ("f\(number)", 0)
                    return file
                }
            }
        )
    }

    @Test("a name that is there already is not written over, and a link not followed")
    func existing() throws {
        defer { end() }
        let transfer = try begin(offer([file("a", content)]))
        let outside = parent + "/outside"
        try FileManager.default.createSymbolicLink(
            atPath: transfer.directory + "/a",
            withDestinationPath: outside
        )
        #expect(throws: SnapshotError.self) { try transfer.write(chunk(0, 0..<400), 1) }
        #expect(!FileManager.default.fileExists(atPath: outside))
    }
}
