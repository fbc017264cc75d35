// SPDX-License-Identifier: Apache-2.0

import Identity
import Store

/// The state machine without indexes: a table of records, from which all else is recomputed.
struct RecordModel {
    struct Stored {
        var record: Record
        var facts: RecordFacts
        var version: UInt64
        var modifiedAt: Timestamp
    }

    struct Key: Hashable {
        let type: [UInt8]
        let id: [UInt8]

        init(_ type: RecordType, _ id: String) {
            self.type = Array(type.url.utf8)
            self.id = Array(id.utf8)
        }
    }

    struct Tombstone {
        var type: RecordType
        var id: String
        /// Nil: for ever.
        var keepUntil: Timestamp?
    }

    var records: [Key: Stored] = [:]
    var tombstones: [Key: Tombstone] = [:]
    var changes: [Change] = []
    var options: [(type: RecordType, options: RecordOptions)] = []
    /// In the order of their first record.
    var types: [RecordType] = []
    var recordVersion: UInt64 = 0
    var earliestChange: UInt64 = 1
    var at = Timestamp.epoch
    /// How many commands there were, refused ones among them: the index of the last.
    var index: UInt64 = 0
    var revocations: [Revocation] = []
    var members: [GroupMember] = []
    var lastMemberID: UInt64 = 0

    /// Runs a command as a whole or not at all.
    mutating func apply(_ command: Command) -> Result<UInt64, CommandError> {
        // Time never runs backwards, also where the command is refused.
        at = max(at, command.at)
        index += 1
        var next = self
        do throws(CommandError) {
            let count = try next.run(command.kind)
            self = next
            return .success(count)
        } catch {
            return .failure(error)
        }
    }

    func sorted(_ type: RecordType) -> [Stored] {
        records.values.filter { $0.record.type == type }.sorted { $0.version < $1.version }
    }

    func members(of group: String) -> [String] {
        sorted(.directoryUser)
            .filter { $0.facts.groupIDs.contains { $0.utf8.elementsEqual(group.utf8) } }
            .map(\.record.id)
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    func sessions(of user: String) -> [String] {
        sorted(.session)
            .filter { $0.facts.userID.utf8.elementsEqual(user.utf8) }
            .map(\.record.id)
    }

    func exists(_ type: RecordType, _ id: String) -> Bool { records[Key(type, id)] != nil }

    func hasGroup(_ group: String) -> Bool {
        exists(.directoryGroup, group) || !members(of: group).isEmpty
    }

    func hasPrincipal(_ user: String) -> Bool {
        exists(.user, user) || exists(.directoryUser, user) || !sessions(of: user).isEmpty
    }

    func options(of type: RecordType) -> RecordOptions? {
        options.first { $0.type == type }?.options
    }

    /// The names a listing has.
    func names(in collection: IdentityCollection) -> [String] {
        switch collection {
        case .types: types.map(\.url)
        case .records(let type): sorted(type).map(\.record.id)
        case .principals: (Universe.users + ["bot"]).filter(hasPrincipal)
        case .groups: Universe.groups.filter(hasGroup)
        case .sessions(let user): sessions(of: user)
        case .members(let group): members(of: group)
        case .revocations: revocations.map { "\($0.receipt.index)" }
        case .contextSources:
            Universe.sources.filter { !names(in: .contextKeys(source: $0)).isEmpty }
        case .contextKeys(let source):
            sorted(.context).map(\.record.id)
                .filter { $0.utf8.starts(with: "\(source)/".utf8) }
                .map { String(decoding: $0.utf8.dropFirst(source.utf8.count + 1), as: UTF8.self) }
        }
    }

    /// What a reader of this state must see.
    func view() -> RecordView {
        var view: RecordView = [:]
        for stored in records.values {
            let record = stored.record
            view["record|\(record.type.url)|\(plain(record.id))"] = ViewLine.record(
                record,
                version: stored.version,
                modifiedAt: stored.modifiedAt,
                facts: stored.facts
            )
        }
        for tombstone in tombstones.values {
            view["tombstone|\(tombstone.type.url)|\(plain(tombstone.id))"] = ""
        }
        for (type, options) in options { view["options|\(type.url)"] = ViewLine.options(options) }
        for change in changes where change.version >= earliestChange {
            view["change|\(change.version)"] = ViewLine.change(change)
        }
        view["metadata"] = "\(recordVersion) \(earliestChange) \(lastMemberID)"
        for receipt in revocations {
            view["receipt|\(receipt.receipt.index)"] = ViewLine.receipt(receipt)
        }
        for member in members { view["member|\(member.id)"] = "\(member.name) \(member.address)" }
        viewListings(&view)
        viewRows(&view)
        return view
    }

    private func viewListings(_ view: inout RecordView) {
        for collection in Universe.collections {
            let names = names(in: collection)
            for name in names {
                view["listed|\(line(collection))|\(plain(name))"] = ""
                if name == Universe.long {
                    view["suffix|\(line(collection))"] = plain(name)
                }
            }
            switch collection {
            case .records(let type) where types.contains(type):
                let bytes = sorted(type).reduce(0) { $0 + Int($1.facts.documentBytes) }
                view["statistics|\(line(collection))"] = "\(names.count) \(bytes)"
            case .revocations: view["statistics|\(line(collection))"] = "\(names.count) 0"
            case .contextKeys where !names.isEmpty:
                view["statistics|\(line(collection))"] = "\(names.count) 0"
            default: break
            }
        }
    }

    private func viewRows(_ view: inout RecordView) {
        for user in Universe.users + Universe.accounts where hasPrincipal(user) {
            view["principal|\(plain(user))"] = ViewLine.principal(
                user: exists(.user, user),
                directoryUser: exists(.directoryUser, user),
                sessions: sessions(of: user).count
            )
        }
        for group in Universe.groups where hasGroup(group) {
            let members = members(of: group)
            view["group|\(plain(group))"] = ViewLine.group(
                record: exists(.directoryGroup, group),
                members: members.count,
                bytes: members.map { "\($0)\n" }.joined().utf8.count
            )
            guard !members.isEmpty else { continue }
            view["members|\(plain(group))"] = members.map(plain).joined(separator: "\n")
        }
    }
}
