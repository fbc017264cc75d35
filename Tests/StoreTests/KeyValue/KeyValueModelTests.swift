// SPDX-License-Identifier: Apache-2.0

import Store
import Testing

/// Random operations on both engines in lockstep; they must never differ.
@Suite("key-value model")
struct KeyValueModelTests {
    @Test("both engines agree over random histories with crashes", arguments: 0..<8)
    func lockstep(block: Int) throws {
        for seed in UInt64(block * 16)..<UInt64(block * 16 + 16) {
            var history = ModelHistory(seed: seed)
            do {
                try history.run(steps: 60)
            } catch {
                Issue.record("seed \(seed): \(error)\n\(history.trace.joined(separator: "\n"))")
            }
        }
    }
}

/// One history: a seed decides every step, the trace tells what they were.
private struct ModelHistory {
    private struct Difference: Error, CustomStringConvertible {
        let description: String
    }

    /// The two engines at one place; `snapshots` are taken at the same moments.
    private struct Side {
        let rig: StoreRig
        var store: any KeyValueStore
        var snapshots: [any KeyValueReader] = []
    }

    private(set) var trace: [String] = []
    private var random: ModelRandom
    private var checkpointCount = 0

    init(seed: UInt64) {
        random = ModelRandom(state: seed)
    }

    mutating func run(steps: Int) throws {
        var options = RocksOptions()
        options.blockCacheBytes = 1 << 20
        var sides: [Side] = []
        for engine in Engine.allCases {
            let rig = try StoreRig(engine, options)
            sides.append(Side(rig: rig, store: try rig.open()))
        }
        defer { sides.forEach { $0.rig.discard() } }
        for _ in 0..<steps {
            try step(&sides)
        }
        try compare(sides.map { try $0.store.pairs() }, "the end")
    }

    private mutating func step(_ sides: inout [Side]) throws {
        switch random.below(100) {
        case 0..<45: try write(&sides)
        case 45..<60: try read(&sides)
        case 60..<75: try scan(&sides)
        case 75..<81: try takeSnapshot(&sides)
        case 81..<85: dropSnapshot(&sides)
        case 85..<92:
            trace.append("flush")
            for side in sides { try side.store.flush() }
        case 92..<94: try checkpoint(&sides)
        case 94..<96:
            try restart("reopen", &sides) { side in
                side.store.close()
                return try side.rig.open()
            }
        default: try restart("crash", &sides) { try $0.rig.crash($0.store) }
        }
    }

    private mutating func write(_ sides: inout [Side]) throws {
        var batch = WriteBatch()
        for _ in 0...random.below(6) {
            if random.below(3) == 0 {
                batch.delete(key())
            } else {
                let byte = UInt8(random.below(256))
                batch.put(key(), [UInt8](repeating: byte, count: random.below(200)))
            }
        }
        trace.append("write \(batch.operations)")
        for side in sides { try side.store.write(batch) }
    }

    private mutating func read(_ sides: inout [Side]) throws {
        let key = key()
        trace.append("get \(key)")
        try compare(sides.map { try $0.store.get(key) }, "get")
        for index in sides[0].snapshots.indices {
            try compare(sides.map { try $0.snapshots[index].get(key) }, "get of \(index)")
        }
    }

    private mutating func scan(_ sides: inout [Side]) throws {
        let (lower, upper) = (key(), key())
        let limit = 1 + random.below(20)
        trace.append("scan \(lower) ..< \(upper) limit \(limit)")
        try compare(
            sides.map { try $0.store.pairs(from: lower, below: upper, limit: limit) },
            "scan"
        )
        for index in sides[0].snapshots.indices {
            try compare(sides.map { try $0.snapshots[index].pairs() }, "scan of \(index)")
        }
    }

    private mutating func takeSnapshot(_ sides: inout [Side]) throws {
        trace.append("snapshot")
        for index in sides.indices {
            sides[index].snapshots.append(try sides[index].store.snapshot())
        }
    }

    private mutating func dropSnapshot(_ sides: inout [Side]) {
        guard !sides[0].snapshots.isEmpty else { return }
        let victim = random.below(sides[0].snapshots.count)
        trace.append("drop snapshot \(victim)")
        for index in sides.indices {
            sides[index].snapshots.remove(at: victim)
        }
    }

    private mutating func checkpoint(_ sides: inout [Side]) throws {
        checkpointCount += 1
        let name = "checkpoint-\(checkpointCount)"
        trace.append(name)
        let contents = try sides.map { side in
            // Hard links share the tables with the store: a write here must not reach it.
            try side.store.checkpoint(to: side.rig.path(name))
            let copy = try side.rig.open(name)
            let pairs = try copy.pairs()
            try copy.write(.put("only in the copy", "1"))
            copy.close()
            try side.rig.remove(name)
            return pairs
        }
        try compare(contents, name)
        try compare([contents[0], try sides[0].store.pairs()], "\(name) and its store")
        // A checkpoint of RocksDB flushes the store; the other engine's need not.
        for side in sides { try side.store.flush() }
    }

    private mutating func restart(
        _ name: String,
        _ sides: inout [Side],
        _ body: (Side) throws -> any KeyValueStore
    ) throws {
        trace.append(name)
        for index in sides.indices {
            sides[index].snapshots = []
            sides[index].store = try body(sides[index])
        }
        try compare(sides.map { try $0.store.pairs() }, name)
    }

    /// Few and short keys of the bytes at the edges, so that they collide and nest.
    private mutating func key() -> [UInt8] {
        let alphabet: [UInt8] = [0x00, 0x01, 0x61, 0x62, 0xFE, 0xFF]
        return (0..<random.below(4)).map { _ in alphabet[random.below(alphabet.count)] }
    }

    private func compare<T: Equatable>(_ sides: [T], _ what: String) throws {
        guard sides[0] != sides[1] else { return }
        throw Difference(description: "\(what): \(sides[0]) but \(sides[1])")
    }
}

/// SplitMix64: the same numbers from the same seed everywhere.
private struct ModelRandom {
    var state: UInt64

    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ (mixed >> 31)) % UInt64(bound))
    }
}
