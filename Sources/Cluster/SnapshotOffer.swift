// SPDX-License-Identifier: Apache-2.0

import Foundation
import Identity
import Raft

/// A copy of the state as it is offered to a member that is too far behind.
struct SnapshotOffer: Equatable, Sendable {
    /// Names the copy, whoever carries it how often.
    var id: [UInt8]
    /// What the receiver's replica is told of it.
    var message: Raft.Message
    var files: [SnapshotFiles.File]

    static let idBytes = 16

    init(id: [UInt8], message: Raft.Message, files: [SnapshotFiles.File]) {
        self.id = id
        self.message = message
        self.files = files
    }

    /// Reads what a member offers; names and sizes are within bounds.
    init(
        _ offer: Brokerfs_Peer_SnapshotOffer,
        from sender: MemberID,
        to receiver: MemberID,
        limits: SnapshotLimits
    ) throws(SnapshotError) {
        guard offer.id.count == Self.idBytes else { throw .badOffer("its id") }
        id = [UInt8](offer.id)
        do throws(PeerCodingError) {
            message = try Raft.Message(offer.message, from: sender, to: receiver)
        } catch {
            throw .badOffer("its message: \(error)")
        }
        guard case .snapshot = message.kind else { throw .badOffer("it is no snapshot") }
        guard (1...limits.filesMax).contains(offer.files.count) else {
            throw .badOffer("\(offer.files.count) files")
        }
        files = []
        files.reserveCapacity(offer.files.count)
        var names: Set<String> = []
        var total: UInt64 = 0
        for file in offer.files {
            guard SnapshotFiles.isName(file.name), names.insert(file.name).inserted else {
                throw .badOffer("a file's name")
            }
            guard file.sha256.count == SnapshotFiles.hashBytes else {
                throw .badOffer("a file's hash")
            }
            let (sum, overflow) = total.addingReportingOverflow(file.bytes)
            guard !overflow, sum <= limits.bytesMax else { throw .badOffer("too many bytes") }
            total = sum
            files.append(
                SnapshotFiles.File(
                    name: file.name,
                    bytes: file.bytes,
                    sha256: [UInt8](file.sha256)
                )
            )
        }
    }

    var wire: Brokerfs_Peer_SnapshotOffer {
        var offer = Brokerfs_Peer_SnapshotOffer()
        offer.id = Data(id)
        offer.message = Brokerfs_Peer_Raft(message)
        offer.files = files.map { file in
            var result = Brokerfs_Peer_SnapshotFile()
            result.name = file.name
            result.bytes = file.bytes
            result.sha256 = Data(file.sha256)
            return result
        }
        return offer
    }

    /// The last index that the copy holds.
    var index: LogIndex {
        if case .snapshot(let snapshot) = message.kind { snapshot.position.index } else { 0 }
    }

    var bytes: UInt64 { files.reduce(0) { $0 + $1.bytes } }

    /// The id as it stands in names of directories.
    var name: String {
        id.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
