// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity

/// The commands, with the effects that a store has to tell of.
extension MemoryState {
    /// Applies a command and says what it did; nothing for one that is refused.
    mutating func apply(_ kind: Command.Kind) -> [Effect] {
        var next = self
        next.effects = []
        next.now = next.now.adding(seconds: 1)
        next.index += 1
        do throws(CommandError) {
            try next.change(kind)
        } catch {
            return []
        }
        self = next
        return next.effects
    }

    private mutating func change(_ kind: Command.Kind) throws(CommandError) {
        switch kind {
        case .put(let writes):
            for write in writes { try change(write) }
        case .revoke(let target, let reason):
            let before = version
            revoke(target)
            leaveReceipt(target, reason, count: version - before)
        case .changeMembers(let change): changeMembers(change)
        case .deleteGroup(let group):
            changeMembers(MembershipChange(group: group, replace: true))
            remove(.directoryGroup, group)
        default: preconditionFailure("\(kind) is not a command of these tests")
        }
    }

    /// Few are kept, so that they go again.
    private mutating func leaveReceipt(
        _ target: RevocationTarget,
        _ reason: String,
        count: UInt64
    ) {
        let receipt = Receipt(index: index, term: 3, acceptedAt: now)
        revocations[index] = Revocation(
            receipt: receipt,
            target: target,
            reason: reason,
            count: count
        )
        list(.revocations, "\(index)", number: index)
        guard revocations.count > 5, let oldest = revocations.keys.min() else { return }
        revocations[oldest] = nil
        unlist(.revocations, "\(oldest)")
    }

    private mutating func change(_ write: RecordWrite) throws(CommandError) {
        let stored = record(write.type, write.id)?.header.version ?? 0
        if let expected = write.expectedVersion, expected != stored {
            throw .versionMismatch(id: write.id, stored: stored)
        }
        guard let record = write.record else {
            return remove(write.type, write.id, revoked: write.type == .session)
        }
        if write.type == .session, isRevoked(session: write.id) { throw .revoked(id: write.id) }
        put(record, write.facts)
    }

    private mutating func put(_ record: Record, _ facts: RecordFacts) {
        let old = self.record(record.type, record.id)
        version += 1
        let number = old?.header.number ?? nextNumber()
        let header = RecordHeader(
            number: number,
            version: version,
            modifiedAt: now,
            dataTypeURL: record.dataTypeURL,
            facts: facts
        )
        records[Self.key(record.type, record.id)] = StoredRecord(record: record, header: header)
        log.append(change(.put, record.type, record.id, user: facts.userID))
        var users: [String] = []
        for user in [old?.header.facts.userID ?? "", facts.userID]
        where !user.isEmpty && users.last.map({ !$0.utf8.elementsEqual(user.utf8) }) ?? true {
            users.append(user)
        }
        effects.append(
            .recordWritten(record.type, id: record.id, created: old == nil, users: users)
        )
        if listings[Self.key(.types)]?.numbers[Array(record.type.url.utf8)] == nil {
            list(.types, record.type.url, number: nextNumber())
        }
        list(.records(record.type), record.id, number: number)
        touch(.records(record.type))
        index(record.type, record.id, old: old?.header.facts, new: facts, number: number)
    }

    private mutating func remove(_ type: RecordType, _ id: String, revoked: Bool = false) {
        guard let old = records.removeValue(forKey: Self.key(type, id)) else { return }
        version += 1
        if revoked, type == .session { self.revoked.insert(Array(id.utf8)) }
        let user = old.header.facts.userID
        log.append(change(revoked ? .revoke : .delete, type, id, user: user))
        effects.append(
            .recordRemoved(type, id: id, users: user.isEmpty ? [] : [user], revoked: revoked)
        )
        unlist(.records(type), id)
        index(type, id, old: old.header.facts, new: nil, number: old.header.number)
    }

    private func change(
        _ kind: Change.Kind,
        _ type: RecordType,
        _ id: String,
        user: String
    ) -> Change {
        Change(version: version, kind: kind, type: type, id: id, at: now, userID: user, reason: "")
    }

    private mutating func index(
        _ type: RecordType,
        _ id: String,
        old: RecordFacts?,
        new: RecordFacts?,
        number: UInt64
    ) {
        switch type {
        case .session:
            let same = old.map { old in
                new.map { $0.userID.utf8.elementsEqual(old.userID.utf8) } ?? false
            }
            if let old, same == false { unlist(.sessions(ofUser: old.userID), id) }
            if let new { list(.sessions(ofUser: new.userID), id, number: number) }
            for user in [old?.userID, new?.userID].compactMap({ $0 }) {
                settlePrincipal(user, sessions: true)
            }
        case .user: settlePrincipal(id)
        case .directoryUser:
            settlePrincipal(id)
            settleMemberships(of: id, old: old?.groupIDs ?? [], new: new?.groupIDs ?? [])
        case .directoryGroup: settleGroup(id)
        case .context:
            guard let (source, key) = try? RecordID.contextParts(id) else { return }
            let collection = IdentityCollection.contextKeys(source: source)
            if new != nil {
                if self.number(of: source, in: .contextSources) == nil {
                    list(.contextSources, source, number: nextNumber())
                }
                list(collection, key, number: number)
                touch(collection)
            } else {
                unlist(collection, key)
                guard statistics(of: collection)?.count == 0 else { return }
                listings[Self.key(collection)] = nil
                unlist(.contextSources, source)
            }
        default: break
        }
    }

    /// A principal is listed while it has a record, a directory record or a session.
    private mutating func settlePrincipal(_ id: String, sessions: Bool = false) {
        let key = Array(id.utf8)
        let lives =
            record(.user, id) != nil || record(.directoryUser, id) != nil
            || (statistics(of: .sessions(ofUser: id))?.count ?? 0) > 0
        guard lives else {
            if principals.removeValue(forKey: key) != nil { unlist(.principals, id) }
            return
        }
        if principals[key] == nil {
            let number = nextNumber()
            principals[key] = Principal(number: number, sessionsModifiedAt: now, modifiedAt: now)
            list(.principals, id, number: number)
        }
        principals[key]?.modifiedAt = now
        if sessions { principals[key]?.sessionsModifiedAt = now }
    }

    private mutating func settleMemberships(of user: String, old: [String], new: [String]) {
        let before = old.map { Array($0.utf8) }
        let after = new.map { Array($0.utf8) }
        guard Set(before) != Set(after) else { return }
        for group in old where !after.contains(Array(group.utf8)) {
            unlist(.members(ofGroup: group), user)
            groups[Array(group.utf8)]?.membersModifiedAt = now
            settleGroup(group)
        }
        for group in new where !before.contains(Array(group.utf8)) {
            list(.members(ofGroup: group), user, number: nextNumber())
            groups[Array(group.utf8)]?.membersModifiedAt = now
            settleGroup(group)
        }
        effects.append(.groupsChanged(user: user))
    }

    /// A group is listed while it has a record or a member.
    private mutating func settleGroup(_ id: String) {
        let key = Array(id.utf8)
        let members = statistics(of: .members(ofGroup: id))?.count ?? 0
        guard record(.directoryGroup, id) != nil || members > 0 else {
            if groups.removeValue(forKey: key) != nil { unlist(.groups, id) }
            return
        }
        if groups[key] == nil {
            let number = nextNumber()
            groups[key] = Group(
                number: number,
                membersModifiedAt: now,
                modifiedAt: now,
                version: version
            )
            list(.groups, id, number: number)
        }
        groups[key]?.modifiedAt = now
        groups[key]?.version = version
    }

    private mutating func revoke(_ target: RevocationTarget) {
        switch target {
        case .session(let id): remove(.session, id, revoked: true)
        case .user(let user): revokeSessions(of: user)
        case .group(let group):
            for user in members(of: group, after: nil, limit: .max) { revokeSessions(of: user) }
        case .serviceAccount(let account):
            revokeSessions(of: account)
            remove(.serviceAccount, account)
        }
    }

    private mutating func revokeSessions(of user: String) {
        for entry in entries(in: .sessions(ofUser: user), after: 0, limit: .max) {
            remove(.session, entry.id, revoked: true)
        }
    }

    private mutating func changeMembers(_ change: MembershipChange) {
        let members = members(of: change.group, after: nil, limit: .max).map { Array($0.utf8) }
        let added = Set(change.add.map { Array($0.utf8) })
        var leaving = Set(change.remove.map { Array($0.utf8) })
        if change.replace { leaving = Set(members).subtracting(added) }
        for user in members where leaving.contains(user) {
            setMembership(String(decoding: user, as: UTF8.self), of: change.group, false)
        }
        for user in change.add where !members.contains(Array(user.utf8)) {
            setMembership(user, of: change.group, true)
        }
        effects.append(.membersChanged(group: change.group))
    }

    private mutating func setMembership(_ user: String, of group: String, _ isMember: Bool) {
        var directory = DirectoryUser(id: user)
        if let stored = record(.directoryUser, user),
            let known = try? DirectoryUser(payload: stored.record.payload)
        {
            directory = known
        }
        directory.groupIDs =
            directory.groupIDs.filter { !$0.utf8.elementsEqual(group.utf8) }
            + (isMember ? [group] : [])
        let record = Record(type: .directoryUser, id: user, payload: directory.payload)
        guard let write = try? Document.write(record) else { return }
        put(record, write.facts)
    }
}
