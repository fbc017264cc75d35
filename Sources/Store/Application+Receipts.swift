// SPDX-License-Identifier: Apache-2.0

import Identity

/// Receipts of revocations: what was revoked, and where in the log that stands.
extension Application {
    /// Leaves the receipt of a command that has revoked something, or found it revoked.
    mutating func leaveReceipt(
        of kind: Command.Kind,
        count: UInt64,
        at position: RecordStore.Position
    ) throws(ApplyError) {
        switch kind {
        case .revoke(let target, let reason):
            try leaveReceipt(target, reason: reason, count: count, at: position)
        case .put:
            guard let deleted else { return }
            let target = deleted.count == 1 ? deleted.first : nil
            try leaveReceipt(target, reason: "", count: deleted.count, at: position)
        default: break
        }
    }

    private mutating func leaveReceipt(
        _ target: RevocationTarget?,
        reason: String,
        count: UInt64,
        at position: RecordStore.Position
    ) throws(ApplyError) {
        let receipt = Receipt(index: position.index, term: position.term, acceptedAt: at)
        let row = Revocation(receipt: receipt, target: target, reason: reason, count: count)
        transaction.put(Key.revocation(position.index), Row.encode(row.message))
        transaction.put(
            Key.revocationOrder(metadata.revocations.end),
            Key.bigEndian(position.index)
        )
        metadata.revocations.end += 1
        metadata.revocationsModifiedAt = at
        add(.listed(.revocations, id: "\(position.index)"))
        // More than one comes, so a table that is full shrinks.
        _ = try forgetReceipts(limit: 2, isByAge: false)
    }

    /// Forgets the oldest receipts beyond the bound, and those past their time.
    mutating func forgetReceipts(limit: Int, isByAge: Bool = true) throws(ApplyError) -> UInt64 {
        var count: UInt64 = 0
        while count < limit, metadata.revocations.count > 0 {
            let isTooMany = metadata.revocations.count > limits.revocationsMax
            guard isTooMany || isByAge else { break }
            let place = Key.revocationOrder(metadata.revocations.first)
            let stored = try read { () throws(StoreError) in try transaction.get(place) }
            guard let stored else {
                let ordinal = metadata.revocations.first
                throw .store(.corrupt(path: "", reason: "receipt \(ordinal) is missing"))
            }
            let index = Key.number(at: stored[...])
            let receipt = try read { () throws(StoreError) in try reader.revocation(index) }
            let end = receipt?.receipt.acceptedAt.adding(
                seconds: limits.revocationRetentionSeconds
            )
            guard isTooMany || (end ?? at) <= at else { break }
            transaction.delete(place)
            transaction.delete(Key.revocation(index))
            metadata.revocations.first += 1
            metadata.revocationsModifiedAt = at
            add(.unlisted(.revocations, id: "\(index)"))
            count += 1
        }
        return count
    }
}
