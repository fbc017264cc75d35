// SPDX-License-Identifier: Apache-2.0

import Identity
import Store

/// What goes by itself, found by looking at every record.
extension RecordModel {
    mutating func maintain(_ retention: UInt64, _ limit: Int) -> UInt64 {
        var count: UInt64 = 0
        for (type, id) in expired().prefix(limit) where drop(type, id) { count += 1 }
        for (type, id) in pastTTL(limit) where drop(type, id) { count += 1 }
        let forgotten = tombstones.filter { _, tombstone in
            guard let keepUntil = tombstone.keepUntil else { return false }
            return keepUntil.seconds < at.seconds
        }
        let order = forgotten.sorted { left, right in
            (left.value.keepUntil?.seconds ?? 0, left.key)
                < (right.value.keepUntil?.seconds ?? 0, right.key)
        }
        for (key, _) in order.prefix(limit) {
            tombstones[key] = nil
            count += 1
        }
        let past = revocations.prefix { $0.receipt.acceptedAt.adding(seconds: 86_400) <= at }
        let gone = past.prefix(limit).count
        revocations.removeFirst(gone)
        return count + UInt64(gone) + trim(retention, limit)
    }

    private mutating func drop(_ type: RecordType, _ id: String) -> Bool {
        let key = Key(type, id)
        guard let old = records.removeValue(forKey: key) else { return false }
        recordVersion += 1
        changes.append(
            Change(
                version: recordVersion,
                kind: .expire,
                type: type,
                id: id,
                at: at,
                userID: old.facts.userID,
                reason: ""
            )
        )
        return true
    }

    private func expired() -> [(RecordType, String)] {
        let due = records.filter { _, stored in
            let type = stored.record.type
            guard type == .session || type == .context, let end = stored.facts.expiresAt
            else { return false }
            return end.seconds < at.seconds
        }
        return due.sorted { left, right in
            (left.value.facts.expiresAt?.seconds ?? 0, left.key)
                < (right.value.facts.expiresAt?.seconds ?? 0, right.key)
        }.map { ($0.value.record.type, $0.value.record.id) }
    }

    private func pastTTL(_ limit: Int) -> [(RecordType, String)] {
        var past: [(RecordType, String)] = []
        for type in types {
            guard let ttl = options(of: type)?.ttlSeconds else { continue }
            let young = sorted(type).prefix(limit)
                .prefix { $0.modifiedAt.adding(seconds: ttl) <= at }
            past += young.map { (type, $0.record.id) }
        }
        return past
    }

    private mutating func trim(_ retention: UInt64, _ limit: Int) -> UInt64 {
        let oldest = at.adding(seconds: -Int64(clamping: retention))
        var count: UInt64 = 0
        for change in changes where change.version >= earliestChange {
            let isLast = change.version == recordVersion
            guard count < limit, change.at < oldest, !isLast else { break }
            count += 1
        }
        earliestChange += count
        return count
    }
}

extension RecordModel.Key: Comparable {
    static func < (left: Self, right: Self) -> Bool {
        left.type == right.type
            ? left.id.lexicographicallyPrecedes(right.id)
            : left.type.lexicographicallyPrecedes(right.type)
    }
}
