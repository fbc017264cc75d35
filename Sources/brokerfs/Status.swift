// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Identity
import SwiftProtobuf

/// The subcommand `status`.
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what the node knows of itself: role, versions, counts."
    )

    @OptionGroup var node: NodeOptions
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        let status = try await node.ask(.with { $0.status = true }).status
        if json {
            try Console.json(Summary(status))
        } else {
            show(status)
        }
        if !status.reason.isEmpty {
            Console.error("brokerfs: writes are refused: \(status.reason)")
        }
    }

    private func show(_ status: Brokerfs_Admin_Status) {
        let rows = [
            ("node", "\(status.node) (brokerfs \(status.version))"),
            ("role", "\(status.role), term \(status.term)"),
            ("writable", status.writable ? "yes" : "no"),
        ]
        let mounts = status.mounts.map {
            ("mount", "\($0.directory) (\($0.kind), \($0.requests) requests)")
        }
        let state = [
            ("history", "\(status.serverVersion)"),
            ("version", "\(status.recordVersion)"),
            ("applied", "\(status.appliedIndex) of \(status.committedIndex) committed"),
            ("sessions", "\(status.sessions)"),
            ("users", "\(status.users)"),
            ("groups", "\(status.groups)"),
            ("accounts", "\(status.serviceAccounts)"),
            ("context", "\(status.contextValues)"),
        ]
        for (name, value) in rows + (mounts.isEmpty ? [("mount", "none")] : mounts) + state {
            Console.line(name + String(repeating: " ", count: 10 - name.count) + value)
        }
    }
}

/// What `status --json` prints; keys are added, never renamed.
private struct Summary: Encodable {
    var node: String
    var version: String
    var role: String
    var leader: String
    var term: UInt64
    var writable: Bool
    var reason: String
    var mount: String
    // A 64-bit history name does not survive readers that take numbers for doubles.
    var serverVersion: String
    var recordVersion: UInt64
    var applied: UInt64
    var committed: UInt64
    var sessions: UInt64
    var users: UInt64
    var groups: UInt64
    var serviceAccounts: UInt64
    var contextValues: UInt64
    var storeBytes: UInt64
    var mountRequests: UInt64
    var cacheableRequests: UInt64
    var mounts: [MountSummary]

    enum CodingKeys: String, CodingKey {
        case node, version, role, leader, term, writable, reason, mount, applied, committed
        case sessions, users, groups, mounts
        case serverVersion = "server_version"
        case recordVersion = "record_version"
        case serviceAccounts = "service_accounts"
        case contextValues = "context_values"
        case storeBytes = "store_bytes"
        case mountRequests = "mount_requests"
        case cacheableRequests = "cacheable_requests"
    }

    init(_ status: Brokerfs_Admin_Status) {
        node = status.node
        version = status.version
        role = status.role
        leader = status.leader
        term = status.term
        writable = status.writable
        reason = status.reason
        mount = status.mount
        serverVersion = "\(status.serverVersion)"
        recordVersion = status.recordVersion
        applied = status.appliedIndex
        committed = status.committedIndex
        sessions = status.sessions
        users = status.users
        groups = status.groups
        serviceAccounts = status.serviceAccounts
        contextValues = status.contextValues
        storeBytes = status.storeBytes
        mountRequests = status.mountRequests
        cacheableRequests = status.cacheableRequests
        mounts = status.mounts.map { MountSummary($0) }
    }
}

/// One mount in `status --json`.
private struct MountSummary: Encodable {
    var directory: String
    var kind: String
    var requests: UInt64
    var cacheableRequests: UInt64
    var openHandles: UInt64
    var inodes: UInt64

    enum CodingKeys: String, CodingKey {
        case directory, kind, requests, inodes
        case cacheableRequests = "cacheable_requests"
        case openHandles = "open_handles"
    }

    init(_ mount: Brokerfs_Admin_Mount) {
        directory = mount.directory
        kind = mount.kind
        requests = mount.requests
        cacheableRequests = mount.cacheableRequests
        openHandles = mount.openHandles
        inodes = mount.inodes
    }
}
