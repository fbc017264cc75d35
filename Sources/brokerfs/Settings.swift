// SPDX-License-Identifier: Apache-2.0

import Configuration
import Foundation
import Identity
import Logging
import Node
import Replica
import Store
import SystemPackage
import Yams

/// What a node is started with: flags over environment `BROKERFS_*` over the YAML file.
struct Settings: Sendable {
    static let defaultData = "/var/lib/brokerfs"

    var data = Self.defaultData
    var name = Self.hostName
    var mount = "/brokerfs"
    var cacheSeconds = 3600.0
    var mountThreads = 4
    var readGroup = "broker-read"
    var revokeGroup = "broker-revoke"
    var auditGroup = "adm"
    var storeCacheMiB = 128
    var diskReserveMiB = 64
    var commitTimeoutMilliseconds = 2000
    var notifiesInotify = true
    var notifiedSessionsPerSecond = 100
    var eventsKiB = Limits.eventBytesMax >> 10
    var logLevel = Logger.Level.info

    /// Every key of the file, in its dotted form; docs/OPERATIONS.md explains each.
    static let keys = [
        "data", "node.name", "mount.directory", "mount.cache_seconds", "mount.threads",
        "permissions.read_group", "permissions.revoke_group", "permissions.audit_group",
        "store.cache_mib", "store.disk_reserve_mib", "commit_timeout_ms", "log.level",
        "events.size_kib", "notify.inotify",
        "notify.sessions_per_second",
    ]

    /// Reads the file, if there is one, and the environment.
    ///
    /// Throws ``Failure`` for an unknown key, naming the nearest one, and for a bad value.
    static func load(file: String?) async throws -> Settings {
        var providers: [any ConfigProvider] = [
            EnvironmentVariablesProvider().prefixKeys(with: "brokerfs")
        ]
        if let file {
            try checkKeys(in: file)
            do {
                providers.append(try await FileProvider<YAMLSnapshot>(filePath: FilePath(file)))
            } catch {
                throw Failure(.failure, "\(file): \(error)")
            }
        }
        let reader = ConfigReader(providers: providers)
        do {
            return try Settings(reader)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(.failure, "configuration: \(error)")
        }
    }

    init() {}

    private init(_ reader: ConfigReader) throws {
        data = reader.string(forKey: "data", default: data)
        name = reader.string(forKey: "node.name", default: name)
        mount = reader.string(forKey: "mount.directory", default: mount)
        readGroup = reader.string(forKey: "permissions.read_group", default: readGroup)
        revokeGroup = reader.string(forKey: "permissions.revoke_group", default: revokeGroup)
        auditGroup = reader.string(forKey: "permissions.audit_group", default: auditGroup)
        cacheSeconds = try Self.number(reader, "mount.cache_seconds", cacheSeconds, 0...86_400)
        mountThreads = Int(try Self.number(reader, "mount.threads", 4, 1...64))
        storeCacheMiB = Int(try Self.number(reader, "store.cache_mib", 128, 8...65_536))
        diskReserveMiB = Int(try Self.number(reader, "store.disk_reserve_mib", 64, 0...65_536))
        commitTimeoutMilliseconds = Int(
            try Self.number(reader, "commit_timeout_ms", 2000, 10...60_000)
        )
        eventsKiB = Int(
            try Self.number(reader, "events.size_kib", Double(eventsKiB), 64...1_048_576)
        )
        notifiesInotify = try Self.bool(reader, "notify.inotify", notifiesInotify)
        notifiedSessionsPerSecond = Int(
            try Self.number(reader, "notify.sessions_per_second", 100, 0...100_000)
        )
        let level = reader.string(forKey: "log.level", default: logLevel.rawValue)
        guard let parsed = Logger.Level(rawValue: level) else {
            throw Failure(.failure, "log.level: \(level) is not one of trace, debug, info, …")
        }
        logLevel = parsed
    }

    /// A number within its bounds; text that is no number is an error, never the default.
    private static func number(
        _ reader: ConfigReader,
        _ key: String,
        _ fallback: Double,
        _ bounds: ClosedRange<Double>
    ) throws -> Double {
        guard let text = try text(reader, key) else { return fallback }
        guard let value = Double(text), bounds.contains(value) else {
            throw Failure(
                .failure,
                "\(key): \(text) is not a number from \(bounds.lowerBound) to \(bounds.upperBound)"
            )
        }
        return value
    }

    /// Yes or no; anything else is an error, never the default.
    private static func bool(
        _ reader: ConfigReader,
        _ key: String,
        _ fallback: Bool
    ) throws -> Bool {
        let name = ConfigKey(stringLiteral: key)
        if let value = reader.bool(forKey: name) { return value }
        guard let text = try text(reader, key) else { return fallback }
        throw Failure(.failure, "\(key): \(text) is neither true nor false")
    }

    /// Numbers of a YAML file have a type, those of the environment are text.
    private static func text(_ reader: ConfigReader, _ key: String) throws -> String? {
        let key = ConfigKey(stringLiteral: key)
        if let value = reader.double(forKey: key) { return "\(value)" }
        if let value = reader.int(forKey: key) { return "\(value)" }
        return reader.string(forKey: key)
    }

    private static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "node" }
        let bytes = buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Overlays the flags that `serve` and `mount` take.
    mutating func apply(data: String?, mount: String?) {
        if let data { self.data = data }
        if let mount { self.mount = mount }
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

/// The check that a misspelt key does not silently mean the default.
extension Settings {
    private static func checkKeys(in file: String) throws {
        let text: String
        do {
            text = try String(contentsOfFile: file, encoding: .utf8)
        } catch {
            throw Failure(.failure, "\(file): cannot be read")
        }
        let root: Yams.Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw Failure(.failure, "\(file): \(error)")
        }
        guard let root else { return }
        for key in leafKeys(of: root, prefix: "") where !keys.contains(key) {
            let nearest = keys.min { distance(key, $0) < distance(key, $1) } ?? ""
            throw Failure(.failure, "\(file): unknown key \(key); did you mean \(nearest)?")
        }
    }

    private static func leafKeys(of node: Yams.Node, prefix: String) -> [String] {
        guard let mapping = node.mapping else { return [prefix] }
        return mapping.flatMap { key, value in
            leafKeys(
                of: value,
                prefix: prefix.isEmpty ? key.string ?? "" : "\(prefix).\(key.string ?? "")"
            )
        }
    }

    /// Levenshtein's edit distance.
    private static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        var row = Array(0...right.count)
        for (i, character) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for j in right.indices {
                let substituted = diagonal + (character == right[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(substituted, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[right.count]
    }
}
