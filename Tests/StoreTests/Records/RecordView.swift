// SPDX-License-Identifier: Apache-2.0

import Identity
import Store

/// Everything a reader can see, as flat text: two states are equal where their lines are.
///
/// Keys are `kind|…`, with names escaped so that canonically equal strings stay different.
typealias RecordView = [String: String]

/// The names that random commands use; a view looks at nothing else.
enum Universe {
    static let long = String(repeating: "long-", count: 20)
    /// Pairs that Swift takes for equal strings although their bytes differ.
    static let users = ["alice", "bob", "Kevin", "\u{212A}evin", "\u{E9}", "e\u{301}", long]
    static let groups = ["oncall", "\u{E9}", "e\u{301}", long, "staff"]
    static let sessions = (0..<20).map { "s\($0)" } + [long]
    static let accounts = ["bot", "alice"]
    static let contexts = ["risk/alice", "risk/a/b", "posture/bob", "posture/\u{301}x"]
    static let sources = ["risk", "posture"]
    static let otherType = "example.com/Thing"
    static let types: [RecordType] = [
        .session, .user, .serviceAccount, .directoryUser, .directoryGroup, .context,
        RecordType(otherType),
    ]
    static let others = ["t1", "t2"]

    static func ids(of type: RecordType) -> [String] {
        switch type {
        case .session: sessions
        case .user, .directoryUser: users
        case .serviceAccount: accounts
        case .directoryGroup: groups
        case .context: contexts
        default: others
        }
    }

    static var collections: [IdentityCollection] {
        [.types, .principals, .groups, .contextSources, .revocations]
            + types.map { .records($0) }
            + users.map { .sessions(ofUser: $0) }
            + [.sessions(ofUser: "bot")]
            + groups.map { .members(ofGroup: $0) }
            + sources.map { .contextKeys(source: $0) }
    }
}

/// A name with everything but ASCII spelled out.
func plain(_ text: String) -> String {
    text.unicodeScalars.map { $0.isASCII ? String($0) : "<\($0.value)>" }.joined()
}

func line(_ collection: IdentityCollection) -> String {
    "\(collection.identity.letter)|\(plain(collection.identity.owner))"
}

enum ViewLine {
    static func record(
        _ record: Record,
        version: UInt64,
        modifiedAt: Timestamp,
        facts: RecordFacts
    ) -> String {
        let groups = facts.groupIDs.map(plain).joined(separator: ",")
        let expires = facts.expiresAt?.text ?? "-"
        let payload = record.payload.reduce(14_695_981_039_346_656_037 as UInt64) {
            ($0 ^ UInt64($1)) &* 1_099_511_628_211
        }
        return "v\(version) \(modifiedAt.text) \(plain(facts.userID)) [\(groups)] \(expires) "
            + "\(facts.documentBytes) \(record.dataTypeURL) \(record.payload.count) \(payload)"
    }

    static func receipt(_ revocation: Revocation) -> String {
        let receipt = revocation.receipt
        return "\(plain(revocation.target?.text ?? "-")) \(revocation.reason) "
            + "\(revocation.count) t\(receipt.term) \(receipt.acceptedAt.text)"
    }

    static func change(_ change: Change) -> String {
        "\(change.kind) \(change.type.url) \(plain(change.id)) \(change.at.text) "
            + "\(plain(change.userID)) \(change.reason)"
    }

    static func principal(user: Bool, directoryUser: Bool, sessions: Int) -> String {
        "user \(user) directory \(directoryUser) sessions \(sessions)"
    }

    static func group(record: Bool, members: Int, bytes: Int) -> String {
        "record \(record) members \(members) bytes \(bytes)"
    }

    static func options(_ options: RecordOptions) -> String {
        "\(options.capacity ?? 0) \(options.ttlSeconds ?? -1) \(options.indexableFields)"
    }
}

/// What is wrong with a listing, whatever it holds.
struct ListingFault: Error, CustomStringConvertible {
    let description: String
}

extension RecordReader {
    /// Everything the universe's names lead to, and the object number of each listed name.
    func view(numbers: inout [String: UInt64]) throws -> RecordView {
        var view: RecordView = [:]
        try viewRecords(&view)
        for collection in Universe.collections { try viewListing(collection, &view, &numbers) }
        for user in Universe.users + Universe.accounts {
            if let row = try principal(user) {
                view["principal|\(plain(user))"] = ViewLine.principal(
                    user: row.hasUser,
                    directoryUser: row.hasDirectoryUser,
                    sessions: Int(row.sessionCount)
                )
            }
        }
        for group in Universe.groups {
            if let row = try self.group(group) {
                view["group|\(plain(group))"] = ViewLine.group(
                    record: row.hasRecord,
                    members: Int(row.memberCount),
                    bytes: Int(row.memberBytes)
                )
            }
            let members = try members(of: group, after: nil, limit: .max)
            guard !members.isEmpty else { continue }
            view["members|\(plain(group))"] = members.map(plain).joined(separator: "\n")
        }
        let metadata = try metadata()
        view["metadata"] =
            "\(metadata.recordVersion) \(metadata.earliestChange) \(metadata.lastMemberID)"
        for receipt in try revocations(after: 0, limit: .max) {
            view["receipt|\(receipt.receipt.index)"] = ViewLine.receipt(receipt)
            guard try revocation(receipt.receipt.index) == receipt else {
                throw ListingFault(description: "receipt \(receipt.receipt.index) is two")
            }
        }
        for member in metadata.members {
            view["member|\(member.id)"] = "\(member.name) \(member.address)"
        }
        guard
            case .changes(let changes) = try changes(
                after: metadata.earliestChange - 1,
                limit: .max
            )
        else { throw ListingFault(description: "the change log has a gap") }
        for change in changes { view["change|\(change.version)"] = ViewLine.change(change) }
        return view
    }

    private func viewRecords(_ view: inout RecordView) throws {
        for type in Universe.types {
            for id in Universe.ids(of: type) {
                if let stored = try record(type, id) {
                    view["record|\(type.url)|\(plain(id))"] = ViewLine.record(
                        stored.record,
                        version: stored.header.version,
                        modifiedAt: stored.header.modifiedAt,
                        facts: stored.header.facts
                    )
                }
                if try isRevoked(type, id) { view["tombstone|\(type.url)|\(plain(id))"] = "" }
            }
            if let options = try options(type) {
                view["options|\(type.url)"] = ViewLine.options(options)
            }
        }
    }

    private func viewListing(
        _ collection: IdentityCollection,
        _ view: inout RecordView,
        _ numbers: inout [String: UInt64]
    ) throws {
        var last: UInt64 = 0
        for entry in try entries(in: collection, after: 0, limit: .max) {
            guard entry.number > last else {
                throw ListingFault(description: "\(collection) is not ascending")
            }
            last = entry.number
            guard try number(of: entry.id, in: collection) == entry.number else {
                throw ListingFault(description: "\(entry.id) in \(collection) has two numbers")
            }
            let key = "listed|\(line(collection))|\(plain(entry.id))"
            numbers[key] = entry.number
            guard view.updateValue("", forKey: key) == nil else {
                throw ListingFault(description: "\(key) is there twice")
            }
        }
        let suffix = Digest.nameSuffix(of: Universe.long)
        if let id = try id(withNameSuffix: suffix, in: collection) {
            view["suffix|\(line(collection))"] = plain(id)
        }
        if let row = try statistics(of: collection) {
            view["statistics|\(line(collection))"] = "\(row.count) \(row.documentBytes)"
        }
    }
}
