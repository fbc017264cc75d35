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
    /// Who was in the group when the file was made: whoever joins later is spoken to by these, and
    /// its log says who they are only at its end.
    package var group: [GroupMember]

    /// Joins the parts; `group` nil for a founder, who begins with the founders alone.
    package init(
        clusterID: String,
        member: UInt64,
        name: String,
        incarnation: UInt64,
        founders: [GroupMember],
        group: [GroupMember]? = nil
    ) {
        self.clusterID = clusterID
        self.member = member
        self.name = name
        self.incarnation = incarnation
        self.founders = founders
        self.group = group ?? founders
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

            init(_ member: GroupMember) {
                (id, name, address) = (member.id, member.name, member.address)
            }
        }
        var format: Int
        var cluster: String
        var member: UInt64
        var name: String
        var incarnation: UInt64
        var founders: [Member]
        /// Absent where it is the same.
        var group: [Member]?
    }

    /// The bytes of the file: JSON.
    package func encoded() -> [UInt8] {
        let text = Text(
            format: Self.format,
            cluster: clusterID,
            member: member,
            name: name,
            incarnation: incarnation,
            founders: founders.map { .init($0) },
            group: group == founders ? nil : group.map { .init($0) }
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
        self.init(
            clusterID: text.cluster,
            member: text.member,
            name: text.name,
            incarnation: text.incarnation,
            founders: try Self.members(text.founders, at: path),
            group: try text.group.map { (group) throws(BootstrapError) in
                try Self.members(group, at: path)
            }
        )
    }

    private static func members(
        _ texts: [Text.Member],
        at path: String
    ) throws(BootstrapError) -> [GroupMember] {
        var members: [GroupMember] = []
        for text in texts {
            try MemberName.validate(text.name)
            let address = try HostPort(text.address).text
            guard text.id > members.last?.id ?? 0 else {
                throw .content(path: path, reason: "the members are not in order")
            }
            members.append(GroupMember(id: text.id, name: text.name, address: address))
        }
        guard !members.isEmpty else { throw .content(path: path, reason: "names no members") }
        return members
    }
}
