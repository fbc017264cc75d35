// SPDX-License-Identifier: Apache-2.0

import Cluster
import Configuration
import FuseMount
import Identity
import Raft

/// How a node is a member of a group: the keys `cluster.*`.
struct ClusterSettings: Sendable {
    var id: String
    var listen: String
    /// Who is in the group, this node among them; their numbers are in the data directory.
    var members: [GroupMember]
    var authorityPath: String
    var certificatePath: String
    var keyPath: String
    /// The authority's key; without it this node admits nobody.
    var authorityKeyPath: String?
    /// Allows one start on an empty directory.
    var foundingPath: String?
    var electionTimeoutMilliseconds = 300
    var heartbeatMilliseconds = 50
    var stalenessMaxMilliseconds = 1000
    var followerWrites = FollowerWrites.refuse

    /// Timers are counted in ticks of so many milliseconds.
    static let tickMilliseconds = 10

    private static let required = [
        "cluster.id", "cluster.listen", "cluster.members", "cluster.tls.ca",
        "cluster.tls.certificate", "cluster.tls.key",
    ]

    /// The keys of the file.
    static let keys =
        required + [
            "cluster.tls.ca_key", "cluster.founding", "cluster.election_timeout_ms",
            "cluster.heartbeat_ms", "cluster.max_staleness_ms", "cluster.follower_writes",
        ]

    /// Those that are paths.
    static let pathKeys = [
        "cluster.tls.ca", "cluster.tls.certificate", "cluster.tls.key", "cluster.tls.ca_key",
        "cluster.founding",
    ]

    /// Whether any of the keys is there.
    static func isGiven(_ reader: ConfigReader) -> Bool {
        keys.contains { reader.string(forKey: ConfigKey($0)) != nil }
    }

    /// Reads the section.
    ///
    /// Throws ``Failure`` for half a section, saying what is missing, and for a bad value.
    init(_ reader: ConfigReader, node name: String?) throws {
        var missing = Self.required.filter { reader.string(forKey: ConfigKey($0)) == nil }
        if name == nil { missing.append("node") }
        guard missing.isEmpty, let name else {
            throw Failure(
                .failure,
                "the cluster section is not complete: \(missing.joined(separator: ", ")) missing"
            )
        }
        func text(_ key: String) -> String { reader.string(forKey: ConfigKey(key), default: "") }
        id = try Self.checked("cluster.id") { () throws(BootstrapError) in
            try ClusterIdentity.validated(clusterID: text("cluster.id"))
        }
        listen = try Self.checked("cluster.listen") { () throws(BootstrapError) in
            try HostPort(text("cluster.listen"), isListening: true).text
        }
        members = try Self.checked("cluster.members") { () throws(BootstrapError) in
            try MemberList.parse(text("cluster.members"))
        }
        authorityPath = text("cluster.tls.ca")
        certificatePath = text("cluster.tls.certificate")
        keyPath = text("cluster.tls.key")
        authorityKeyPath = reader.string(forKey: "cluster.tls.ca_key")
        foundingPath = reader.string(forKey: "cluster.founding")
        guard members.contains(where: { $0.name == name }) else {
            let names = members.map(\.name).joined(separator: ", ")
            throw Failure(.failure, "cluster.members: this node, \(name), is not one of \(names)")
        }
        try readTimers(reader)
        try readFollowerWrites(reader)
    }

    private mutating func readFollowerWrites(_ reader: ConfigReader) throws {
        guard let text = reader.string(forKey: "cluster.follower_writes") else { return }
        guard let value = FollowerWrites(rawValue: text) else {
            let all = FollowerWrites.allCases.map(\.rawValue).joined(separator: ", ")
            throw Failure(.failure, "cluster.follower_writes: \(text) is not one of \(all)")
        }
        followerWrites = value
    }

    private mutating func readTimers(_ reader: ConfigReader) throws {
        electionTimeoutMilliseconds = try Self.timer(
            reader,
            "cluster.election_timeout_ms",
            electionTimeoutMilliseconds,
            50...60_000
        )
        heartbeatMilliseconds = try Self.timer(
            reader,
            "cluster.heartbeat_ms",
            heartbeatMilliseconds,
            10...10_000
        )
        stalenessMaxMilliseconds = Int(
            try Settings.number(
                reader,
                "cluster.max_staleness_ms",
                Double(stalenessMaxMilliseconds),
                100...3_600_000
            )
        )
        guard heartbeatMilliseconds * Self.heartbeatsMin <= electionTimeoutMilliseconds else {
            throw Failure(
                .failure,
                "cluster.heartbeat_ms: \(heartbeatMilliseconds) is more than a fifth of "
                    + "cluster.election_timeout_ms, \(electionTimeoutMilliseconds)"
            )
        }
        guard stalenessMaxMilliseconds >= electionTimeoutMilliseconds * Self.electionsMin else {
            throw Failure(
                .failure,
                "cluster.max_staleness_ms: \(stalenessMaxMilliseconds) is less than twice "
                    + "cluster.election_timeout_ms, \(electionTimeoutMilliseconds)"
            )
        }
    }

    /// The timers, as the consensus core counts them.
    func apply(to options: inout Options) {
        options.tickNanoseconds = UInt64(Self.tickMilliseconds) * 1_000_000
        options.electionTicks = electionTimeoutMilliseconds / Self.tickMilliseconds
        options.heartbeatTicks = heartbeatMilliseconds / Self.tickMilliseconds
    }

    /// So many signs of life may be lost before a leader is given up.
    private static let heartbeatsMin = 5
    /// So many election timeouts a mount goes on showing what it has.
    private static let electionsMin = 2

    private static func timer(
        _ reader: ConfigReader,
        _ key: String,
        _ fallback: Int,
        _ bounds: ClosedRange<Double>
    ) throws -> Int {
        let value = try Settings.number(reader, key, Double(fallback), bounds)
        guard let number = Int(exactly: value), number.isMultiple(of: tickMilliseconds) else {
            throw Failure(.failure, "\(key): \(value) is no multiple of \(tickMilliseconds)")
        }
        return number
    }

    private static func checked<T>(
        _ key: String,
        _ body: () throws(BootstrapError) -> T
    ) throws -> T {
        do {
            return try body()
        } catch {
            throw Failure(.failure, "\(key): \(error)")
        }
    }
}
