// SPDX-License-Identifier: Apache-2.0

import FSMap
import Glibc

/// Group names to numbers, once, before anything is mounted.
///
/// While serving this would be a deadlock: the name service may be fed from the mount.
enum Accounts {
    /// Who owns the files; an ordinary user's mount is all theirs.
    static func owners(_ settings: Settings) -> Owners {
        guard geteuid() == 0 else { return .everything(user: getuid(), group: getgid()) }
        return Owners(
            rootUser: 0,
            rootGroup: 0,
            brokerRead: group(settings.readGroup),
            brokerRevoke: group(settings.revokeGroup),
            adm: group(settings.auditGroup)
        )
    }

    /// The number of a group, given by name or number; root where it does not exist.
    private static func group(_ name: String) -> UInt32 {
        if let number = UInt32(name) { return number }
        guard let entry = getgrnam(name) else { return 0 }
        return entry.pointee.gr_gid
    }
}
