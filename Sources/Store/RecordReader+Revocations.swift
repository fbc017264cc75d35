// SPDX-License-Identifier: Apache-2.0

package import Identity

/// Receipts of revocations: kept for a while, by the index of their entry.
extension RecordReader {
    /// The receipt of the revocation at this index; nil where there is none, or none any more.
    package func revocation(_ index: UInt64) throws(StoreError) -> Revocation? {
        guard let bytes = try base.get(Key.revocation(index)) else { return nil }
        return Revocation(index: index, try Row.decode(Brokerfs_State_Revocation.self, bytes))
    }

    /// At most `limit` receipts with indexes above `index`, ascending.
    package func revocations(
        after index: UInt64,
        limit: Int
    ) throws(StoreError) -> [Revocation] {
        guard index < .max, limit > 0 else { return [] }
        var rows: [(UInt64, [UInt8])] = []
        let end = Key.successor(of: [Key.Space.revocation.rawValue])
        try base.scan(from: Key.revocation(index + 1), below: end) { key, value in
            rows.append((Key.number(at: [UInt8](copying: key)[...]), [UInt8](copying: value)))
            return rows.count < limit
        }
        var revocations: [Revocation] = []
        revocations.reserveCapacity(rows.count)
        for (index, bytes) in rows {
            let row = try Row.decode(Brokerfs_State_Revocation.self, bytes)
            revocations.append(Revocation(index: index, row))
        }
        return revocations
    }

    /// The same by the index in decimal digits, without a zero in front.
    func revocation(named name: String) throws(StoreError) -> Revocation? {
        guard let index = UInt64(name), "\(index)".isSame(as: name) else { return nil }
        return try revocation(index)
    }
}
