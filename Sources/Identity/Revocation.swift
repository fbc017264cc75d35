// SPDX-License-Identifier: Apache-2.0

/// A revocation that was carried out: its receipt, as the state keeps it for a while.
package struct Revocation: Equatable, Sendable {
    /// Where it stands in the log; the index names it.
    package var receipt: Receipt
    /// What was revoked; nil for several records that one put deleted by their names.
    package var target: RevocationTarget?
    /// What the revoker gave as a reason; empty for none.
    package var reason: String
    /// Sessions and accounts that it took; none where they were revoked already.
    package var count: UInt64

    /// Makes a revocation from its parts.
    package init(receipt: Receipt, target: RevocationTarget?, reason: String, count: UInt64) {
        self.receipt = receipt
        self.target = target
        self.reason = reason
        self.count = count
    }
}

extension Revocation {
    /// Reads the row of the revocation at this index.
    package init(index: UInt64, _ message: Brokerfs_State_Revocation) {
        let acceptedAt = Timestamp(message.acceptedAt)
        receipt = Receipt(index: index, term: message.term, acceptedAt: acceptedAt)
        target =
            switch message.target {
            case .session(let id): .session(id)
            case .user(let id): .user(id)
            case .group(let id): .group(id)
            case .serviceAccount(let id): .serviceAccount(id)
            case nil: nil
            }
        reason = message.reason
        count = message.count
    }

    /// The row; its key says the index.
    package var message: Brokerfs_State_Revocation {
        var message = Brokerfs_State_Revocation()
        switch target {
        case .session(let id): message.session = id
        case .user(let id): message.user = id
        case .group(let id): message.group = id
        case .serviceAccount(let id): message.serviceAccount = id
        case nil: break
        }
        message.reason = reason
        message.count = count
        message.term = receipt.term
        message.acceptedAt = receipt.acceptedAt.message
        return message
    }
}

extension RevocationTarget {
    /// `session:ID`, `user:ID`, `group:ID` or `service-account:ID`, as the command line takes it.
    package var text: String {
        switch self {
        case .session(let id): "session:\(id)"
        case .user(let id): "user:\(id)"
        case .group(let id): "group:\(id)"
        case .serviceAccount(let id): "service-account:\(id)"
        }
    }
}
