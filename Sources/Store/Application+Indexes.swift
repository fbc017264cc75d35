// SPDX-License-Identifier: Apache-2.0

import Identity

/// Secondary indexes: session → user, group → users, listings, counts.
extension Application {
    /// Brings every index from the old record to the new one; nil stands for no record.
    mutating func index(
        _ type: RecordType,
        _ id: String,
        old: RecordHeader?,
        new: RecordHeader?
    ) throws(ApplyError) {
        switch type {
        case .session: try indexSession(id, old: old, new: new)
        case .user:
            try changePrincipal(id) { $0.hasUser = new != nil }
        case .directoryUser:
            try changePrincipal(id) { $0.hasDirectoryUser = new != nil }
            try indexMemberships(
                of: id,
                old: old?.facts.groupIDs ?? [],
                new: new?.facts.groupIDs ?? []
            )
        case .directoryGroup:
            let version = metadata.recordVersion
            let now = at
            try changeGroup(id) {
                $0.hasRecord = new != nil
                $0.modifiedAt = now
                $0.version = version
            }
        case .context: try indexContext(id, old: old, new: new)
        default: break
        }
    }

    private mutating func indexSession(
        _ id: String,
        old: RecordHeader?,
        new: RecordHeader?
    ) throws(ApplyError) {
        let before = old?.facts.userID ?? ""
        let after = new?.facts.userID ?? ""
        guard !before.isSame(as: after) else {
            return listAgain(id, of: after, old: old, new: new)
        }
        let now = at
        if !before.isEmpty, let old {
            unlist(id, old.number, in: .sessions(ofUser: before))
            try changePrincipal(before) {
                $0.sessionCount -= 1
                $0.sessionsModifiedAt = now
            }
        }
        if !after.isEmpty, let new {
            list(
                id,
                new.number,
                in: .sessions(ofUser: after),
                row: ListedSession(id, new).row
            )
            try changePrincipal(after) {
                $0.sessionCount += 1
                $0.sessionsModifiedAt = now
            }
        }
    }

    /// The name stays; what the listing says about the session follows its header.
    private mutating func listAgain(
        _ id: String,
        of user: String,
        old: RecordHeader?,
        new: RecordHeader?
    ) {
        guard !user.isEmpty, let old, let new else { return }
        let listed = ListedSession(id, new)
        guard listed != ListedSession(id, old) else { return }
        transaction.put(Key.listing(.sessions(ofUser: user), new.number), listed.row)
    }

    private mutating func indexMemberships(
        of user: String,
        old: [String],
        new: [String]
    ) throws(ApplyError) {
        guard !old.elementsEqual(new, by: { $0.isSame(as: $1) }) else { return }
        let before = old.asBytes
        let after = new.asBytes
        for group in old where !after.contains(Array(group.utf8)) { try leave(group, user) }
        for group in new where !before.contains(Array(group.utf8)) { try join(group, user) }
        add(.groupsChanged(user: user))
    }

    private mutating func join(_ group: String, _ user: String) throws(ApplyError) {
        let number = nextNumber()
        let now = at
        try changeGroup(group) {
            $0.memberCount += 1
            $0.memberBytes += UInt64(user.utf8.count) + 1
            $0.membersModifiedAt = now
        }
        transaction.put(Key.member(group: group, user: user), Key.bigEndian(number))
        list(user, number, in: .members(ofGroup: group))
        add(.membersChanged(group: group))
    }

    private mutating func leave(_ group: String, _ user: String) throws(ApplyError) {
        let key = Key.member(group: group, user: user)
        let row = try read { () throws(StoreError) in try transaction.get(key) }
        guard let row else { return }
        transaction.delete(key)
        unlist(user, Key.number(at: row[...]), in: .members(ofGroup: group))
        let now = at
        try changeGroup(group) {
            $0.memberCount -= 1
            $0.memberBytes -= UInt64(user.utf8.count) + 1
            $0.membersModifiedAt = now
        }
        add(.membersChanged(group: group))
    }

    private mutating func indexContext(
        _ id: String,
        old: RecordHeader?,
        new: RecordHeader?
    ) throws(ApplyError) {
        let parts: (source: String, key: String)
        do throws(DocumentError) {
            parts = try RecordID.contextParts(id)
        } catch {
            throw .refused(.undecodable(id: id))
        }
        let collection = IdentityCollection.contextKeys(source: parts.source)
        switch (old, new) {
        case (nil, let new?): list(parts.key, new.number, in: collection)
        case (let old?, nil): unlist(parts.key, old.number, in: collection)
        default: break
        }
        let values = (new == nil ? 0 : 1) - (old == nil ? 0 : 1)
        try count(source: parts.source, values: values)
    }

    /// A principal appears with its first record or session and vanishes with its last.
    mutating func changePrincipal(
        _ id: String,
        _ change: (inout PrincipalRow) -> Void
    ) throws(ApplyError) {
        let stored = try knownPrincipal(id)
        var row = stored ?? PrincipalRow()
        change(&row)
        row.modifiedAt = at
        if stored == nil {
            row.number = nextNumber()
            list(id, row.number, in: .principals)
        }
        if row.hasUser || row.hasDirectoryUser || row.sessionCount > 0 {
            principals[HashedKey(bytes: Key.principal(id))] = .some(row)
        } else {
            principals[HashedKey(bytes: Key.principal(id))] = .some(nil)
            unlist(id, row.number, in: .principals)
        }
    }

    private func knownPrincipal(_ id: String) throws(ApplyError) -> PrincipalRow? {
        if let known = principals[HashedKey(bytes: Key.principal(id))] { return known }
        return try read { () throws(StoreError) in try reader.principal(id) }
    }

    /// A group appears with its record or first member and vanishes with the last of them.
    mutating func changeGroup(
        _ id: String,
        _ change: (inout GroupRow) -> Void
    ) throws(ApplyError) {
        let stored = try read { () throws(StoreError) in try reader.group(id) }
        var row = stored ?? GroupRow()
        change(&row)
        if stored == nil {
            row.number = nextNumber()
            row.modifiedAt = at
            list(id, row.number, in: .groups)
        }
        if row.hasRecord || row.memberCount > 0 {
            transaction.put(Key.group(id), Row.encode(row.row))
        } else {
            transaction.delete(Key.group(id))
            unlist(id, row.number, in: .groups)
        }
    }

    /// Counts the records of a type; the first makes the type appear, and it stays.
    mutating func count(
        _ type: RecordType,
        records: Int,
        bytes: Int
    ) throws(ApplyError) {
        let now = at
        try changeStatistics(of: type) {
            $0.count = UInt64(Int($0.count) + records)
            $0.documentBytes = UInt64(Int($0.documentBytes) + bytes)
            $0.modifiedAt = now
        }
    }

    /// Counts the values of a source, which appears with its first and vanishes with its last.
    private mutating func count(source: String, values: Int) throws(ApplyError) {
        let collection = IdentityCollection.contextKeys(source: source)
        let stored = try read { () throws(StoreError) in try reader.statistics(of: collection) }
        var row = stored ?? StatisticsRow(number: nextNumber())
        row.count = UInt64(Int(row.count) + values)
        row.modifiedAt = at
        if stored == nil { list(source, row.number, in: .contextSources) }
        if row.count == 0 {
            transaction.delete(Key.statistics(collection))
            unlist(source, row.number, in: .contextSources)
        } else {
            transaction.put(Key.statistics(collection), Row.encode(row.row))
        }
    }

    /// `row` nil: nothing is said but the id.
    mutating func list(
        _ id: String,
        _ number: UInt64,
        in collection: IdentityCollection,
        row: [UInt8]? = nil
    ) {
        transaction.put(Key.listing(collection, number), row ?? Array(id.utf8))
        if Self.mayBeCutShort(id) {
            let key = Key.nameSuffix(Digest.nameSuffix(of: id), in: collection)
            transaction.put(key, Array(id.utf8))
        }
        if case .records = collection { return }
        add(.listed(collection, id: id))
    }

    mutating func unlist(_ id: String, _ number: UInt64, in collection: IdentityCollection) {
        transaction.delete(Key.listing(collection, number))
        if Self.mayBeCutShort(id) {
            transaction.delete(Key.nameSuffix(Digest.nameSuffix(of: id), in: collection))
        }
        if case .records = collection { return }
        add(.unlisted(collection, id: id))
    }

    /// Whether escaping could make the name longer than 200 bytes: three bytes for each byte.
    private static func mayBeCutShort(_ id: String) -> Bool { id.utf8.count > 66 }
}
