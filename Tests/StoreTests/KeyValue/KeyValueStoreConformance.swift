// SPDX-License-Identifier: Apache-2.0

import Store
import Testing

/// What every engine promises: reading, writing and the order of keys.
@Suite("key-value store conformance")
struct KeyValueStoreConformance {
    @Test("a value is read back, replaced and deleted", arguments: Engine.allCases)
    func getPutDelete(engine: Engine) throws {
        let rig = try StoreRig(engine)
        defer { rig.discard() }
        let store = try rig.open()
        #expect(try store.get(bytes("a")) == nil)
        try store.write(.put("a", "1"))
        #expect(try store.text("a") == "1")
        try store.write(.put("a", "2"))
        #expect(try store.text("a") == "2")
        var batch = WriteBatch()
        batch.delete(bytes("a"))
        batch.delete(bytes("never there"))
        try store.write(batch)
        #expect(try store.get(bytes("a")) == nil)
        #expect(try store.pairs() == [])
    }

    @Test("empty keys and values are keys and values", arguments: Engine.allCases)
    func emptyKeyAndValue(engine: Engine) throws {
        let rig = try StoreRig(engine)
        defer { rig.discard() }
        let store = try rig.open()
        #expect(try store.get([]) == nil)
        try store.write(.puts([("", "nothing"), ("a", "")]))
        #expect(try store.text("") == "nothing")
        #expect(try store.get(bytes("a")) == [])
        #expect(try store.withValue(of: bytes("a")) { $0.count } == 0)
        #expect(try store.pairs() == [Pair([], bytes("nothing")), Pair(bytes("a"), [])])
        try store.flush()
        #expect(try store.text("") == "nothing")
    }

    @Test("withValue lends the bytes and says when there are none", arguments: Engine.allCases)
    func withValue(engine: Engine) throws {
        let rig = try StoreRig(engine)
        defer { rig.discard() }
        let store = try rig.open()
        try store.write(.put("a", "value"))
        #expect(try store.withValue(of: bytes("a")) { copy($0) } == bytes("value"))
        var wasCalled = false
        let none: Void? = try store.withValue(of: bytes("b")) { _ in wasCalled = true }
        #expect(none == nil)
        #expect(!wasCalled)
    }

    @Test("the later operation on a key wins within a batch", arguments: Engine.allCases)
    func laterWins(engine: Engine) throws {
        let rig = try StoreRig(engine)
        defer { rig.discard() }
        let store = try rig.open()
        var batch = WriteBatch()
        batch.put(bytes("a"), bytes("1"))
        batch.put(bytes("a"), bytes("2"))
        batch.put(bytes("b"), bytes("1"))
        batch.delete(bytes("b"))
        batch.delete(bytes("c"))
        batch.put(bytes("c"), bytes("3"))
        #expect(batch.count == 6)
        #expect(batch.byteCount == 10)
        try store.write(batch)
        #expect(try store.pairs() == [Pair(bytes("a"), bytes("2")), Pair(bytes("c"), bytes("3"))])
    }

    @Test("an empty batch changes nothing", arguments: Engine.allCases)
    func emptyBatch(engine: Engine) throws {
        let rig = try StoreRig(engine)
        defer { rig.discard() }
        let store = try rig.open()
        #expect(WriteBatch().isEmpty)
        try store.write(WriteBatch())
        #expect(try store.pairs() == [])
    }

    @Test("keys come in bytewise order, half-open", arguments: Engine.allCases)
    func scanBounds(engine: Engine) throws {
        let rig = try StoreRig(engine)
        defer { rig.discard() }
        let store = try rig.open()
        let keys: [[UInt8]] = [
            [], [0x00], [0x00, 0x00], [0x00, 0xFF], [0x01], [0x61], [0x61, 0x00], [0x61, 0x62],
            [0x61, 0xFF], [0x61, 0xFF, 0xFF], [0x62], [0x7F], [0x80], [0xFE, 0xFF], [0xFF],
            [0xFF, 0x00], [0xFF, 0xFF],
        ]
        var batch = WriteBatch()
        for key in keys.reversed() {
            batch.put(key, key)
        }
        for isFlushed in [false, true] {
            try store.write(batch)
            if isFlushed { try store.flush() }
            #expect(try store.keys() == keys)
            for (first, lower) in keys.enumerated() {
                for (last, upper) in keys.enumerated() {
                    let expected = first < last ? Array(keys[first..<last]) : []
                    #expect(try store.keys(from: lower, below: upper) == expected)
                }
            }
        }
    }

    @Test("bounds need not be keys", arguments: Engine.allCases)
    func scanBetweenKeys(engine: Engine) throws {
        let rig = try StoreRig(engine)
        defer { rig.discard() }
        let store = try rig.open()
        try store.write(.puts([("b", "1"), ("ba", "2"), ("bz", "3"), ("d", "4")]))
        #expect(try store.keys(from: bytes("a"), below: bytes("b")) == [])
        #expect(try store.keys(from: bytes("b"), below: bytes("c")).count == 3)
        #expect(try store.keys(from: bytes("bb"), below: bytes("c")) == [bytes("bz")])
        #expect(try store.keys(from: bytes("c"), below: bytes("d")) == [])
        #expect(try store.keys(from: bytes("e"), below: endOfKeys) == [])
        #expect(try store.keys(from: bytes("d"), below: bytes("b")) == [])
        #expect(try store.keys(from: bytes("b"), below: []) == [])
    }

    @Test("a scan stops where its body says", arguments: Engine.allCases)
    func scanStops(engine: Engine) throws {
        let rig = try StoreRig(engine)
        defer { rig.discard() }
        let store = try rig.open()
        try store.write(.puts([("a", "1"), ("b", "2"), ("c", "3")]))
        #expect(try store.pairs(limit: 1) == [Pair(bytes("a"), bytes("1"))])
        #expect(try store.pairs(limit: 2).count == 2)
    }

    @Test("a body may read and write; the scan does not see it", arguments: Engine.allCases)
    func scanIsStable(engine: Engine) throws {
        let rig = try StoreRig(engine)
        defer { rig.discard() }
        let store = try rig.open()
        try store.write(.puts([("a", "1"), ("b", "2"), ("c", "3")]))
        var seen: [String] = []
        try store.scan(from: [], below: endOfKeys) { key, value in
            seen.append(String(decoding: copy(key) + copy(value), as: UTF8.self))
            var batch = WriteBatch.puts([("bb", "new"), ("c", "changed")])
            batch.delete(bytes("b"))
            try? store.write(batch)
            return (try? store.get(bytes("a"))) != nil
        }
        #expect(seen == ["a1", "b2", "c3"])
        #expect(try store.text("c") == "changed")
        #expect(try store.get(bytes("b")) == nil)
    }

    @Test("a hundred thousand keys load in any order", arguments: Engine.allCases)
    func bulk(engine: Engine) throws {
        let count = 100_000
        for stride in [1, 61_803] {
            let rig = try StoreRig(engine)
            defer { rig.discard() }
            let store = try rig.open()
            var batch = WriteBatch()
            for index in 0..<count {
                let key = index * stride % count
                batch.put(bigEndian(key), bigEndian(key + 1))
                if batch.count == 1000 {
                    try store.write(batch)
                    batch = WriteBatch()
                }
            }
            var next = 0
            var isOrdered = true
            try store.scan(from: [], below: endOfKeys) { key, value in
                isOrdered =
                    isOrdered && copy(key) == bigEndian(next)
                    && copy(value) == bigEndian(next + 1)
                next += 1
                return true
            }
            #expect(isOrdered)
            #expect(next == count)
            #expect(try store.statistics().keyCount == UInt64(count))
            #expect(try store.statistics().approximateBytes >= UInt64(16 * count))
        }
    }

    private func bigEndian(_ number: Int) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }
}
