// SPDX-License-Identifier: Apache-2.0

import Identity

/// Exactly once: what became of requests with an origin (thesis section 6.3).
extension Application {
    /// What became of the first command of this origin; nil where none is remembered.
    func outcome(
        of origin: RequestOrigin
    ) throws(StoreError) -> Result<Applied, CommandError>? {
        guard let bytes = try transaction.get(Key.origin(origin)) else { return nil }
        let row = try Row.decode(Brokerfs_State_Outcome.self, bytes)
        switch row.result {
        case .applied(let applied):
            let receipt = Receipt(
                index: row.index,
                term: row.term,
                acceptedAt: Timestamp(row.acceptedAt)
            )
            return .success(
                Applied(
                    recordVersion: applied.recordVersion,
                    count: applied.count,
                    receipt: receipt
                )
            )
        case .refusal(let refusal):
            do throws(DocumentError) {
                return .failure(try CommandError(refusal))
            } catch {
                throw .corrupt(path: "", reason: "the outcome of \(origin) is of no known kind")
            }
        case nil: throw .corrupt(path: "", reason: "the outcome of \(origin) is missing")
        }
    }

    /// Remembers what became of it, and forgets some that are older.
    mutating func remember(
        _ result: Result<Applied, CommandError>,
        of origin: RequestOrigin,
        at position: RecordStore.Position
    ) throws(StoreError) {
        var row = Brokerfs_State_Outcome()
        row.index = position.index
        row.term = position.term
        row.acceptedAt = at.message
        switch result {
        case .success(let applied):
            row.applied.recordVersion = applied.recordVersion
            row.applied.count = applied.count
        case .failure(let error): row.refusal = error.message
        }
        let key = Key.origin(origin)
        transaction.put(key, Row.encode(row))
        transaction.put(Key.originOrder(metadata.origins.end), Array(key.dropFirst()))
        metadata.origins.end += 1
        // More than one comes, so a table that is full shrinks.
        _ = try forgetOrigins(limit: 2)
    }

    /// Forgets the oldest of those that need not be remembered.
    mutating func forgetOrigins(limit: Int) throws(StoreError) -> UInt64 {
        var count: UInt64 = 0
        while count < limit, metadata.origins.count > limits.originsMin {
            let place = Key.originOrder(metadata.origins.first)
            guard let origin = try transaction.get(place) else {
                throw .corrupt(path: "", reason: "origin \(metadata.origins.first) is missing")
            }
            let key = [Key.Space.origin.rawValue] + origin
            let isTooMany = metadata.origins.count > limits.originsMax
            guard try isTooMany ? true : isPast(key) else { break }
            transaction.delete(place)
            transaction.delete(key)
            metadata.origins.first += 1
            count += 1
        }
        return count
    }

    private func isPast(_ key: [UInt8]) throws(StoreError) -> Bool {
        guard let bytes = try transaction.get(key) else { return true }
        let row = try Row.decode(Brokerfs_State_Outcome.self, bytes)
        return Timestamp(row.acceptedAt).adding(seconds: limits.originRetentionSeconds) <= at
    }
}
