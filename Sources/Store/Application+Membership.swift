// SPDX-License-Identifier: Apache-2.0

import Identity

/// Group membership, canonical in the `group_ids` of each directory user.
extension Application {
    /// Adds, removes or replaces members in one commit; only users that change are written.
    mutating func changeMembers(_ change: MembershipChange) throws(ApplyError) -> UInt64 {
        let group = change.group
        let row = try read { () throws(StoreError) in try reader.group(group) }
        guard row != nil else { throw .refused(.notFound(id: group)) }
        var remove = change.remove
        if change.replace {
            let keep = change.add.asBytes
            let members = try read { () throws(StoreError) in
                try reader.members(of: group, after: nil, limit: .max)
            }
            remove = members.filter { !keep.contains(Array($0.utf8)) }
        }
        var count: UInt64 = 0
        for user in remove where try setMembership(of: user, in: group, to: false) { count += 1 }
        for user in change.add where try setMembership(of: user, in: group, to: true) { count += 1 }
        try enforceCapacity(of: .directoryUser)
        return count
    }

    /// Deletes the group's record and every membership in it.
    mutating func deleteGroup(_ group: String) throws(ApplyError) -> UInt64 {
        let row = try read { () throws(StoreError) in try reader.group(group) }
        guard row != nil else { throw .refused(.notFound(id: group)) }
        let members = try read { () throws(StoreError) in
            try reader.members(of: group, after: nil, limit: .max)
        }
        for user in members { _ = try setMembership(of: user, in: group, to: false) }
        let old = try read { () throws(StoreError) in try reader.header(.directoryGroup, group) }
        if let old { try remove(.directoryGroup, group, old, because: .delete) }
        return UInt64(members.count) + (old == nil ? 0 : 1)
    }

    /// True where the user's record changed.
    private mutating func setMembership(
        of user: String,
        in group: String,
        to member: Bool
    ) throws(ApplyError) -> Bool {
        let stored = try read { () throws(StoreError) in try reader.record(.directoryUser, user) }
        var groups = stored?.header.facts.groupIDs ?? []
        guard groups.containsBytes(of: group) != member else { return false }
        if member {
            groups.append(group)
        } else {
            groups.removeAll { $0.isSame(as: group) }
        }
        let write: RecordWrite
        do throws(DocumentError) {
            var directoryUser =
                if let stored {
                    try DirectoryUser(payload: stored.record.payload)
                } else {
                    DirectoryUser(id: user)
                }
            directoryUser.groupIDs = groups
            write = try Document.write(
                Record(type: .directoryUser, id: user, payload: directoryUser.payload)
            )
        } catch {
            throw .refused(CommandError(error, id: user))
        }
        guard let record = write.record else { return false }
        try put(record, facts: write.facts, replacing: stored?.header)
        return true
    }
}
