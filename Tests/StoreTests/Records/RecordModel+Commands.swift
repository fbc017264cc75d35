// SPDX-License-Identifier: Apache-2.0

import Identity
import Store

/// The commands, as plainly as they can be said.
extension RecordModel {
    mutating func run(_ kind: Command.Kind) throws(CommandError) -> UInt64 {
        switch kind {
        case .put(let writes): return try putAll(writes)
        case .patch(let writes, let paths): return try patchAll(writes, paths)
        case .revoke(let target, let reason):
            let count = try revoke(target, reason)
            leaveReceipt(target, reason, count)
            return count
        case .changeMembers(let change): return try changeMembers(change)
        case .deleteGroup(let group): return try deleteGroup(group)
        case .setOptions(let type, let new):
            options.removeAll { $0.type == type }
            if !new.isEmpty {
                options.append((type, new))
                evict(type)
            }
            return 1
        case .maintain(let retention, let limit): return maintain(retention, Int(limit))
        case .beginHistory: return 0
        case .describeMember(let member): return try describe(member)
        }
    }

    private mutating func leaveReceipt(
        _ target: RevocationTarget?,
        _ reason: String,
        _ count: UInt64
    ) {
        let receipt = Receipt(index: index, term: 1, acceptedAt: at)
        revocations.append(
            Revocation(receipt: receipt, target: target, reason: reason, count: count)
        )
    }

    private mutating func describe(_ member: GroupMember) throws(CommandError) -> UInt64 {
        let known = members.first { $0.id == member.id }
        guard known != nil || member.id > lastMemberID else {
            throw .notFound(id: "member \(member.id)")
        }
        guard known != member else { return 0 }
        members.removeAll { $0.id == member.id || $0.name == member.name }
        members.append(member)
        lastMemberID = max(lastMemberID, member.id)
        return 1
    }

    private mutating func log(
        _ kind: Change.Kind,
        _ type: RecordType,
        _ id: String,
        _ user: String,
        _ reason: String = ""
    ) {
        recordVersion += 1
        changes.append(
            Change(
                version: recordVersion,
                kind: kind,
                type: type,
                id: id,
                at: at,
                userID: user,
                reason: reason
            )
        )
    }

    private mutating func put(_ record: Record, _ facts: RecordFacts) throws(CommandError) {
        let key = Key(record.type, record.id)
        guard tombstones[key] == nil else { throw .revoked(id: record.id) }
        if record.type == .session, records[key] == nil, let end = facts.expiresAt, end <= at {
            throw .expired(id: record.id)
        }
        log(.put, record.type, record.id, facts.userID)
        if !types.contains(record.type) { types.append(record.type) }
        records[key] = Stored(
            record: record,
            facts: facts,
            version: recordVersion,
            modifiedAt: at
        )
    }

    private mutating func remove(
        _ type: RecordType,
        _ id: String,
        _ kind: Change.Kind,
        _ reason: String = ""
    ) -> Bool {
        let key = Key(type, id)
        guard let old = records.removeValue(forKey: key) else { return false }
        log(kind, type, id, old.facts.userID, reason)
        if kind == .revoke {
            var keepUntil: Timestamp?
            if let end = old.facts.expiresAt {
                let month = at.adding(seconds: 31 * 86_400)
                keepUntil = max(month, end.adding(seconds: 86_400))
            }
            tombstones[key] = Tombstone(type: type, id: id, keepUntil: keepUntil)
        }
        return true
    }

    private mutating func putAll(_ writes: [RecordWrite]) throws(CommandError) -> UInt64 {
        var count: UInt64 = 0
        var deleted: [RevocationTarget] = []
        for write in writes {
            let stored = records[Key(write.type, write.id)]?.version ?? 0
            if let expected = write.expectedVersion, expected != stored {
                if expected == 0 { throw .exists(id: write.id) }
                throw .versionMismatch(id: write.id, stored: stored)
            }
            if let record = write.record {
                try put(record, write.facts)
                count += 1
            } else {
                let grants = write.type == .session || write.type == .serviceAccount
                guard remove(write.type, write.id, grants ? .revoke : .delete) else { continue }
                count += 1
                guard grants else { continue }
                let isSession = write.type == .session
                deleted.append(isSession ? .session(write.id) : .serviceAccount(write.id))
            }
        }
        var done: [RecordType] = []
        for write in writes where write.record != nil && !done.contains(write.type) {
            done.append(write.type)
            evict(write.type)
        }
        if !deleted.isEmpty {
            leaveReceipt(deleted.count == 1 ? deleted[0] : nil, "", UInt64(deleted.count))
        }
        return count
    }

    private mutating func evict(_ type: RecordType) {
        guard let capacity = options(of: type)?.capacity else { return }
        let all = sorted(type)
        for stored in all.prefix(max(0, all.count - Int(capacity))) {
            _ = remove(type, stored.record.id, .evict)
        }
    }

    private mutating func patchAll(
        _ writes: [RecordWrite],
        _ paths: [String]
    ) throws(CommandError) -> UInt64 {
        var count: UInt64 = 0
        for write in writes {
            guard let old = records[Key(write.type, write.id)], let source = write.record
            else { continue }
            guard let patched = try? Document.patched(old.record, from: source, paths: paths),
                let record = patched.record
            else { throw .undecodable(id: write.id) }
            try put(record, patched.facts)
            count += 1
        }
        return count
    }

    private mutating func revoke(
        _ target: RevocationTarget,
        _ reason: String
    ) throws(CommandError) -> UInt64 {
        var count: UInt64 = 0
        var doomed: [String] = []
        switch target {
        case .session(let id):
            guard exists(.session, id) || tombstones[Key(.session, id)] != nil else {
                throw .notFound(id: id)
            }
            doomed = [id]
        case .user(let user):
            guard hasPrincipal(user) || exists(.serviceAccount, user) else {
                throw .notFound(id: user)
            }
            doomed = listed(user)
        case .group(let group):
            guard hasGroup(group) else { throw .notFound(id: group) }
            for member in members(of: group) { doomed += listed(member) }
        case .serviceAccount(let id):
            let isKnown = exists(.serviceAccount, id)
            guard isKnown || tombstones[Key(.serviceAccount, id)] != nil else {
                throw .notFound(id: id)
            }
            if remove(.serviceAccount, id, .revoke, reason) { count += 1 }
            doomed = listed(id)
        }
        for id in doomed where remove(.session, id, .revoke, reason) { count += 1 }
        return count
    }

    /// The order in which a bulk revocation meets them: that of their first put.
    private func listed(_ user: String) -> [String] {
        sessions(of: user).sorted { first($0) < first($1) }
    }

    /// The version at which the present life of a session began.
    private func first(_ id: String) -> UInt64 {
        var version: UInt64 = 0
        for change in changes where change.type == .session && change.id == id {
            if change.kind != .put { version = 0 } else if version == 0 { version = change.version }
        }
        return version
    }

    private mutating func setMember(
        _ user: String,
        _ group: String,
        _ isMember: Bool
    ) throws(CommandError) -> Bool {
        let old = records[Key(.directoryUser, user)]
        var groups = old?.facts.groupIDs ?? []
        let was = groups.contains { $0.utf8.elementsEqual(group.utf8) }
        guard was != isMember else { return false }
        groups.removeAll { $0.utf8.elementsEqual(group.utf8) }
        if isMember { groups.append(group) }
        var document = DirectoryUser(id: user)
        if let old, let read = try? DirectoryUser(payload: old.record.payload) { document = read }
        document.groupIDs = groups
        let record = Record(type: .directoryUser, id: user, payload: document.payload)
        guard let write = try? Document.write(record) else { throw .undecodable(id: user) }
        try put(record, write.facts)
        return true
    }

    private mutating func changeMembers(
        _ change: MembershipChange
    ) throws(CommandError) -> UInt64 {
        guard hasGroup(change.group) else { throw .notFound(id: change.group) }
        let remove =
            change.replace
            ? members(of: change.group).filter { member in
                !change.add.contains { $0.utf8.elementsEqual(member.utf8) }
            } : change.remove
        var count: UInt64 = 0
        for user in remove where try setMember(user, change.group, false) { count += 1 }
        for user in change.add where try setMember(user, change.group, true) { count += 1 }
        evict(.directoryUser)
        return count
    }

    private mutating func deleteGroup(_ group: String) throws(CommandError) -> UInt64 {
        guard hasGroup(group) else { throw .notFound(id: group) }
        var count: UInt64 = 0
        for user in members(of: group) where try setMember(user, group, false) { count += 1 }
        if remove(.directoryGroup, group, .delete) { count += 1 }
        return count
    }
}
