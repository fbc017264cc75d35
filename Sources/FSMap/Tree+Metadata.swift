// SPDX-License-Identifier: Apache-2.0

import Identity

/// The extended attributes `user.brokerfs.*` (PRODUCT section 1).
enum Metadata: String, CaseIterable {
    case id, type, version, user
    case modifiedAt = "modified_at"
    case expiresAt = "expires_at"

    private static let prefix = "user.brokerfs."

    var name: String { Self.prefix + rawValue }

    init?(name: String) {
        guard name.hasPrefix(Self.prefix) else { return nil }
        self.init(rawValue: String(name.dropFirst(Self.prefix.count)))
    }

    /// ACLs and security labels are not kept here; tools that copy them go on without.
    static func isForeign(_ name: String) -> Bool {
        name.hasPrefix("security.") || name.hasPrefix("system.") || name.hasPrefix("trusted.")
    }
}

/// Metadata of nodes.
extension Tree {
    /// The attributes a node has, in a fixed order.
    func metadata(
        of node: Node,
        in view: any IdentityView
    ) throws(FSError) -> [(key: Metadata, value: String)] {
        switch node {
        case .user(let id), .serviceAccount(let id), .group(let id), .contextSource(let id),
            .member(_, let id), .clusterNode(let id):
            return [(.id, id)]
        case .recordType(let type): return [(.id, type.url)]
        default: break
        }
        guard let (type, id) = node.record, let header = try header(type, id, in: view)
        else { return [] }
        var values: [(key: Metadata, value: String)] = [
            (.id, id), (.type, type.url), (.version, "\(header.version)"),
            (.modifiedAt, header.modifiedAt.text),
        ]
        if let expiresAt = header.facts.expiresAt { values.append((.expiresAt, expiresAt.text)) }
        if !header.facts.userID.isEmpty { values.append((.user, header.facts.userID)) }
        return values
    }

    /// Files and bytes of all records, for `statfs`.
    func totals(in view: any IdentityView) throws(FSError) -> (files: UInt64, bytes: UInt64) {
        var files: UInt64 = 0
        var bytes: UInt64 = 0
        var last: UInt64 = 0
        while true {
            let page = try Self.ask { () throws(ViewError) in
                try view.entries(in: .types, after: last, limit: Self.pageEntries)
            }
            for type in page {
                let statistics = try Self.ask { () throws(ViewError) in
                    try view.statistics(of: .records(RecordType(type.id)))
                }
                files += statistics?.count ?? 0
                bytes += statistics?.documentBytes ?? 0
            }
            guard page.count == Self.pageEntries, let end = page.last else { break }
            last = end.number
        }
        return (files, bytes)
    }
}
