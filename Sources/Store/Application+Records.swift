// SPDX-License-Identifier: Apache-2.0

import Identity

/// Putting, patching and removing records.
extension Application {
    mutating func put(_ writes: [RecordWrite]) throws(ApplyError) -> UInt64 {
        var count: UInt64 = 0
        var types: [RecordType] = []
        for write in writes {
            let old = try read { () throws(StoreError) in try reader.header(write.type, write.id) }
            if let expected = write.expectedVersion, expected != old?.version ?? 0 {
                throw .refused(
                    expected == 0
                        ? .exists(id: write.id)
                        : .versionMismatch(id: write.id, stored: old?.version ?? 0)
                )
            }
            if let record = write.record {
                try put(record, facts: write.facts, replacing: old)
                count += 1
                if !types.contains(record.type) { types.append(record.type) }
            } else if let old {
                let kind = Self.removalKind(write.type)
                try remove(write.type, write.id, old, because: kind)
                if kind == .revoke { noteDeleted(write.type, write.id) }
                count += 1
            }
        }
        for type in types { try enforceCapacity(of: type) }
        return count
    }

    /// Deleting what grants access is a revocation, whoever deletes it.
    private static func removalKind(_ type: RecordType) -> Change.Kind {
        type == .session || type == .serviceAccount ? .revoke : .delete
    }

    private mutating func noteDeleted(_ type: RecordType, _ id: String) {
        let target: RevocationTarget = type == .session ? .session(id) : .serviceAccount(id)
        deleted = (deleted?.first ?? target, (deleted?.count ?? 0) + 1)
    }

    mutating func patch(_ writes: [RecordWrite], paths: [String]) throws(ApplyError) -> UInt64 {
        var count: UInt64 = 0
        for write in writes {
            let stored = try read { () throws(StoreError) in
                try reader.record(write.type, write.id)
            }
            guard let stored, let source = write.record else { continue }
            let patched: RecordWrite
            do throws(DocumentError) {
                patched = try Document.patched(stored.record, from: source, paths: paths)
            } catch {
                throw .refused(CommandError(error, id: write.id))
            }
            guard let record = patched.record else { continue }
            try put(record, facts: patched.facts, replacing: stored.header)
            count += 1
        }
        return count
    }

    /// Puts one record and maintains everything derived from it.
    mutating func put(
        _ record: Record,
        facts: RecordFacts,
        replacing old: RecordHeader?
    ) throws(ApplyError) {
        let (type, id) = (record.type, record.id)
        let revoked = try read { () throws(StoreError) in try reader.isRevoked(type, id) }
        guard !revoked else { throw .refused(.revoked(id: id)) }
        if old == nil, type == .session, let expiresAt = facts.expiresAt, expiresAt <= at {
            throw .refused(.expired(id: id))
        }
        let header = RecordHeader(
            number: old?.number ?? nextNumber(),
            version: log(.put, type, id, user: facts.userID),
            modifiedAt: at,
            dataTypeURL: record.dataTypeURL,
            facts: facts
        )
        transaction.put(Key.header(type, id), Row.encode(header.row(type: type)))
        transaction.put(Key.payload(type, id), record.payload)
        if old == nil { list(id, header.number, in: .records(type)) }
        try count(
            type,
            records: old == nil ? 1 : 0,
            bytes: Int(facts.documentBytes) - Int(old?.facts.documentBytes ?? 0)
        )
        try schedule(type, id, old: old, new: header)
        add(.recordWritten(type, id: id, created: old == nil, users: users(old, header)))
        try index(type, id, old: old, new: header)
    }

    /// Removes one record and everything derived from it; revocations leave a tombstone.
    mutating func remove(
        _ type: RecordType,
        _ id: String,
        _ old: RecordHeader,
        because kind: Change.Kind,
        reason: String = ""
    ) throws(ApplyError) {
        let version = log(kind, type, id, user: old.facts.userID, reason: reason)
        transaction.delete(Key.header(type, id))
        transaction.delete(Key.payload(type, id))
        unlist(id, old.number, in: .records(type))
        try count(type, records: -1, bytes: -Int(old.facts.documentBytes))
        try schedule(type, id, old: old, new: nil)
        if kind == .revoke { bury(type, id, old, version: version) }
        add(.recordRemoved(type, id: id, users: users(old, nil), revoked: kind == .revoke))
        try index(type, id, old: old, new: nil)
    }

    /// Remembers a revoked id at least as long as any session may live, plus a day.
    private mutating func bury(
        _ type: RecordType,
        _ id: String,
        _ old: RecordHeader,
        version: UInt64
    ) {
        var tombstone = Brokerfs_State_Tombstone()
        tombstone.revokedAt = at.message
        tombstone.version = version
        if let expiresAt = old.facts.expiresAt {
            let keepUntil = max(
                at.adding(seconds: Limits.tombstoneSecondsMin),
                expiresAt.adding(seconds: Limits.tombstoneGraceSeconds)
            )
            tombstone.keepUntil = keepUntil.message
            transaction.put(Key.tombstoneExpiry(keepUntil, type, id), [])
        }
        transaction.put(Key.tombstone(type, id), Row.encode(tombstone))
    }

    private func users(_ old: RecordHeader?, _ new: RecordHeader?) -> [String] {
        var users: [String] = []
        for user in [old?.facts.userID, new?.facts.userID] {
            if let user, !user.isEmpty, !users.containsBytes(of: user) { users.append(user) }
        }
        return users
    }
}

extension CommandError {
    /// A document that was refused while a command was applied.
    init(_ error: DocumentError, id: String) {
        switch error {
        case .tooLarge(let bytes, let limit): self = .tooLarge(id: id, bytes: bytes, limit: limit)
        default: self = .undecodable(id: id)
        }
    }
}
