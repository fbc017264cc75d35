// SPDX-License-Identifier: Apache-2.0

import Identity

/// Revocation: the reason why brokerfs exists. One command whatever the number of sessions.
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
        let sessions = try read { () throws(StoreError) in try reader.sessions(of: user) }
        try revoke(sessions, of: user, reason: reason)
        return UInt64(sessions.count)
    }

    /// How many keys the removal of a session writes, about.
    private static let keysPerSession = 9

    private mutating func revoke(
        _ sessions: [ListedSession],
        of user: String,
        reason: String
    ) throws(ApplyError) {
        transaction.reserve(sessions.count * Self.keysPerSession)
        for session in sessions {
            if metadata.hasOptions {
                // The place among the least recently modified is known by the version.
                _ = try revokeRecord(.session, session.id, reason: reason)
            } else {
                let old = session.header(ofUser: user)
                try remove(.session, session.id, old, because: .revoke, reason: reason)
            }
        }
    }

    private mutating func revokeSessions(
        ofGroup group: String,
        reason: String
    ) throws(ApplyError) -> UInt64 {
        let row = try read { () throws(StoreError) in try reader.group(group) }
        guard row != nil else { throw .refused(.notFound(id: group)) }
        let members = try read { () throws(StoreError) in
            try reader.members(of: group, after: nil, limit: .max)
        }
        // All reads come first: a scan passes over everything the command has written.
        var sessions: [(member: String, sessions: [ListedSession])] = []
        for member in members {
            let theirs = try read { () throws(StoreError) in try reader.sessions(of: member) }
            if !theirs.isEmpty { sessions.append((member, theirs)) }
        }
        for (member, theirs) in sessions { try revoke(theirs, of: member, reason: reason) }
        return sessions.reduce(0) { $0 + UInt64($1.sessions.count) }
    }
}
