// SPDX-License-Identifier: Apache-2.0

import Identity

/// Who is in the group, as `nodes` and `cluster members` show it; keys of the JSON are added, never
/// renamed.
struct GroupReport: Encodable {
    struct Node: Encodable {
        var id: UInt64
        var name: String
        var address: String
        var role: String
        var state: String
        var voter: Bool
        var applied: UInt64
    }

    var cluster: String
    var leader: String
    var term: UInt64
    var voters: Int
    var quorum: Int
    var reachable: Int
    var nodes: [Node]

    /// Counts what a node said of its group.
    init(_ members: Brokerfs_Admin_Members) {
        cluster = members.clusterID
        leader = members.leader
        term = members.term
        nodes = members.nodes.map {
            Node(
                id: $0.id,
                name: $0.name,
                address: $0.address,
                role: $0.role,
                state: $0.state,
                voter: $0.role != "learner",
                applied: $0.applied
            )
        }
        voters = nodes.count { $0.voter }
        quorum = voters / 2 + 1
        reachable = nodes.count { $0.voter && $0.state == "ok" }
    }

    /// What the group can bear.
    var arithmetic: String {
        let bears = reachable - quorum
        let counts = "\(voters) \(voters == 1 ? "voter" : "voters"), quorum \(quorum)"
        let now = reachable == voters ? "" : ", \(reachable) reachable"
        guard reachable >= quorum else { return counts + now + ": no changes until more are" }
        let further = reachable == voters ? "" : "further "
        if bears == 0 { return counts + now + ": bears no \(further)loss" }
        return counts + now + ": bears the \(further)loss of \(bears)"
    }

    /// One line for each node, in columns.
    var table: [String] {
        let rows = nodes.map {
            [
                $0.name, $0.id == 0 ? "-" : "\($0.id)", $0.address.isEmpty ? "-" : $0.address,
                $0.role, $0.state, "\($0.applied)",
            ]
        }
        return Table.lines([["NAME", "ID", "ADDRESS", "ROLE", "STATE", "APPLIED"]] + rows)
    }
}

/// Text in columns.
enum Table {
    /// Pads all but the last cell of each row to the width of its column.
    static func lines(_ rows: [[String]]) -> [String] {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in
            rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { row in
            row.enumerated().map { column, cell in
                let isLast = column == row.count - 1
                return isLast ? cell : cell.padding(to: widths[column])
            }
            .joined(separator: "  ")
        }
    }
}

extension String {
    /// Spaces behind it up to a width; never cut.
    func padding(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
