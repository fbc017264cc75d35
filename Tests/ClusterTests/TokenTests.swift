// SPDX-License-Identifier: Apache-2.0

import Crypto
import Foundation
import Identity
import NIOCore
import Node
import Testing

@testable import Cluster

enum TestKey {
    static let pem = P256.Signing.PrivateKey().publicKey.pemRepresentation
}

/// Tokens as text, their book, and what whoever has none may send.
@Suite("tokens") struct TokenTests {
    private let token = JoinToken(
        secret: (0..<16).map { UInt8($0) },
        authority: (0..<32).map { UInt8(255 - $0) }
    )

    @Test("a token is read as it was written, and nothing else is one")
    func text() {
        let text = token.text
        #expect(text.utf8.count == "bfsjoin-".utf8.count + 64)
        #expect(JoinToken(text) == token)
        for other in [
            "", "bfsjoin-", String(text.dropLast()), text + "A", text + " ",
            text.replacing("bfsjoin-", with: "bfsjoin"), String(text.dropFirst()),
            text.replacing("_", with: "/"), text.replacing("-", with: "+"),
        ] where other != text {
            #expect(JoinToken(other) == nil, "\(other)")
        }
    }

    private func add(
        _ token: JoinToken,
        to book: inout TokenBook,
        expiresAt: UInt64,
        now: UInt64
    ) -> Bool {
        book.add(token, name: "n4", authorityKey: "key", expiresAt: expiresAt, now: now)
    }

    @Test("a token ends with its time, and its use is noted")
    func book() throws {
        var book = TokenBook()
        #expect(book.isEmpty(now: 0))
        #expect(add(token, to: &book, expiresAt: 100, now: 0))
        #expect(!book.isEmpty(now: 99))
        #expect(book.token(token.secret, now: 99)?.name == "n4")
        #expect(book.token([1, 2, 3], now: 99) == nil)
        book.note(.underWay, of: token.secret)
        #expect(book.token(token.secret, now: 99)?.use == .underWay)
        #expect(book.token(token.secret, now: 100) == nil)
        #expect(book.isEmpty(now: 100))
    }

    @Test("the key goes with the use of the token, and only so many tokens are good at once")
    func bounds() throws {
        var book = TokenBook()
        for number in 0..<TokenBook.tokensMax {
            let token = JoinToken(secret: [UInt8(number)], authority: [])
            #expect(add(token, to: &book, expiresAt: 100, now: 0))
        }
        #expect(!add(token, to: &book, expiresAt: 100, now: 0))
        #expect(add(token, to: &book, expiresAt: 200, now: 100))
        let grant = JoinGrant(
            identity: Sample.identity(4),
            authority: "",
            certificate: "",
            founders: Sample.members,
            group: Sample.members,
            timers: GroupTimers()
        )
        book.note(.done(publicKey: "p", grant), of: token.secret)
        #expect(book.token(token.secret, now: 100)?.authorityKey == "")
    }

    @Test("an answer is read as it was written; one that says nothing is none")
    func coding() throws {
        let grant = JoinGrant(
            identity: Sample.identity(4),
            authority: "a",
            certificate: "c",
            founders: Sample.members,
            group: Sample.members,
            timers: GroupTimers(heartbeatMilliseconds: 70)
        )
        let message = Brokerfs_Peer_Joined(grant)
        #expect(try JoinGrant(message, name: "n4") == grant)
        let spoilings: [(inout Brokerfs_Peer_Joined) -> Void] = [
            { $0.memberID = 0 }, { $0.clusterID = "a/b" }, { $0.founders = [] },
            { $0.group[0].id = 0 }, { $0.group[0].name = ".." }, { $0.group[0].address = "x" },
        ]
        for spoil in spoilings {
            var spoilt = message
            spoil(&spoilt)
            #expect(throws: PeerCodingError.self) { try JoinGrant(spoilt, name: "n4") }
        }
    }

    @Test("whoever has no certificate may send one small frame, and no hello")
    func strangers() async throws {
        let node = try AdmittingNode()
        _ = try node.token()
        let stranger = try RawPeer(stranger: Sample.identity(2))
        defer { stranger.end() }
        try stranger.connect(to: try node.address.port)
        stranger.send(bytes: [0, 0x10, 0, 0] + [UInt8](repeating: 0, count: 20_000))
        #expect(eventually { stranger.hasEnded })

        try stranger.connect(to: try node.address.port)
        stranger.hello(to: 1)
        #expect(eventually { stranger.refusal == .certificate })
    }
}
