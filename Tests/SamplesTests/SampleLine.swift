// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Identity
import Samples
import Testing

/// A line as a reader of JSON sees it, who knows nothing of brokerfs.
struct SampleLine: Decodable {
    struct Fields: Decodable {
        struct IDToken: Decodable {
            var raw: String
        }

        struct OAuthToken: Decodable {
            var access_token: String
            var refresh_token: String?
        }

        var user_id: String?
        var group_ids: [String]?
        var issued_at: Date?
        var accessed_at: Date?
        var claims: [String: Ignored]?
        var id_token: IDToken?
        var oauth_token: OAuthToken?
        var text: String?
    }

    /// A value of any shape.
    struct Ignored: Decodable {
        init(from decoder: any Decoder) {}
    }

    var type: String
    var id: String
    var data: Fields

    init(_ text: String) throws {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        self = try decoder.decode(Self.self, from: Data(text.utf8))
    }
}

/// The numbers a generator is asked for.
struct Shape: CustomTestStringConvertible {
    var sessions = 0
    var users = 0
    var groups = 0
    var memberships = 0
    var contextValues = 0
    var serviceAccounts = 0

    static let now = Timestamp(seconds: 1_795_442_531)

    func generator(seed: UInt64, expiresAt: Timestamp? = nil) throws -> Generator {
        try Generator(
            seed: seed,
            sessions: sessions,
            users: users,
            groups: groups,
            memberships: memberships,
            now: Self.now,
            contextValues: contextValues,
            serviceAccounts: serviceAccounts,
            expiresAt: expiresAt
        )
    }

    var testDescription: String {
        "\(sessions) sessions, \(users) users, \(groups) groups, \(memberships) memberships, "
            + "\(contextValues) context values, \(serviceAccounts) service accounts"
    }

    /// From nothing at all over odd corners to a small company.
    static let all = [
        Shape(),
        Shape(groups: 3),
        Shape(users: 1, groups: 1, memberships: 1),
        Shape(sessions: 5, users: 1),
        Shape(users: 7, groups: 4, memberships: 5),
        Shape(users: 6, groups: 9, memberships: 54, contextValues: 40),
        Shape(
            sessions: 60,
            users: 48,
            groups: 15,
            memberships: 211,
            contextValues: 25,
            serviceAccounts: 9
        ),
    ]

    static let seeds: [UInt64] = [0, 42, .max]
}

extension Generator {
    /// The parsed lines of one type.
    func lines(of type: RecordType) throws -> [SampleLine] {
        try map(SampleLine.init).filter { $0.type == type.name }
    }
}
