// SPDX-License-Identifier: Apache-2.0

package import Identity

/// One name in a listing with its object number.
package struct ListingEntry: Equatable, Sendable {
    package var number: UInt64
    package var id: String
}

/// Listings: every set of names that a directory shows, by number and by name.
extension RecordReader {
    /// At most `limit` names with numbers above `number`, ascending.
    package func entries(
        in collection: IdentityCollection,
        after number: UInt64,
        limit: Int
    ) throws(StoreError) -> [ListingEntry] {
        if case .revocations = collection {
            return try revocations(after: number, limit: limit).map {
                ListingEntry(number: $0.receipt.index, id: "\($0.receipt.index)")
            }
        }
        var entries: [ListingEntry] = []
        try scan(collection, after: number, limit: limit) { number, row in
            // An id holds no NUL; what follows one is said about it.
            let id = String(decoding: row.prefix { $0 != 0 }, as: UTF8.self)
            entries.append(ListingEntry(number: number, id: id))
        }
        return entries
    }

    /// Sessions of a user as in ``entries(in:after:limit:)``, with what their removal has to know.
    func sessions(
        of user: String,
        after number: UInt64 = 0,
        limit: Int = .max
    ) throws(StoreError) -> [ListedSession] {
        var rows: [(UInt64, [UInt8])] = []
        try scan(.sessions(ofUser: user), after: number, limit: limit) { rows.append(($0, $1)) }
        var sessions: [ListedSession] = []
        sessions.reserveCapacity(rows.count)
        for (number, row) in rows {
            sessions.append(try ListedSession(number: number, row: row))
        }
        return sessions
    }

    private func scan(
        _ collection: IdentityCollection,
        after number: UInt64,
        limit: Int,
        _ body: (UInt64, [UInt8]) -> Void
    ) throws(StoreError) {
        guard number < .max, limit > 0 else { return }
        var left = limit
        let lower = Key.listing(collection, number + 1)
        let upper = Key.successor(of: Array(lower.dropLast(8)))
        try base.scan(from: lower, below: upper) { key, value in
            body(Key.number(at: [UInt8](copying: key)[...]), [UInt8](copying: value))
            left -= 1
            return left > 0
        }
    }

    /// The number of a name; nil where the listing does not have it.
    package func number(
        of id: String,
        in collection: IdentityCollection
    ) throws(StoreError) -> UInt64? {
        switch collection {
        case .types: try statistics(of: .records(RecordType(id)))?.number
        case .records(let type): try header(type, id)?.number
        case .principals: try principal(id)?.number
        case .groups: try group(id)?.number
        case .sessions(let user):
            if let header = try header(.session, id), header.facts.userID.isSame(as: user) {
                header.number
            } else {
                nil
            }
        case .members(let group): try memberNumber(group: group, user: id)
        case .contextSources: try statistics(of: .contextKeys(source: id))?.number
        case .contextKeys(let source): try header(.context, "\(source)/\(id)")?.number
        case .revocations: try revocation(named: id)?.receipt.index
        }
    }

    /// The id whose name was cut short to this suffix.
    package func id(
        withNameSuffix suffix: String,
        in collection: IdentityCollection
    ) throws(StoreError) -> String? {
        try base.get(Key.nameSuffix(suffix, in: collection))
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// Count and size of a record type or a context source, nil where it does not exist; and of the
    /// receipts of revocations.
    package func statistics(
        of collection: IdentityCollection
    ) throws(StoreError) -> StatisticsRow? {
        if case .revocations = collection {
            let history = try history()
            return StatisticsRow(
                count: history.revocations.count,
                modifiedAt: history.revocationsModifiedAt
            )
        }
        guard let bytes = try base.get(Key.statistics(collection)) else { return nil }
        return StatisticsRow(try Row.decode(Brokerfs_State_Statistics.self, bytes))
    }

    /// At most `limit` members above `user` (nil: from the first), bytewise ascending.
    package func members(
        of group: String,
        after user: String?,
        limit: Int
    ) throws(StoreError) -> [String] {
        var members: [String] = []
        guard limit > 0 else { return members }
        let lower = Key.membersStart(group: group, after: user)
        try base.scan(from: lower, below: Key.membersEnd(group: group)) { key, _ in
            members.append(Key.user(in: [UInt8](copying: key), group: group))
            return members.count < limit
        }
        return members
    }

    /// The number of a membership; nil for no member.
    package func memberNumber(group: String, user: String) throws(StoreError) -> UInt64? {
        try base.get(Key.member(group: group, user: user)).map { Key.number(at: $0[...]) }
    }
}
