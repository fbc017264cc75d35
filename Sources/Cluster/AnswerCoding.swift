// SPDX-License-Identifier: Apache-2.0

package import Identity
package import Node
import Replica

/// What members answer each other, as frames; Protos/brokerfs/peer.proto.
extension Brokerfs_Peer_Answer {
    /// The protobuf form.
    package init(_ answer: PeerAnswer, number: UInt64) {
        self.init()
        self.number = number
        switch answer {
        case .applied(let result):
            applied.recordVersion = result.recordVersion
            applied.count = result.count
        case .failed(let error): failed = Brokerfs_Peer_Failure(error)
        case .progress(let progress):
            self.progress.applied = progress.applied
            self.progress.forgotten = progress.forgotten
            self.progress.appliedAt = progress.appliedAt.message
            self.progress.forgottenAt = progress.forgottenAt.message
        }
    }
}

extension PeerAnswer {
    /// Reads what a member answered.
    ///
    /// Throws ``PeerCodingError`` for what is no answer.
    package init(_ message: Brokerfs_Peer_Answer) throws(PeerCodingError) {
        switch message.answer {
        case .applied(let result):
            self = .applied(Applied(recordVersion: result.recordVersion, count: result.count))
        case .failed(let failure): self = .failed(try ProposalError(failure))
        case .progress(let progress):
            self = .progress(
                PeerProgress(
                    applied: try PeerBounds.count(progress.applied, "applied"),
                    forgotten: try PeerBounds.count(progress.forgotten, "forgotten"),
                    appliedAt: try PeerBounds.timestamp(progress.appliedAt),
                    forgottenAt: try PeerBounds.timestamp(progress.forgottenAt)
                )
            )
        case nil: throw .missing("answer")
        }
    }
}

extension Brokerfs_Peer_Failure {
    fileprivate init(_ error: ProposalError) {
        self.init()
        switch error {
        case .refused(let error): refused = Brokerfs_Peer_Failure.Command(error)
        case .noSpace: noSpace = Brokerfs_Peer_Empty()
        case .notWritable(let reason): notWritable = PeerBounds.shortened(reason)
        case .timedOut: timedOut = Brokerfs_Peer_Empty()
        case .stopped: stopped = Brokerfs_Peer_Empty()
        case .busy: busy = Brokerfs_Peer_Empty()
        case .io(let reason): io = PeerBounds.shortened(reason)
        }
    }
}

extension ProposalError {
    fileprivate init(_ message: Brokerfs_Peer_Failure) throws(PeerCodingError) {
        switch message.kind {
        case .refused(let error): self = .refused(try CommandError(error))
        case .noSpace: self = .noSpace
        case .notWritable(let reason):
            self = .notWritable(reason: try PeerBounds.text(reason, "reason"))
        case .timedOut: self = .timedOut
        case .stopped: self = .stopped
        case .busy: self = .busy
        case .io(let reason): self = .io(try PeerBounds.text(reason, "reason"))
        case nil: throw .missing("failure")
        }
    }
}

extension Brokerfs_Peer_Failure.Command {
    fileprivate init(_ error: CommandError) {
        self.init()
        switch error {
        case .revoked(let id): (reason, self.id) = (.revoked, id)
        case .versionMismatch(let id, let stored):
            (reason, self.id) = (.versionMismatch, id)
            self.stored = stored
        case .notFound(let id): (reason, self.id) = (.notFound, id)
        case .exists(let id): (reason, self.id) = (.exists, id)
        case .expired(let id): (reason, self.id) = (.expired, id)
        case .tooLarge(let id, let bytes, let limit):
            (reason, self.id) = (.tooLarge, id)
            self.bytes = UInt64(clamping: bytes)
            self.limit = UInt64(clamping: limit)
        case .undecodable(let id): (reason, self.id) = (.undecodable, id)
        case .tooManyMembers(let limit):
            reason = .tooManyMembers
            self.limit = UInt64(clamping: limit)
        }
    }
}

extension CommandError {
    fileprivate init(_ message: Brokerfs_Peer_Failure.Command) throws(PeerCodingError) {
        let id = try PeerBounds.text(message.id, "id")
        switch message.reason {
        case .revoked: self = .revoked(id: id)
        case .versionMismatch: self = .versionMismatch(id: id, stored: message.stored)
        case .notFound: self = .notFound(id: id)
        case .exists: self = .exists(id: id)
        case .expired: self = .expired(id: id)
        case .tooLarge:
            self = .tooLarge(
                id: id,
                bytes: Int(clamping: message.bytes),
                limit: Int(clamping: message.limit)
            )
        case .undecodable: self = .undecodable(id: id)
        case .tooManyMembers: self = .tooManyMembers(limit: Int(clamping: message.limit))
        case .unspecified, .UNRECOGNIZED: throw .missing("reason")
        }
    }
}
