// SPDX-License-Identifier: Apache-2.0

import Foundation
package import Identity

/// Which cluster a node belongs to, as which member, and with whom that cluster began.
///
/// The same text is found in two places. The *founding file* beside the configuration allows one
/// start on an empty data directory, and is used up by it. The *record*, `<data>/cluster`, says for
/// good whose directory this is.
package struct Founding: Equatable, Sendable {
    package var clusterID: String
    package var member: UInt64
    package var name: String
    /// Drawn with the file: another one for each life of a disk.
    package var incarnation: UInt64
    /// Who was in the group at the beginning of its log, this member among them or not: whoever
    /// joins later has to begin with the same.
    package var founders: [GroupMember]

    /// Joins the parts.
    package init(
        clusterID: String,
        member: UInt64,
        name: String,
        incarnation: UInt64,
        founders: [GroupMember]
    ) {
        self.clusterID = clusterID
        self.member = member
        self.name = name
        self.incarnation = incarnation
        self.founders = founders
    }

    /// Who the file speaks of.
    package var identity: ClusterIdentity {
        ClusterIdentity(clusterID: clusterID, member: member, name: name)
    }

    /// Whether the member was there at the beginning, and not added later.
    package var isFounder: Bool { founders.contains { $0.id == member } }

    /// Draws an incarnation; its first bit is unused, for readers without unsigned numbers.
    package static func newIncarnation() -> UInt64 { .random(in: 1...UInt64(Int64.max)) }

    // MARK: - The text

    private static let format = 1

    private struct Text: Codable {
        struct Member: Codable {
            var id: UInt64
            var name: String
            var address: String
        }
        var format: Int
        var cluster: String
        var member: UInt64
        var name: String
        var incarnation: UInt64
        var founders: [Member]
    }

    /// The bytes of the file: JSON.
    package func encoded() -> [UInt8] {
        let text = Text(
            format: Self.format,
            cluster: clusterID,
            member: member,
            name: name,
            incarnation: incarnation,
            founders: founders.map { .init(id: $0.id, name: $0.name, address: $0.address) }
        )
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(text)) + [UInt8(ascii: "\n")]
        } catch {
            preconditionFailure("numbers and strings can be written as JSON: \(error)")
        }
    }

    /// Reads what ``encoded()`` wrote; `path` is named where that is not possible.
    package init(decoding bytes: [UInt8], at path: String) throws(BootstrapError) {
        let text: Text
        do {
            text = try JSONDecoder().decode(Text.self, from: Data(bytes))
        } catch {
            throw .content(path: path, reason: "is no founding file, or only a part of one")
        }
        guard text.format == Self.format else {
            throw .content(path: path, reason: "has the unknown format \(text.format)")
        }
        let identity = ClusterIdentity(
            clusterID: text.cluster,
            member: text.member,
            name: text.name
        )
        guard ClusterIdentity(uri: identity.uri) == identity, text.incarnation > 0 else {
            throw .content(path: path, reason: "names no member of a cluster")
        }
        var founders: [GroupMember] = []
        for member in text.founders {
            try MemberName.validate(member.name)
            let address = try HostPort(member.address).text
            guard member.id > founders.last?.id ?? 0 else {
                throw .content(path: path, reason: "the founders are not in order")
            }
            founders.append(GroupMember(id: member.id, name: member.name, address: address))
        }
        guard !founders.isEmpty else { throw .content(path: path, reason: "has no founders") }
        self.init(
            clusterID: text.cluster,
            member: text.member,
            name: text.name,
            incarnation: text.incarnation,
            founders: founders
        )
    }
}
