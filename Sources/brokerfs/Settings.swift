// SPDX-License-Identifier: Apache-2.0

import Configuration
import FSMap
import Foundation
import Glibc
import Identity
import Logging
import Node
import Replica
import Store

/// What a node is started with: flags over environment `BROKERFS_*` over the YAML file.
struct Settings: Sendable {
    static let defaultData = "/var/lib/brokerfs"

    var data = Self.defaultData
    var name = Self.hostName
    var mounts = [MountSettings()]
    var readGroup = "broker-read"
    var revokeGroup = "broker-revoke"
    var auditGroup = "adm"
    var storeCacheMiB = 64
    var diskReserveMiB = 64
    var commitTimeoutMilliseconds = 2000
    var eventsKiB = Limits.eventBytesMax >> 10
    var logLevel = Logger.Level.info
    var limits = MountLimits()
    /// How the node is a member of a group; nil for a node on its own.
    var cluster: ClusterSettings?

    /// Every key of the file but `mounts`, in its dotted form; docs/OPERATIONS.md explains each.
    static let keys =
        [
            "data", "node", "node.name", "mount", "mount.directory", "mount.cache_seconds",
            "mount.threads", "permissions.read_group", "permissions.revoke_group",
            "permissions.audit_group", "store.cache_mib", "store.disk_reserve_mib",
            "commit_timeout_ms", "log.level",
            "events.size_kib",
        ] + MountLimits.keys + ClusterSettings.keys

    /// Reads the file, if there is one, and the environment.
    ///
    /// In the file of a member of a group relative paths are seen from its folder. Throws
    /// ``Failure`` for an unknown key, naming the nearest one, and for a bad value.
    static func load(
        file path: String?,
        environment variables: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> Settings {
        var file = try path.map { try SettingsFile($0) }
        let environment = EnvironmentVariablesProvider(environmentVariables: variables)
            .prefixKeys(with: "brokerfs")
        func reader() -> ConfigReader {
            let values = InMemoryProvider(values: SettingsFile.configuration(file?.values ?? [:]))
            return ConfigReader(providers: [environment, values])
        }
        if let path, ClusterSettings.isGiven(reader()) {
            file?.resolvePaths(in: SettingsFile.folder(of: path))
        }
        var settings = try Settings(reader(), mounts: file?.mounts)
        for index in settings.mounts.indices {
            let isMade = file?.foldersMounts.contains(settings.mounts[index].directory) ?? false
            settings.mounts[index].isMadeWhenMissing = isMade
        }
        return settings
    }

    init() {}

    private init(_ reader: ConfigReader, mounts list: [[String: String]]?) throws {
        data = reader.string(forKey: "data", default: data)
        // The file's `node: NAME` is its `node.name`; here the short form is the environment's.
        let given = reader.string(forKey: "node") ?? reader.string(forKey: "node.name")
        name = given ?? name
        readGroup = reader.string(forKey: "permissions.read_group", default: readGroup)
        revokeGroup = reader.string(forKey: "permissions.revoke_group", default: revokeGroup)
        auditGroup = reader.string(forKey: "permissions.audit_group", default: auditGroup)
        mounts = try MountSettings.read(reader, list: list)
        storeCacheMiB = Int(try Self.number(reader, "store.cache_mib", 64, 8...65_536))
        diskReserveMiB = Int(try Self.number(reader, "store.disk_reserve_mib", 64, 0...65_536))
        commitTimeoutMilliseconds = Int(
            try Self.number(reader, "commit_timeout_ms", 2000, 10...60_000)
        )
        limits = try MountLimits(reader)
        eventsKiB = Int(
            try Self.number(reader, "events.size_kib", Double(eventsKiB), 64...1_048_576)
        )
        let level = reader.string(forKey: "log.level", default: logLevel.rawValue)
        guard let parsed = Logger.Level(rawValue: level) else {
            throw Failure(.failure, "log.level: \(level) is not one of trace, debug, info, …")
        }
        logLevel = parsed
        guard ClusterSettings.isGiven(reader) else { return }
        cluster = try ClusterSettings(reader, node: given)
    }

    /// A number within its bounds; text that is no number is an error, never the default.
    static func number(
        _ reader: ConfigReader,
        _ key: String,
        _ fallback: Double,
        _ bounds: ClosedRange<Double>
    ) throws -> Double {
        guard let text = reader.string(forKey: ConfigKey(key)) else { return fallback }
        guard let value = Double(text), bounds.contains(value) else {
            throw Failure(
                .failure,
                "\(key): \(text) is not a number from \(bounds.lowerBound) to \(bounds.upperBound)"
            )
        }
        return value
    }

    /// Yes or no; anything else is an error, never the default.
    static func bool(_ reader: ConfigReader, _ key: String, _ fallback: Bool) throws -> Bool {
        guard let text = reader.string(forKey: ConfigKey(key)) else { return fallback }
        guard let value = Bool(text) else {
            throw Failure(.failure, "\(key): \(text) is neither true nor false")
        }
        return value
    }

    private static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "node" }
        let bytes = buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Overlays the flags that `serve` and `mount` take.
    ///
    /// Throws ``Failure`` for a directory beside a list of mounts.
    mutating func apply(data: String?, mount: String?) throws {
        if let data { self.data = data }
        guard let mount else { return }
        guard mounts.count == 1, !mounts[0].isListed else { throw MountSettings.isGivenTwice }
        mounts[0].directory = mount
    }

    /// The node's part of the settings.
    var node: NodeConfiguration {
        var configuration = NodeConfiguration(dataDirectory: data, name: name)
        configuration.store.blockCacheBytes = storeCacheMiB << 20
        configuration.diskReserveBytes = UInt64(diskReserveMiB) << 20
        let timeout = UInt64(commitTimeoutMilliseconds) * 1_000_000
        configuration.replica.commitTimeoutNanoseconds = timeout
        configuration.eventBytesMax = eventsKiB << 10
        return configuration
    }
}
