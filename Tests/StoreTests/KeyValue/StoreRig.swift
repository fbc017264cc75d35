// SPDX-License-Identifier: Apache-2.0

import Foundation
import Store

/// The engines that must behave alike.
enum Engine: String, CaseIterable, Sendable {
    case rocks
    case memory
}

/// A place for stores of one engine, with a power switch; gone when discarded.
final class StoreRig {
    let engine: Engine
    let root: String
    let options: RocksOptions
    private let volume = MemoryVolume()
    private var opened: [WeakStore] = []

    private struct WeakStore {
        weak var store: AnyObject?
    }

    init(_ engine: Engine, _ options: RocksOptions = RocksOptions()) throws {
        self.engine = engine
        self.options = options
        root = NSTemporaryDirectory() + "brokerfs-store-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: root,
            withIntermediateDirectories: true
        )
    }

    /// Closes what is still open and removes every file.
    func discard() {
        for store in opened.compactMap({ $0.store as? any KeyValueStore }) {
            store.close()
        }
        try? FileManager.default.removeItem(atPath: root)
    }

    func path(_ name: String = "state") -> String { "\(root)/\(name)" }

    func open(_ name: String = "state") throws(StoreError) -> any KeyValueStore {
        let store: any KeyValueStore =
            switch engine {
            case .rocks: try RocksStore(path: path(name), options: options)
            case .memory: try MemoryStore(volume: volume, path: path(name))
            }
        return remember(store)
    }

    private func remember(_ store: any KeyValueStore) -> any KeyValueStore {
        opened.append(WeakStore(store: store as AnyObject))
        return store
    }

    /// What a power cut would leave of the store, opened; the old store is closed.
    func crash(_ store: any KeyValueStore) throws -> any KeyValueStore {
        switch store {
        case let store as MemoryStore:
            return remember(store.crashed())
        case let store as RocksStore:
            let copy = path("crashed")
            try StoreRig.copyAsCrashed(store.path, to: copy)
            store.close()
            try FileManager.default.removeItem(atPath: store.path)
            try FileManager.default.moveItem(atPath: copy, toPath: store.path)
            return remember(try RocksStore(path: store.path, options: options))
        default:
            throw StoreError.io("no such engine")
        }
    }

    func remove(_ name: String) throws {
        switch engine {
        case .rocks: try FileManager.default.removeItem(atPath: path(name))
        case .memory: volume.remove(path(name))
        }
    }

    /// Copies the files of an open RocksDB store as they are at one moment.
    ///
    /// Table files never change, and one is deleted only after the manifest says so: when the
    /// manifest is the same before and after, all files it names are in the copy.
    static func copyAsCrashed(_ source: String, to target: String) throws {
        let files = FileManager.default
        for _ in 0..<100 {
            let before = try manifest(of: source)
            try? files.removeItem(atPath: target)
            try files.createDirectory(atPath: target, withIntermediateDirectories: false)
            for name in try files.contentsOfDirectory(atPath: source) {
                if name.hasSuffix(".sst") {
                    try? files.linkItem(atPath: "\(source)/\(name)", toPath: "\(target)/\(name)")
                } else if name != "LOCK", !name.hasPrefix("LOG"), !name.hasPrefix("MANIFEST") {
                    try? files.copyItem(atPath: "\(source)/\(name)", toPath: "\(target)/\(name)")
                }
            }
            try before.content.write(to: URL(fileURLWithPath: "\(target)/\(before.name)"))
            if try manifest(of: source) == before { return }
        }
        throw StoreError.io("\(source) does not come to rest")
    }

    private struct Manifest: Equatable {
        let name: String
        let content: Data
    }

    private static func manifest(of store: String) throws -> Manifest {
        let current = try String(contentsOfFile: "\(store)/CURRENT", encoding: .utf8)
        let name = current.trimmingCharacters(in: .whitespacesAndNewlines)
        return Manifest(
            name: name,
            content: try Data(contentsOf: URL(fileURLWithPath: "\(store)/\(name)"))
        )
    }
}

struct Pair: Equatable, CustomStringConvertible {
    let key: [UInt8]
    let value: [UInt8]

    init(_ key: [UInt8], _ value: [UInt8]) {
        self.key = key
        self.value = value
    }

    var description: String { "\(key): \(value.count) times \(value.first ?? 0)" }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// Above every key of these tests.
let endOfKeys = [UInt8](repeating: 0xFF, count: 64)

extension WriteBatch {
    static func puts(_ pairs: [(String, String)]) -> WriteBatch {
        var batch = WriteBatch()
        for (key, value) in pairs {
            batch.put(bytes(key), bytes(value))
        }
        return batch
    }

    static func put(_ key: String, _ value: String) -> WriteBatch { .puts([(key, value)]) }
}

extension KeyValueReader {
    func pairs(
        from lower: [UInt8] = [],
        below upper: [UInt8] = endOfKeys,
        limit: Int = .max
    ) throws -> [Pair] {
        var pairs: [Pair] = []
        try scan(from: lower, below: upper) { key, value in
            pairs.append(Pair(copy(key), copy(value)))
            return pairs.count < limit
        }
        return pairs
    }

    func keys(from lower: [UInt8] = [], below upper: [UInt8] = endOfKeys) throws -> [[UInt8]] {
        try pairs(from: lower, below: upper).map(\.key)
    }

    func text(_ key: String) throws -> String? {
        try get(bytes(key)).map { String(decoding: $0, as: UTF8.self) }
    }
}

func copy(_ span: Span<UInt8>) -> [UInt8] {
    span.withUnsafeBufferPointer { Array($0) }
}
