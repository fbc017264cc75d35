// SPDX-License-Identifier: Apache-2.0

import Crypto
import Identity

/// The tokens that a node has made and not forgotten, in memory: a restart forgets all.
struct TokenBook: Sendable {
    /// How many may be good at the same time.
    static let tokensMax = 64

    /// What has become of a token.
    enum Use: Equatable, Sendable {
        case none
        /// Somebody is being admitted with it.
        case underWay
        /// An attempt ended without an answer of the group: this member may be in it.
        case uncertain(name: String, address: String)
        /// It is used up; the same key is told the same again, in case the answer was lost.
        case done(publicKey: String, JoinGrant)
    }

    struct Token: Sendable {
        /// The hash of the secret: the book is of no use to who reads it.
        var hash: SHA256.Digest
        /// By the monotonic clock, nanoseconds.
        var expiresAt: UInt64
        /// Who may use it; empty: any free name.
        var name: String
        /// PEM.
        var authorityKey: String
        var use = Use.none
    }

    private var tokens: [Token] = []

    /// Whether any token is still good at this moment.
    func isEmpty(now: UInt64) -> Bool { !tokens.contains { $0.expiresAt > now } }

    /// Takes a new one; false where there are too many.
    mutating func add(
        _ token: JoinToken,
        name: String,
        authorityKey: String,
        expiresAt: UInt64,
        now: UInt64
    ) -> Bool {
        tokens.removeAll { $0.expiresAt <= now }
        guard tokens.count < Self.tokensMax else { return false }
        let hash = SHA256.hash(data: token.secret)
        tokens.append(
            Token(hash: hash, expiresAt: expiresAt, name: name, authorityKey: authorityKey)
        )
        return true
    }

    /// Finds the token of a secret.
    func token(_ secret: [UInt8], now: UInt64) -> Token? {
        let hash = SHA256.hash(data: secret)
        return tokens.first { $0.hash == hash && $0.expiresAt > now }
    }

    /// Notes what has become of a token.
    mutating func note(_ use: Use, of secret: [UInt8]) {
        let hash = SHA256.hash(data: secret)
        guard let place = tokens.firstIndex(where: { $0.hash == hash }) else { return }
        tokens[place].use = use
        // Nobody is certified with it any more.
        if case .done = use { tokens[place].authorityKey = "" }
    }
}
