// SPDX-License-Identifier: Apache-2.0

/// Why a command changed nothing, as the state remembers it; Protos/brokerfs/state.proto.
extension CommandError {
    /// Reads the protobuf form; throws ``DocumentError/undecodable(type:)`` for an unknown kind.
    package init(_ message: Brokerfs_State_Refusal) throws(DocumentError) {
        switch message.kind {
        case .revoked: self = .revoked(id: message.id)
        case .versionMismatch: self = .versionMismatch(id: message.id, stored: message.stored)
        case .notFound: self = .notFound(id: message.id)
        case .exists: self = .exists(id: message.id)
        case .expired: self = .expired(id: message.id)
        case .tooLarge:
            self = .tooLarge(
                id: message.id,
                bytes: Int(clamping: message.bytes),
                limit: Int(clamping: message.limit)
            )
        case .undecodable: self = .undecodable(id: message.id)
        case .tooManyMembers: self = .tooManyMembers(limit: Int(clamping: message.limit))
        case .unspecified, .UNRECOGNIZED: throw .undecodable(type: "refusal")
        }
    }

    /// The protobuf form.
    package var message: Brokerfs_State_Refusal {
        var message = Brokerfs_State_Refusal()
        switch self {
        case .revoked(let id): (message.kind, message.id) = (.revoked, id)
        case .versionMismatch(let id, let stored):
            (message.kind, message.id, message.stored) = (.versionMismatch, id, stored)
        case .notFound(let id): (message.kind, message.id) = (.notFound, id)
        case .exists(let id): (message.kind, message.id) = (.exists, id)
        case .expired(let id): (message.kind, message.id) = (.expired, id)
        case .tooLarge(let id, let bytes, let limit):
            (message.kind, message.id) = (.tooLarge, id)
            (message.bytes, message.limit) = (UInt64(clamping: bytes), UInt64(clamping: limit))
        case .undecodable(let id): (message.kind, message.id) = (.undecodable, id)
        case .tooManyMembers(let limit):
            (message.kind, message.limit) = (.tooManyMembers, UInt64(clamping: limit))
        }
        return message
    }
}
