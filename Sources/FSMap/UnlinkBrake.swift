// SPDX-License-Identifier: Apache-2.0

/// Stops who removes the sessions of many different principals one by one, or service accounts
/// with theirs: `rm -rf` typed in the wrong place (PRODUCT section 2).
///
/// INVARIANT: remembers at most `principalsMax` principals for each uid, and no uid for longer
/// than the window.
struct UnlinkBrake {
    private struct Removal {
        var principal: [UInt8]
        var time: UInt64
    }

    private let limits: BrakeLimits
    private var removals: [UInt32: [Removal]] = [:]

    init(_ limits: BrakeLimits) {
        self.limits = limits
    }

    /// Whether the uid may revoke something of the principal now; counts it if so.
    mutating func admits(_ uid: UInt32, principal: String, now: UInt64) -> Bool {
        guard limits.principalsMax > 0 else { return true }
        for uid in removals.keys {
            removals[uid]?.removeAll { $0.time &+ limits.windowNanoseconds <= now }
            if removals[uid]?.isEmpty == true { removals[uid] = nil }
        }
        let bytes = Array(principal.utf8)
        var own = removals[uid] ?? []
        own.removeAll { $0.principal == bytes }
        guard own.count < limits.principalsMax else { return false }
        own.append(Removal(principal: bytes, time: now))
        removals[uid] = own
        return true
    }
}
