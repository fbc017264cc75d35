// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Store

@Suite("sorted map")
struct SortedMapTests {
    private func key(_ number: Int) -> [UInt8] {
        withUnsafeBytes(of: UInt32(number).bigEndian) { Array($0) }
    }

    private func keys(_ map: SortedMap) -> [[UInt8]] {
        var keys: [[UInt8]] = []
        map.scan(from: [], below: endOfKeys) { key, _ in
            keys.append(copy(key))
            return true
        }
        return keys
    }

    @Test("chunks split and vanish without losing order", arguments: [1, 499, 1999])
    func splits(stride: Int) {
        let count = 2000
        var map = SortedMap()
        for index in 0..<count {
            map.put(key(index * stride % count), [1])
        }
        #expect(keys(map) == (0..<count).map(key))
        #expect(map.count == count)
        #expect(map.byteCount == 5 * count)
        for index in 0..<count where index % 1000 != 7 {
            map.delete(key(index * stride % count))
        }
        #expect(map.count == 2)
        #expect(map.byteCount == 10)
        #expect(keys(map).count == 2)
        #expect(map[key(7 * stride % count)] == [1])
        #expect(map[key(8 * stride % count)] == nil)
    }

    @Test("a replaced value changes the bytes but not the count")
    func replace() {
        var map = SortedMap()
        map.put([1], [1, 2, 3])
        map.put([1], [])
        #expect(map.count == 1)
        #expect(map.byteCount == 1)
        #expect(map[[1]] == [])
        map.delete([2])
        map.delete([1])
        map.delete([1])
        #expect(map.count == 0)
        #expect(map.byteCount == 0)
        #expect(map[[1]] == nil)
    }

    @Test("a copy keeps its content")
    func copies() {
        var map = SortedMap()
        for index in 0..<1000 { map.put(key(index), [0]) }
        let before = map
        for index in 0..<1000 {
            if index.isMultiple(of: 2) { map.delete(key(index)) } else { map.put(key(index), [9]) }
        }
        #expect(before.count == 1000)
        #expect((0..<1000).allSatisfy { before[key($0)] == [0] })
        #expect(map.count == 500)
    }
}
