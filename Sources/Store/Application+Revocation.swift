// SPDX-License-Identifier: Apache-2.0

import Identity

/// Revocation: the reason why brokerfs exists. One command whatever the number of sessions.
///
/// Beyond `limits.revokedTogetherMax` it is applied in steps, so that memory stays bounded.
extension Application {
    mutating func revoke(
        _ target: RevocationTarget,
        reason: String
    ) throws(ApplyError) -> UInt64 {
        switch target {
        case .session(let id): try revokeRecord(.session, id, reason: reason)
        case .user(let user):
            try revokeSessions(of: user, mustExist: true, reason: reason)
        case .group(let group): try revokeSessions(ofGroup: group, reason: reason)
        case .serviceAccount(let account):
            try revokeRecord(.serviceAccount, account, reason: reason)
                + revokeSessions(of: account, mustExist: false, reason: reason)
        }
    }

    /// Revoking what is revoked already succeeds and changes nothing.
    private mutating func revokeRecord(
        _ type: RecordType,
        _ id: String,
        reason: String
    ) throws(ApplyError) -> UInt64 {
        let old = try read { () throws(StoreError) in try reader.header(type, id) }
        guard let old else {
            let revoked = try read { () throws(StoreError) in try reader.isRevoked(type, id) }
            guard revoked else { throw .refused(.notFound(id: id)) }
            return 0
        }
        try remove(type, id, old, because: .revoke, reason: reason)
        return 1
    }

    private mutating func revokeSessions(
        of user: String,
        mustExist: Bool,
        reason: String
    ) throws(ApplyError) -> UInt64 {
        if mustExist {
            let principal = try read { () throws(StoreError) in try reader.principal(user) }
            let account = try read { () throws(StoreError) in
                try reader.header(.serviceAccount, user)
            }
            guard principal != nil || account != nil else { throw .refused(.notFound(id: user)) }
        }
        var found = FoundSessions(max: limits.revokedTogetherMax)
        try find(sessionsOf: user, after: takeProgress().number, &found)
        return try revoke(found, reason: reason)
    }

    private mutating func revokeSessions(
        ofGroup group: String,
        reason: String
    ) throws(ApplyError) -> UInt64 {
        let row = try read { () throws(StoreError) in try reader.group(group) }
        guard row != nil else { throw .refused(.notFound(id: group)) }
        var found = FoundSessions(max: limits.revokedTogetherMax)
        found.progress.member = takeProgress().member
        // All reads come first: a scan passes over everything the command has written.
        while !found.isFull {
            let members = try read { () throws(StoreError) in
                try reader.members(of: group, after: found.progress.member, limit: 1000)
            }
            for member in members where !found.isFull {
                try find(sessionsOf: member, after: 0, &found)
                if !found.isFull { found.progress.member = member }
            }
            if members.count < 1000 { break }
        }
        return try revoke(found, reason: reason)
    }

    /// Where the last step of this revocation left off.
    private mutating func takeProgress() -> RevocationProgress {
        defer { progress = nil }
        return progress ?? RevocationProgress()
    }

    private func find(
        sessionsOf user: String,
        after number: UInt64,
        _ found: inout FoundSessions
    ) throws(ApplyError) {
        // One more than fit tells whether that was all.
        let limit = found.room + 1
        var sessions = try read { () throws(StoreError) in
            try reader.sessions(of: user, after: number, limit: limit)
        }
        if sessions.count == limit {
            sessions.removeLast()
            found.isFull = true
        }
        guard let last = sessions.last else { return }
        found.progress.number = last.number
        found.byUser.append((user, sessions))
    }

    private mutating func revoke(
        _ found: FoundSessions,
        reason: String
    ) throws(ApplyError) -> UInt64 {
        transaction.reserve(found.count * Self.keysPerSession)
        for (user, sessions) in found.byUser {
            for session in sessions {
                guard !metadata.hasOptions else {
                    // Its place among the least recently modified is known by its version.
                    _ = try revokeRecord(.session, session.id, reason: reason)
                    continue
                }
                let old = session.header(ofUser: user)
                try remove(.session, session.id, old, because: .revoke, reason: reason)
            }
        }
        progress = found.isFull ? found.progress : nil
        return UInt64(found.count)
    }

    /// How many keys the removal of a session writes, about.
    private static let keysPerSession = 9
}

/// How far a revocation has come that takes several steps.
///
/// It only spares a search: without it the next step finds the same sessions from the start.
struct RevocationProgress {
    /// Everybody up to this member of the group has no session left.
    var member: String?
    /// The sessions of the user up to this number are revoked.
    var number: UInt64 = 0
}

/// The sessions that one step revokes.
private struct FoundSessions {
    let max: Int
    var byUser: [(user: String, sessions: [ListedSession])] = []
    var progress = RevocationProgress()
    /// Whether there are more.
    var isFull = false

    init(max: Int) { self.max = max }

    var count: Int { byUser.reduce(0) { $0 + $1.sessions.count } }
    var room: Int { max - count }
}
