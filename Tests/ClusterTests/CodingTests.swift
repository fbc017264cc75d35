// SPDX-License-Identifier: Apache-2.0

@testable import Cluster
import Foundation
import Identity
import NIOCore
import Node
import Raft
import Replica
import Samples
import SwiftProtobuf
import Testing

/// What goes out comes in as it was; what nobody sends is refused and traps nowhere.
@Suite struct CodingTests {
    private let own = MemberID(2)
    private let sender = MemberID(1)
    private static let frameBytesMax = PeerLimits().frameBytesMax

    private func frame(_ kind: Brokerfs_Peer_Frame.OneOf_Kind) throws -> ByteBuffer {
        var buffer = ByteBuffer()
        try PeerFraming.append(kind, to: &buffer, frameBytesMax: Self.frameBytesMax)
        let length = buffer.readInteger(as: UInt32.self)
        #expect(length.map { Int($0) } == buffer.readableBytes)
        return buffer
    }

    @Test("every kind of message of the core survives the wire", arguments: 1...20)
    func messages(seed: Int) throws {
        var random = RandomMessages(seed: UInt64(seed))
        for kind in 0..<RandomMessages.kindsCount {
            for _ in 0..<20 {
                let message = random.message(kind, from: sender, to: own)
                let decoded = try PeerFraming.decode(frame(.raft(Brokerfs_Peer_Raft(message))))
                guard case .raft(let wire) = decoded else {
                    Issue.record("another kind of frame")
                    return
                }
                #expect(try Raft.Message(wire, from: sender, to: own) == message)
            }
        }
    }

    @Test("questions and answers survive the wire", arguments: 1...20)
    func asks(seed: Int) throws {
        var random = RandomMessages(seed: UInt64(seed))
        for _ in 0..<100 {
            let (request, answer, number) = (random.request(), random.answer(), random.number())
            guard
                case .ask(let ask) = try PeerFraming.decode(
                    frame(.ask(Brokerfs_Peer_Ask(request, number: number)))
                ),
                case .answer(let wire) = try PeerFraming.decode(
                    frame(.answer(Brokerfs_Peer_Answer(answer, number: number)))
                )
            else {
                Issue.record("another kind of frame")
                return
            }
            #expect(try PeerRequest(ask) == request)
            #expect(try PeerAnswer(wire) == answer)
            #expect(ask.number == number && wire.number == number)
        }
    }

    @Test("every error of a proposal survives the wire", arguments: RandomMessages.errors)
    func errors(_ error: ProposalError) throws {
        let wire = Brokerfs_Peer_Answer(.failed(error), number: 1)
        #expect(try PeerAnswer(wire) == .failed(error))
    }

    @Test("a reason that is too long is cut, not refused")
    func longReason() throws {
        let long = String(repeating: "ä", count: 10_000)
        let wire = Brokerfs_Peer_Answer(.failed(.io(long)), number: 1)
        guard case .failed(.io(let reason)) = try PeerAnswer(wire) else {
            Issue.record("another answer")
            return
        }
        #expect(reason.hasPrefix("ääää") && reason.utf8.count <= 4096)
    }

    @Test("nobody speaks for another member, or to another")
    func wrongMember() throws {
        let message = Raft.Message(from: sender, to: own, term: 1, kind: .timeoutNow)
        let wire = Brokerfs_Peer_Raft(message)
        #expect(throws: PeerCodingError.wrongMember(1)) {
            _ = try Raft.Message(wire, from: MemberID(3), to: own)
        }
        #expect(throws: PeerCodingError.wrongMember(2)) {
            _ = try Raft.Message(wire, from: sender, to: MemberID(3))
        }
    }

    @Test("numbers beyond the bound, missing parts and unknown kinds are refused")
    func outOfBounds() throws {
        let beyond = PeerBoundsForTests.countMax + 1
        let changes: [(inout Brokerfs_Peer_Raft) -> Void] = [
            { $0.term = beyond },
            { $0.kind = nil },
            { $0.preVote.index = beyond },
            { $0.preVote.term = beyond },
            { $0.vote = Brokerfs_Peer_Vote() },
            { $0.heartbeat = Brokerfs_Peer_Heartbeat() },
            { $0.heartbeatReply.stamp = Brokerfs_Peer_Stamp() },
            { $0.heartbeat = .with { $0.stamp = .init(); $0.commit = beyond } },
            { $0.heartbeat = .with { $0.stamp = .init(); $0.echo = .with { $0.index = 1 } } },
            { $0.append = .with { $0.stamp = .init() } },
            { $0.append = .with { $0.stamp = .init(); $0.previous = .init(); $0.commit = beyond } },
            {
                $0.append = .with {
                    $0.stamp = .init()
                    $0.previous = .with { $0.index = beyond - 1 }
                    $0.entries = [.with { $0.empty = .init() }]
                }
            },
            {
                $0.append = .with {
                    $0.stamp = .init()
                    $0.previous = .init()
                    $0.entries = [.with { $0.term = beyond; $0.empty = .init() }]
                }
            },
            {
                $0.append = .with {
                    $0.stamp = .init()
                    $0.previous = .init()
                    $0.entries = [Brokerfs_Peer_Entry()]
                }
            },
            { $0.snapshot = .with { $0.position = .init() } },
            {
                $0.snapshot = .with {
                    $0.position = .init()
                    $0.configuration = .with { $0.voters = [0] }
                }
            },
            {
                $0.snapshot = .with {
                    $0.position = .init()
                    $0.configuration = .with { $0.learners = Array(1...2000) }
                }
            },
            { $0.appendReply = .with { $0.stamp = .init(); $0.reading = .init() } },
            {
                $0.appendReply = .with {
                    $0.stamp = .init()
                    $0.reading = .init()
                    $0.match = beyond
                }
            },
        ]
        for (place, change) in changes.enumerated() {
            var wire = Brokerfs_Peer_Raft(
                Raft.Message(from: sender, to: own, term: 1, kind: .timeoutNow)
            )
            change(&wire)
            #expect(throws: PeerCodingError.self, "change \(place)") {
                _ = try Raft.Message(wire, from: sender, to: own)
            }
        }
    }

    @Test("a member does not ask for what only a leader does, nor with ids no door lets in")
    func refusedCommands() {
        let kinds: [Command.Kind] = [
            .beginHistory(serverVersion: 1), .maintain(changeRetentionSeconds: 1, recordsMax: 1),
            .revoke(.session("a\nb"), reason: ""), .deleteGroup(""),
            .changeMembers(Identity.MembershipChange(group: "g", add: ["a\0"])),
            .put([RecordWrite(delete: .session, id: String(repeating: "x", count: 1025))]),
            .put([
                RecordWrite(
                    put: Record(
                        type: .session,
                        id: "s",
                        payload: [UInt8](repeating: 0, count: Limits.recordBytesMax + 1)
                    ),
                    facts: RecordFacts()
                )
            ]),
        ]
        let origin = RequestOrigin(client: 1, sequence: 1)
        for kind in kinds {
            let wire = Brokerfs_Peer_Ask(.propose(kind, origin: origin), number: 1)
            #expect(throws: PeerCodingError.malformed("command")) { _ = try PeerRequest(wire) }
        }
    }

    @Test("a frame that is too large is not sent")
    func tooLarge() {
        var buffer = ByteBuffer()
        let message = Raft.Message.append(
            from: 1,
            to: 2,
            payload: [UInt8](repeating: 7, count: Self.frameBytesMax)
        )
        #expect(throws: PeerCodingError.self) {
            try PeerFraming.append(
                .raft(Brokerfs_Peer_Raft(message)),
                to: &buffer,
                frameBytesMax: Self.frameBytesMax
            )
        }
        #expect(buffer.readableBytes == 0)
    }

    @Test("mutated and random frames never trap, and what is accepted is in bounds", arguments: 1...8)
    func fuzz(seed: Int) throws {
        var random = RandomMessages(seed: UInt64(seed))
        var accepted = 0
        for _ in 0..<4000 {
            var bytes: [UInt8]
            if random.generator.below(8) == 0 {
                bytes = random.bytes(max: 200)
            } else {
                bytes = Array(try frame(validFrame(&random)).readableBytesView)
                for _ in 0...random.generator.below(4) { mutate(&bytes, &random) }
            }
            if takes(bytes) { accepted += 1 }
        }
        // A fuzzer that never gets through the first check tests nothing.
        #expect(accepted > 100, "seed \(seed)")
    }

    private func validFrame(_ random: inout RandomMessages) -> Brokerfs_Peer_Frame.OneOf_Kind {
        switch random.generator.below(4) {
        case 0: return .ask(Brokerfs_Peer_Ask(random.request(), number: random.number()))
        case 1: return .answer(Brokerfs_Peer_Answer(random.answer(), number: random.number()))
        case 2:
            let message = random.message(8, from: sender, to: own)
            let files = (0..<random.generator.below(4)).map { _ in
                SnapshotFiles.File(
                    name: random.id(),
                    bytes: random.count() >> 30,
                    sha256: [UInt8](repeating: 3, count: 32)
                )
            }
            let id = [UInt8](repeating: 1, count: 16)
            return .snapshotOffer(SnapshotOffer(id: id, message: message, files: files).wire)
        default:
            let kind = random.generator.below(RandomMessages.kindsCount)
            return .raft(Brokerfs_Peer_Raft(random.message(kind, from: sender, to: own)))
        }
    }

    private func mutate(_ bytes: inout [UInt8], _ random: inout RandomMessages) {
        guard !bytes.isEmpty else { return }
        let place = random.generator.below(bytes.count)
        switch random.generator.below(5) {
        case 0: bytes[place] ^= UInt8(1 << random.generator.below(8))
        case 1: bytes[place] = UInt8(truncatingIfNeeded: random.generator.next())
        case 2: bytes.removeSubrange(place...)
        case 3: bytes.insert(contentsOf: random.bytes(max: 9), at: place)
        default: bytes.insert(contentsOf: bytes[place...].prefix(20), at: place)
        }
    }

    /// Whether the frame is one, and all its parts hold.
    private func takes(_ bytes: [UInt8]) -> Bool {
        do {
            switch try PeerFraming.decode(ByteBuffer(bytes: bytes)) {
            case .raft(let wire):
                let message = try Raft.Message(wire, from: sender, to: own)
                expectInBounds(message)
            case .ask(let ask): _ = try PeerRequest(ask)
            case .answer(let answer): _ = try PeerAnswer(answer)
            case .snapshotOffer(let wire):
                let limits = SnapshotLimits()
                let offer = try SnapshotOffer(wire, from: sender, to: own, limits: limits)
                #expect(offer.bytes <= limits.bytesMax)
                #expect(offer.files.allSatisfy { !$0.name.contains("/") && $0.name.first != "." })
            default: return false
            }
            return true
        } catch {
            return false
        }
    }

    private func expectInBounds(_ message: Raft.Message) {
        let bound = PeerBoundsForTests.countMax
        #expect(message.from == sender && message.to == own && message.term <= bound)
        guard case .append(let append) = message.kind else { return }
        #expect(append.previous.index <= bound && append.commit <= bound)
        for (place, entry) in append.entries.enumerated() {
            #expect(entry.index == append.previous.index + UInt64(place) + 1)
            #expect(entry.index <= bound && entry.term <= bound)
        }
    }
}
