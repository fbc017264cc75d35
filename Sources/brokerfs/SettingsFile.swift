// SPDX-License-Identifier: Apache-2.0

import Configuration
import Foundation
import Yams

/// The YAML file: its values by their dotted keys, and the list of mounts.
///
/// INVARIANT: a misspelt key never means the default; it is refused, and the nearest one named.
struct SettingsFile {
    private(set) var values: [String: String] = [:]
    private(set) var mounts: [[String: String]]?
    /// Directories of mounts that were relative to the file's folder, as they are now.
    private(set) var foldersMounts: [String] = []

    /// Reads a file; throws ``Failure``.
    init(_ path: String) throws {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw Failure(.failure, "\(path): cannot be read")
        }
        do {
            guard let root = try Yams.compose(yaml: text) else { return }
            try read(root)
        } catch let failure as Failure {
            throw Failure(failure.code, "\(path): \(failure.message)")
        } catch {
            throw Failure(.failure, "\(path): \(error)")
        }
    }

    private mutating func read(_ root: Yams.Node) throws {
        for (key, value) in try Self.leaves(of: root, prefix: "") {
            guard key == "mounts" else {
                let text = try Self.scalar(value, key, in: Settings.keys)
                values[Self.shortForms[key] ?? key] = text
                continue
            }
            guard let list = value.sequence, !list.isEmpty else {
                throw Failure(.failure, "mounts: a list of mounts is expected")
            }
            mounts = try list.map { try Self.mount($0) }
        }
    }

    /// `node: n1` and `mount: /brokerfs` are all that most files need.
    private static let shortForms = ["node": "node.name", "mount": "mount.directory"]

    /// Makes relative paths absolute, as seen from `folder`.
    mutating func resolvePaths(in folder: String) {
        for key in ["data"] + ClusterSettings.pathKeys {
            if let path = values[key] { values[key] = Self.resolve(path, in: folder) }
        }
        if let path = values["mount.directory"] {
            values["mount.directory"] = resolveMount(path, in: folder)
        }
        mounts = mounts?.map { mount in
            var mount = mount
            if let path = mount["mounts.directory"] {
                mount["mounts.directory"] = resolveMount(path, in: folder)
            }
            return mount
        }
    }

    private mutating func resolveMount(_ path: String, in folder: String) -> String {
        let resolved = Self.resolve(path, in: folder)
        if resolved != path { foldersMounts.append(resolved) }
        return resolved
    }

    private static func resolve(_ path: String, in folder: String) -> String {
        path.isEmpty || path.hasPrefix("/") ? path : folder + "/" + path
    }

    /// The folder of a file, absolute.
    static func folder(of path: String) -> String {
        let path = absolute(path)
        return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    }

    private static func mount(_ node: Yams.Node) throws -> [String: String] {
        guard node.mapping != nil else {
            throw Failure(.failure, "mounts: each is a mapping with a directory and a kind")
        }
        var values: [String: String] = [:]
        for (key, value) in try leaves(of: node, prefix: "mounts") {
            values[key] = try scalar(value, key, in: MountSettings.keys)
        }
        return values
    }

    private static func scalar(
        _ node: Yams.Node,
        _ key: String,
        in known: [String]
    ) throws -> String {
        guard known.contains(key) else {
            let nearest = known.min { distance(key, $0) < distance(key, $1) } ?? ""
            throw Failure(.failure, "unknown key \(key); did you mean \(nearest)?")
        }
        guard let text = node.scalar?.string else {
            throw Failure(.failure, "\(key): one value is expected")
        }
        return text
    }

    private static func leaves(
        of node: Yams.Node,
        prefix: String
    ) throws -> [(key: String, value: Yams.Node)] {
        guard let mapping = node.mapping else {
            guard !prefix.isEmpty else { throw Failure(.failure, "keys and values are expected") }
            return [(prefix, node)]
        }
        return try mapping.flatMap { key, value in
            let name = key.string ?? ""
            return try leaves(of: value, prefix: prefix.isEmpty ? name : "\(prefix).\(name)")
        }
    }

    /// Values as swift-configuration takes them.
    static func configuration(_ values: [String: String]) -> [AbsoluteConfigKey: ConfigValue] {
        Dictionary(
            uniqueKeysWithValues: values.map {
                (AbsoluteConfigKey(ConfigKey($0)), ConfigValue(.string($1), isSecret: false))
            }
        )
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
