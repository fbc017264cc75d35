// SPDX-License-Identifier: Apache-2.0

/// How many changes each user may ask for: a token bucket per uid.
///
/// INVARIANT: at most `usersMax` buckets; users beyond them share one.
package struct ChangeAllowance: Sendable {
    /// What a request for a change is told.
    package enum Answer: Equatable, Sendable {
        case granted
        /// Beyond the limit; `toSay` requests of the user were refused since that was last said,
        /// nil while it was said less than a second ago.
        case refused(toSay: Int?)
    }

    private struct Bucket {
        var tokens: Double
        var at: UInt64
        var refusedCount = 0
        var saidAt: UInt64?
    }

    private static let second: UInt64 = 1_000_000_000
    private static let sharedUser = UInt32.max

    private let perSecond: Double
    private let burst: Double
    private let usersMax: Int
    private var buckets: [UInt32: Bucket] = [:]

    /// Fills `perSecond` tokens a second into buckets of `burst`; both at least 1.
    package init(perSecond: Int, burst: Int, usersMax: Int = 4096) {
        self.perSecond = Double(max(1, perSecond))
        self.burst = Double(max(1, burst))
        self.usersMax = usersMax
    }

    /// Takes a token of a user; `now` is monotonic, nanoseconds.
    package mutating func take(_ user: UInt32, now: UInt64) -> Answer {
        let user = known(user, now: now)
        var bucket = buckets[user] ?? Bucket(tokens: burst, at: now)
        defer { buckets[user] = bucket }
        bucket.tokens = tokens(in: bucket, now: now)
        bucket.at = max(bucket.at, now)
        guard bucket.tokens < 1 else {
            bucket.tokens -= 1
            return .granted
        }
        bucket.refusedCount += 1
        if let said = bucket.saidAt, now < said + Self.second { return .refused(toSay: nil) }
        defer {
            bucket.refusedCount = 0
            bucket.saidAt = now
        }
        return .refused(toSay: bucket.refusedCount)
    }

    private func tokens(in bucket: Bucket, now: UInt64) -> Double {
        let elapsed = now > bucket.at ? Double(now - bucket.at) / Double(Self.second) : 0
        return min(burst, bucket.tokens + elapsed * perSecond)
    }

    /// A user with a bucket, or room for one; the shared one where there is none.
    private mutating func known(_ user: UInt32, now: UInt64) -> UInt32 {
        guard buckets[user] == nil, buckets.count >= usersMax else { return user }
        buckets = buckets.filter { tokens(in: $0.value, now: now) < burst }
        return buckets.count < usersMax ? user : Self.sharedUser
    }
}
