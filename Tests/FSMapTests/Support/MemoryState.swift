// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity

/// Identity state in dictionaries: copies are snapshots, and changes say what they did.
///
/// Keys are bytes and not strings, which compare by canonical equivalence. Times of directories
/// move with every write below them, the strictest reading of what a view may do.
struct MemoryState: IdentityView {
    typealias Bytes = [UInt8]

    struct Listing {
        var number: UInt64
        var numbers: [Bytes: UInt64] = [:]
        var entries: [CollectionEntry] = []
        var modifiedAt = Timestamp.epoch
    }

    struct Principal {
        var number: UInt64
        var sessionsModifiedAt: Timestamp
        var modifiedAt: Timestamp
    }

    struct Group {
        var number: UInt64
        var membersModifiedAt: Timestamp
        var modifiedAt: Timestamp
        var version: UInt64
    }

    var records: [Bytes: StoredRecord] = [:]
    var revoked: Set<Bytes> = []
    var listings: [Bytes: Listing] = [:]
    var principals: [Bytes: Principal] = [:]
    var groups: [Bytes: Group] = [:]
    var revocations: [UInt64: Revocation] = [:]
    var progress: [UInt64: [NodeProgress]] = [:]
    /// The index of the last command.
    var index: UInt64 = 0
    var log = EventLog(bytesMax: 4096)
    var cluster = ClusterState(
        role: "leader",
        leader: "n1",
        term: 3,
        writable: true,
        applied: 7,
        committed: 7,
        lagMilliseconds: 0,
        nodes: [
            ClusterNode(name: "n1", address: "10.0.0.1", role: "leader", state: "ok", applied: 7),
            ClusterNode(
                name: "n 2",
                address: "10.0.0.2",
                role: "follower",
                state: "ok",
                applied: 6
            ),
        ]
    )
    private var lastNumber: UInt64 = 0
    var version: UInt64 = 0
    var now = Timestamp(seconds: 1_800_000_000)
    var effects: [Effect] = []

    // MARK: Numbers and listings

    mutating func nextNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    static func key(_ type: RecordType, _ id: String) -> Bytes {
        Array(type.url.utf8) + [0] + Array(id.utf8)
    }

    static func key(_ collection: IdentityCollection) -> Bytes {
        switch collection {
        case .types: Array("types".utf8)
        case .records(let type): Array("records\0\(type.url)".utf8)
        case .principals: Array("principals".utf8)
        case .groups: Array("groups".utf8)
        case .sessions(let user): Array("sessions\0\(user)".utf8)
        case .members(let group): Array("members\0\(group)".utf8)
        case .revocations: Array("revocations".utf8)
        case .contextSources: Array("sources".utf8)
        case .contextKeys(let source): Array("keys\0\(source)".utf8)
        }
    }

    /// Adds a name; says so where it is not a record type's listing.
    mutating func list(_ collection: IdentityCollection, _ id: String, number: UInt64) {
        let key = Self.key(collection)
        if listings[key] == nil { listings[key] = Listing(number: nextNumber()) }
        guard listings[key]?.numbers[Array(id.utf8)] == nil else { return }
        listings[key]?.numbers[Array(id.utf8)] = number
        let entries = listings[key]?.entries ?? []
        let index = entries.firstIndex { $0.number > number } ?? entries.count
        listings[key]?.entries.insert(CollectionEntry(number: number, id: id), at: index)
        listings[key]?.modifiedAt = now
        if case .records = collection { return }
        effects.append(.listed(collection, id: id))
    }

    mutating func unlist(_ collection: IdentityCollection, _ id: String) {
        let key = Self.key(collection)
        guard let number = listings[key]?.numbers.removeValue(forKey: Array(id.utf8)) else {
            return
        }
        listings[key]?.entries.removeAll { $0.number == number }
        listings[key]?.modifiedAt = now
        if case .records = collection { return }
        effects.append(.unlisted(collection, id: id))
    }

    mutating func touch(_ collection: IdentityCollection) {
        listings[Self.key(collection)]?.modifiedAt = now
    }

    // MARK: IdentityView

    func header(_ type: RecordType, _ id: String) -> RecordHeader? { record(type, id)?.header }

    func record(_ type: RecordType, _ id: String) -> StoredRecord? {
        records[Self.key(type, id)]
    }

    func isRevoked(session id: String) -> Bool { revoked.contains(Array(id.utf8)) }

    func number(of id: String, in collection: IdentityCollection) -> UInt64? {
        listings[Self.key(collection)]?.numbers[Array(id.utf8)]
    }

    func entries(
        in collection: IdentityCollection,
        after number: UInt64,
        limit: Int
    ) -> [CollectionEntry] {
        let entries = listings[Self.key(collection)]?.entries ?? []
        return Array(entries.lazy.filter { $0.number > number }.prefix(limit))
    }

    func id(withNameSuffix suffix: String, in collection: IdentityCollection) -> String? {
        listings[Self.key(collection)]?.entries
            .first { Digest.nameSuffix(of: $0.id) == suffix }?.id
    }

    func statistics(of collection: IdentityCollection) -> CollectionStatistics? {
        guard let listing = listings[Self.key(collection)] else {
            if case .contextKeys = collection { return nil }
            return CollectionStatistics(
                number: 0,
                count: 0,
                documentBytes: 0,
                modifiedAt: .epoch
            )
        }
        var bytes = 0
        if case .records(let type) = collection {
            bytes = listing.entries.reduce(0) {
                $0 + Int(record(type, $1.id)?.header.facts.documentBytes ?? 0)
            }
        }
        return CollectionStatistics(
            number: listing.number,
            count: UInt64(listing.entries.count),
            documentBytes: UInt64(bytes),
            modifiedAt: listing.modifiedAt
        )
    }

    func principal(_ id: String) -> PrincipalState? {
        principals[Array(id.utf8)].map {
            PrincipalState(
                number: $0.number,
                hasUser: record(.user, id) != nil,
                hasDirectoryUser: record(.directoryUser, id) != nil,
                sessionCount: statistics(of: .sessions(ofUser: id))?.count ?? 0,
                sessionsModifiedAt: $0.sessionsModifiedAt,
                modifiedAt: $0.modifiedAt
            )
        }
    }

    func group(_ id: String) -> GroupState? {
        groups[Array(id.utf8)].map {
            let members = listings[Self.key(.members(ofGroup: id))]?.entries ?? []
            return GroupState(
                number: $0.number,
                hasRecord: record(.directoryGroup, id) != nil,
                memberCount: UInt64(members.count),
                memberBytes: members.reduce(0) { $0 + UInt64($1.id.utf8.count) + 1 },
                membersModifiedAt: $0.membersModifiedAt,
                modifiedAt: $0.modifiedAt,
                version: $0.version
            )
        }
    }

    func members(of group: String, after user: String?, limit: Int) -> [String] {
        let last = user.map { Array($0.utf8) } ?? []
        return (listings[Self.key(.members(ofGroup: group))]?.numbers.keys ?? [:].keys)
            .filter { last.lexicographicallyPrecedes($0) }
            .sorted { $0.lexicographicallyPrecedes($1) }
            .prefix(limit)
            .map { String(decoding: $0, as: UTF8.self) }
    }

    func revocation(_ index: UInt64) -> Revocation? { revocations[index] }

    func progress(ofRevocation index: UInt64) -> [NodeProgress] { progress[index] ?? [] }

    var events: EventLog { log }
}
