// SPDX-License-Identifier: Apache-2.0

import Identity

/// What goes by itself: expiry, TTL, capacity, old changes and tombstones.
///
/// Time is the command's: a clock that jumps on one node changes nothing on another.
extension Application {
    /// Notes when a record ends, and its place among the least recently modified.
    mutating func schedule(
        _ type: RecordType,
        _ id: String,
        old: RecordHeader?,
        new: RecordHeader?
    ) throws(ApplyError) {
        if let expiresAt = old?.facts.expiresAt, Self.expires(type) {
            transaction.delete(Key.expiry(expiresAt, type, id))
        }
        if let expiresAt = new?.facts.expiresAt, Self.expires(type) {
            transaction.put(Key.expiry(expiresAt, type, id), [])
        }
        guard metadata.hasOptions else { return }
        let options = try read { () throws(StoreError) in try reader.options(type) }
        guard options != nil else { return }
        if let old { transaction.delete(Key.recency(type, old.version)) }
        if let new { transaction.put(Key.recency(type, new.version), Array(id.utf8)) }
    }

    /// Types whose records end by themselves.
    ///
    /// A service account past its expiry stays listed.
    private static func expires(_ type: RecordType) -> Bool { type == .session || type == .context }

    /// Replaces the options of a type and enforces them at once.
    mutating func setOptions(
        _ type: RecordType,
        _ options: RecordOptions
    ) throws(ApplyError) -> UInt64 {
        let had = try read { () throws(StoreError) in try reader.options(type) } != nil
        if options.isEmpty {
            transaction.delete(Key.options(type))
            if had { try forEachRecord(of: type) { $0.delete(Key.recency(type, $2.version)) } }
            return 1
        }
        transaction.put(Key.options(type), Row.encode(options.message))
        metadata.hasOptions = true
        if !had {
            try forEachRecord(of: type) {
                $0.put(Key.recency(type, $2.version), Array($1.utf8))
            }
        }
        try enforceCapacity(of: type)
        return 1
    }

    private mutating func forEachRecord(
        of type: RecordType,
        _ body: (inout Transaction, String, RecordHeader) -> Void
    ) throws(ApplyError) {
        let entries = try read { () throws(StoreError) in
            try reader.entries(in: .records(type), after: 0, limit: .max)
        }
        for entry in entries {
            let header = try read { () throws(StoreError) in try reader.header(type, entry.id) }
            if let header { body(&transaction, entry.id, header) }
        }
    }

    /// Evicts the least recently modified records beyond the type's capacity.
    mutating func enforceCapacity(of type: RecordType) throws(ApplyError) {
        guard metadata.hasOptions else { return }
        let options = try read { () throws(StoreError) in try reader.options(type) }
        writeStatistics()
        let statistics = try read { () throws(StoreError) in
            try reader.statistics(of: .records(type))
        }
        guard let capacity = options?.capacity, let count = statistics?.count, count > capacity
        else { return }
        for id in try leastRecent(of: type, limit: Int(count - capacity)) {
            try removeIfPresent(type, id, because: .evict)
        }
    }

    private func leastRecent(of type: RecordType, limit: Int) throws(ApplyError) -> [String] {
        guard limit > 0 else { return [] }
        var ids: [String] = []
        let lower = Key.recencyStart(type)
        try read { () throws(StoreError) in
            try transaction.scan(from: lower, below: Key.successor(of: lower)) { _, value in
                ids.append(String(decoding: [UInt8](copying: value), as: UTF8.self))
                return ids.count < limit
            }
        }
        return ids
    }

    /// Removes what is past its time, at most `recordsMax` of each kind.
    mutating func maintain(
        changeRetentionSeconds: UInt64,
        recordsMax: Int
    ) throws(ApplyError) -> UInt64 {
        var count: UInt64 = 0
        for (type, id) in try due(
            from: [Key.Space.expiry.rawValue],
            below: Key.expiryEnd(at),
            limit: recordsMax
        ) {
            try removeIfPresent(type, id, because: .expire)
            count += 1
        }
        for (type, id) in try expiredByTTL(limit: recordsMax) {
            try removeIfPresent(type, id, because: .expire)
            count += 1
        }
        count += try forgetTombstones(limit: recordsMax)
        do throws(StoreError) {
            count += try forgetOrigins(limit: recordsMax)
        } catch {
            throw .store(error)
        }
        count += try forgetReceipts(limit: recordsMax)
        return count + (try trimChanges(olderThan: changeRetentionSeconds, limit: recordsMax))
    }

    private mutating func removeIfPresent(
        _ type: RecordType,
        _ id: String,
        because kind: Change.Kind
    ) throws(ApplyError) {
        let old = try read { () throws(StoreError) in try reader.header(type, id) }
        if let old { try remove(type, id, old, because: kind) }
    }

    private func due(
        from lower: [UInt8],
        below upper: [UInt8],
        limit: Int
    ) throws(ApplyError) -> [(RecordType, String)] {
        guard limit > 0 else { return [] }
        var due: [(RecordType, String)] = []
        try read { () throws(StoreError) in
            try transaction.scan(from: lower, below: upper) { key, _ in
                if let found = Key.typeAndID(in: [UInt8](copying: key)) { due.append(found) }
                return due.count < limit
            }
        }
        return due
    }

    private func expiredByTTL(limit: Int) throws(ApplyError) -> [(RecordType, String)] {
        var expired: [(RecordType, String)] = []
        let types = try read { () throws(StoreError) in try reader.types() }
        for type in types {
            let options = try read { () throws(StoreError) in try reader.options(type) }
            guard let options, let ttl = options.ttlSeconds else { continue }
            for id in try leastRecent(of: type, limit: limit) {
                let header = try read { () throws(StoreError) in try reader.header(type, id) }
                let fraction = options.ttlNanoseconds
                guard let header,
                    header.modifiedAt.adding(seconds: ttl, nanoseconds: fraction) <= at
                else { break }
                expired.append((type, id))
            }
        }
        return expired
    }

    private mutating func forgetTombstones(limit: Int) throws(ApplyError) -> UInt64 {
        let old = try due(
            from: [Key.Space.tombstoneExpiry.rawValue],
            below: Key.tombstoneExpiryEnd(at),
            limit: limit
        )
        for (type, id) in old {
            let key = Key.tombstone(type, id)
            let row = try read { () throws(StoreError) in try transaction.get(key) }
            guard let row else { continue }
            let tombstone = try read { () throws(StoreError) in
                try Row.decode(Brokerfs_State_Tombstone.self, row)
            }
            transaction.delete(key)
            let keepUntil = Timestamp(tombstone.keepUntil)
            transaction.delete(Key.tombstoneExpiry(keepUntil, type, id))
        }
        return UInt64(old.count)
    }

    /// Trims the change log by age; the newest change always stays.
    private mutating func trimChanges(
        olderThan seconds: UInt64,
        limit: Int
    ) throws(ApplyError) -> UInt64 {
        let oldest = at.adding(seconds: -Int64(clamping: seconds))
        let from = metadata.earliestChange
        let changes = try read { () throws(StoreError) in
            try reader.collectChanges(after: from - 1, limit: limit)
        }
        var count: UInt64 = 0
        for change in changes {
            guard change.at < oldest, change.version < metadata.recordVersion else { break }
            transaction.delete(Key.change(change.version))
            metadata.earliestChange = change.version + 1
            count += 1
        }
        return count
    }
}
