// SPDX-License-Identifier: Apache-2.0

import Identity

/// What a revocation has come to, as `revoke` prints it; keys of the JSON are added, never renamed.
struct RevocationReport: Encodable {
    /// One member, with --wait all.
    struct Node: Encodable {
        var name: String
        var reached: Bool
        /// When it had applied the revocation, and when its mounts had forgotten the sessions, by
        /// its own clock.
        var appliedAt: String?
        var forgottenAt: String?

        enum CodingKeys: String, CodingKey {
            case name, reached
            case appliedAt = "applied_at"
            case forgottenAt = "forgotten_at"
        }
    }

    var target: String
    var revoked: UInt64
    var version: UInt64
    var index: UInt64
    var term: UInt64
    var committedAt: String?
    /// Nil where it was not waited for.
    private(set) var nodes: [Node]?
    private(set) var stalenessMaxMilliseconds: UInt64?

    enum CodingKeys: String, CodingKey {
        case target, revoked, version, index, term, nodes
        case committedAt = "committed_at"
        case stalenessMaxMilliseconds = "max_staleness_ms"
    }

    /// What the node answered.
    init(_ target: String, _ applied: Brokerfs_Admin_Applied) {
        self.target = target
        revoked = applied.count
        version = applied.recordVersion
        index = applied.index
        term = applied.term
        committedAt = applied.hasAcceptedAt ? Timestamp(applied.acceptedAt).text : nil
    }

    /// Where it has arrived.
    mutating func add(_ progressed: Brokerfs_Admin_Progressed) {
        stalenessMaxMilliseconds = progressed.maxStalenessMs
        nodes = progressed.members.map { member in
            Node(
                name: member.name,
                reached: member.reached,
                appliedAt: member.reached ? Timestamp(member.appliedAt).text : nil,
                forgottenAt: member.reached ? Timestamp(member.forgottenAt).text : nil
            )
        }
    }

    /// What is said on stdout.
    var lines: [String] {
        var lines = [
            revoked == 0
                ? "\(target): nothing was left to revoke"
                : "\(target): revoked \(revoked), version \(version)"
        ]
        if let committedAt { lines.append("index \(index), term \(term), \(committedAt)") }
        guard let nodes else { return lines }
        let rows = nodes.map { node in
            guard let applied = node.appliedAt, let forgotten = node.forgottenAt else {
                return [node.name, "no answer"]
            }
            return [node.name, "applied \(applied)", "forgotten \(forgotten)"]
        }
        return lines + Table.lines(rows)
    }

    /// Where it has not arrived, and what that means; nil where it is everywhere.
    var missingText: String? {
        let missing = (nodes ?? []).filter { !$0.reached }.map(\.name)
        guard !missing.isEmpty else { return nil }
        let bound = stalenessMaxMilliseconds ?? 0
        let who = missing.count == 1 ? "it" : "they"
        return "not on \(missing.joined(separator: ", ")) yet; \(who)"
            + " may show the sessions for at most \(bound) ms more, then refuse reads until the"
            + " revocation has arrived"
    }
}
