// SPDX-License-Identifier: Apache-2.0

import Identity

/// Keys of the state store: one byte of keyspace, then parts that end in NUL.
///
/// Ids and type URLs hold no NUL (``RecordID/validate(_:)``), so no key is a prefix of another
/// key's part and byte order is the order of the parts. Numbers are big-endian: byte order is
/// numeric order. The keyspaces are the on-disk format; see docs/FORMAT.md.
enum Key {
    enum Space: UInt8 {
        case metadata = 1
        case header = 2
        case payload = 3
        case change = 4
        case listing = 5
        case member = 6
        case nameSuffix = 7
        case principal = 8
        case group = 9
        case statistics = 10
        case options = 11
        case tombstone = 12
        case expiry = 13
        case recency = 14
        case tombstoneExpiry = 15
        case groupMembers = 16
        case origin = 17
        case originOrder = 18
        case revocation = 19
        case revocationOrder = 20
    }

    static let metadata: [UInt8] = [Space.metadata.rawValue]
    static let groupMembers: [UInt8] = [Space.groupMembers.rawValue]

    static func origin(_ origin: RequestOrigin) -> [UInt8] {
        [Space.origin.rawValue] + bigEndian(origin.client) + bigEndian(origin.sequence)
    }

    /// Which origin is the `ordinal`th that is remembered: the value ends as its key does.
    static func originOrder(_ ordinal: UInt64) -> [UInt8] {
        [Space.originOrder.rawValue] + bigEndian(ordinal)
    }

    static func revocation(_ index: UInt64) -> [UInt8] {
        [Space.revocation.rawValue] + bigEndian(index)
    }

    /// The index of the `ordinal`th receipt.
    static func revocationOrder(_ ordinal: UInt64) -> [UInt8] {
        [Space.revocationOrder.rawValue] + bigEndian(ordinal)
    }

    static func header(_ type: RecordType, _ id: String) -> [UInt8] {
        key(.header, type.url, id)
    }

    static func payload(_ type: RecordType, _ id: String) -> [UInt8] {
        key(.payload, type.url, id)
    }

    static func change(_ version: UInt64) -> [UInt8] {
        [Space.change.rawValue] + bigEndian(version)
    }

    /// A name in a listing, by number.
    static func listing(_ collection: IdentityCollection, _ number: UInt64) -> [UInt8] {
        let (letter, owner) = collection.identity
        var key: [UInt8] = []
        key.reserveCapacity(letter.utf8.count + owner.utf8.count + 10)
        key.append(Space.listing.rawValue)
        key.append(contentsOf: letter.utf8)
        key.append(contentsOf: owner.utf8)
        key.append(0)
        append(number, to: &key)
        return key
    }

    static func member(group: String, user: String) -> [UInt8] {
        key(.member, group, user)
    }

    /// The members of a group whose ids are above `user`; nil: all.
    static func membersStart(group: String, after user: String?) -> [UInt8] {
        guard let user else { return key(.member, group) }
        return key(.member, group, user) + [0]
    }

    static func membersEnd(group: String) -> [UInt8] {
        successor(of: key(.member, group))
    }

    static func nameSuffix(_ suffix: String, in collection: IdentityCollection) -> [UInt8] {
        [Space.nameSuffix.rawValue] + prefix(of: collection) + Array(suffix.utf8)
    }

    static func principal(_ id: String) -> [UInt8] { key(.principal, id) }
    static func group(_ id: String) -> [UInt8] { key(.group, id) }
    static func options(_ type: RecordType) -> [UInt8] { key(.options, type.url) }

    static func tombstone(_ type: RecordType, _ id: String) -> [UInt8] {
        key(.tombstone, type.url, id)
    }

    static func statistics(_ collection: IdentityCollection) -> [UInt8] {
        [Space.statistics.rawValue] + prefix(of: collection)
    }

    static func expiry(_ at: Timestamp, _ type: RecordType, _ id: String) -> [UInt8] {
        key(.expiry, clamped(at.seconds), type.url, id)
    }

    /// Everything that expires before `at`, whole seconds.
    static func expiryEnd(_ at: Timestamp) -> [UInt8] {
        [Space.expiry.rawValue] + bigEndian(clamped(at.seconds))
    }

    static func tombstoneExpiry(_ at: Timestamp, _ type: RecordType, _ id: String) -> [UInt8] {
        key(.tombstoneExpiry, clamped(at.seconds), type.url, id)
    }

    static func tombstoneExpiryEnd(_ at: Timestamp) -> [UInt8] {
        [Space.tombstoneExpiry.rawValue] + bigEndian(clamped(at.seconds))
    }

    /// The records of a type in the order of their last change.
    static func recency(_ type: RecordType, _ version: UInt64) -> [UInt8] {
        key(.recency, type.url) + bigEndian(version)
    }

    static func recencyStart(_ type: RecordType) -> [UInt8] { key(.recency, type.url) }

    /// The smallest key above every key that starts with `prefix`.
    static func successor(of prefix: [UInt8]) -> [UInt8] {
        var end = prefix
        while let last = end.popLast() {
            if last < 0xFF { return end + [last + 1] }
        }
        return [0xFF]
    }

    static func bigEndian(_ number: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8)
        append(number, to: &bytes)
        return bytes
    }

    private static func append(_ number: UInt64, to key: inout [UInt8]) {
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            key.append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }

    static func number(at end: ArraySlice<UInt8>) -> UInt64 {
        end.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The last two NUL-terminated parts of an expiry key: type and id.
    static func typeAndID(in key: [UInt8]) -> (RecordType, String)? {
        let parts = key.dropFirst(9).split(separator: 0, omittingEmptySubsequences: false)
        guard parts.count >= 2 else { return nil }
        return (
            RecordType(String(decoding: parts[0], as: UTF8.self)),
            String(decoding: parts[1], as: UTF8.self)
        )
    }

    /// The user of a membership key.
    static func user(in key: [UInt8], group: String) -> String {
        String(decoding: key.dropFirst(group.utf8.count + 2).dropLast(), as: UTF8.self)
    }

    /// Times before the epoch sort as the epoch: such a record is past its time in any case.
    private static func clamped(_ seconds: Int64) -> UInt64 { UInt64(max(0, seconds)) }

    private static func key(_ space: Space, _ parts: String...) -> [UInt8] {
        var key: [UInt8] = []
        key.reserveCapacity(1 + parts.reduce(0) { $0 + $1.utf8.count + 1 })
        key.append(space.rawValue)
        for part in parts {
            key.append(contentsOf: part.utf8)
            key.append(0)
        }
        return key
    }

    private static func key(
        _ space: Space,
        _ number: UInt64,
        _ type: String,
        _ id: String
    ) -> [UInt8] {
        var key: [UInt8] = []
        key.reserveCapacity(type.utf8.count + id.utf8.count + 11)
        key.append(space.rawValue)
        append(number, to: &key)
        for part in [type, id] {
            key.append(contentsOf: part.utf8)
            key.append(0)
        }
        return key
    }

    /// One letter for the kind of listing, then its owner.
    private static func prefix(of collection: IdentityCollection) -> [UInt8] {
        let (letter, owner) = collection.identity
        return Array(letter.utf8) + Array(owner.utf8) + [0]
    }
}
