// SPDX-License-Identifier: Apache-2.0

import Store
import Testing

/// What every engine promises about snapshots, durability and the end of a store.
extension KeyValueStoreConformance {
    @Test("a snapshot does not see later writes", arguments: Engine.allCases)
    func snapshotIsolation(engine: Engine) throws {
        let rig = try StoreRig(engine)
        defer { rig.discard() }
        let store = try rig.open()
        try store.write(.puts([("a", "1"), ("b", "1")]))
        let first = try store.snapshot()
        var batch = WriteBatch.puts([("a", "2"), ("c", "2")])
        batch.delete(bytes("b"))
        try store.write(batch)
        let second = try store.snapshot()
        try store.write(.put("a", "3"))
        try store.flush()
        #expect(try first.pairs() == [Pair(bytes("a"), bytes("1")), Pair(bytes("b"), bytes("1"))])
        #expect(try first.text("b") == "1")
        #expect(try first.get(bytes("c")) == nil)
        #expect(try first.withValue(of: bytes("a")) { copy($0) } == bytes("1"))
        #expect(try second.pairs() == [Pair(bytes("a"), bytes("2")), Pair(bytes("c"), bytes("2"))])
        #expect(try store.text("a") == "3")
    }

    @Test("a crash loses what was not flushed and nothing else", arguments: Engine.allCases)
    func crash(engine: Engine) throws {
        let rig = try StoreRig(engine)
        defer { rig.discard() }
        var store = try rig.open()
        try store.write(.puts([("a", "1"), ("b", "1")]))
        store = try rig.crash(store)
        #expect(try store.pairs() == [])
        try store.write(.puts([("a", "2"), ("b", "2")]))
        try store.flush()
        try store.flush()
        var batch = WriteBatch.put("a", "3")
        batch.delete(bytes("b"))
        try store.write(batch)
        store = try rig.crash(store)
        #expect(try store.pairs() == [Pair(bytes("a"), bytes("2")), Pair(bytes("b"), bytes("2"))])
    }

    @Test("a closed store opens again with all that was written", arguments: Engine.allCases)
    func reopen(engine: Engine) throws {
        let rig = try StoreRig(engine)
        defer { rig.discard() }
        var store = try rig.open()
        try store.write(.put("a", "1"))
        try store.flush()
        try store.write(.put("b", "2"))
        store.close()
        store = try rig.open()
        #expect(try store.pairs() == [Pair(bytes("a"), bytes("1")), Pair(bytes("b"), bytes("2"))])
    }

    @Test("a checkpoint opens as a store with the same content", arguments: Engine.allCases)
    func checkpoint(engine: Engine) throws {
        let rig = try StoreRig(engine)
        defer { rig.discard() }
        let store = try rig.open()
        try store.write(.put("a", "flushed"))
        try store.flush()
        try store.write(.put("b", "not flushed"))
        try store.checkpoint(to: rig.path("copy"))
        try store.write(.put("a", "later"))
        let copy = try rig.open("copy")
        #expect(try copy.text("a") == "flushed")
        #expect(try copy.text("b") == "not flushed")
        try copy.write(.put("c", "only in the copy"))
        #expect(try store.get(bytes("c")) == nil)
        #expect(try store.text("a") == "later")
        copy.close()
        try rig.remove("copy")
        #expect(try store.text("b") == "not flushed")
    }

    @Test("a checkpoint does not replace what is there", arguments: Engine.allCases)
    func checkpointExists(engine: Engine) throws {
        let rig = try StoreRig(engine)
        defer { rig.discard() }
        let store = try rig.open()
        try store.write(.put("a", "1"))
        try store.checkpoint(to: rig.path("copy"))
        try store.write(.put("a", "2"))
        let error = #expect(throws: StoreError.self) {
            try store.checkpoint(to: rig.path("copy"))
        }
        guard case .io = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(try rig.open("copy").text("a") == "1")
    }

    @Test("a second opener is told that the store is locked", arguments: Engine.allCases)
    func locked(engine: Engine) throws {
        let rig = try StoreRig(engine)
        defer { rig.discard() }
        let store = try rig.open()
        let expected = StoreError.locked(path: rig.path())
        #expect(throws: expected) { try rig.open() }
        try store.write(.put("a", "1"))
        store.close()
        #expect(try rig.open().text("a") == "1")
    }

    @Test("everything after close throws closed", arguments: Engine.allCases)
    func closed(engine: Engine) throws {
        let rig = try StoreRig(engine)
        defer { rig.discard() }
        let store = try rig.open()
        try store.write(.put("a", "1"))
        let snapshot = try store.snapshot()
        store.close()
        store.close()
        #expect(throws: StoreError.closed) { try store.get(bytes("a")) }
        #expect(throws: StoreError.closed) { try store.withValue(of: []) { _ in } }
        #expect(throws: StoreError.closed) { try store.pairs() }
        #expect(throws: StoreError.closed) { try store.write(WriteBatch()) }
        #expect(throws: StoreError.closed) { try store.write(.put("a", "2")) }
        #expect(throws: StoreError.closed) { try store.flush() }
        #expect(throws: StoreError.closed) { try store.snapshot() }
        #expect(throws: StoreError.closed) { try store.statistics() }
        #expect(throws: StoreError.closed) { try store.checkpoint(to: rig.path("copy")) }
        #expect(throws: StoreError.closed) { try snapshot.get(bytes("a")) }
        #expect(throws: StoreError.closed) { try snapshot.pairs() }
        #expect(try rig.open().text("a") == "1")
    }

    @Test("a store nobody refers to gives its lock back", arguments: Engine.allCases)
    func dropped(engine: Engine) throws {
        let rig = try StoreRig(engine)
        defer { rig.discard() }
        var snapshot: (any KeyValueReader)?
        do {
            let store = try rig.open()
            try store.write(.put("a", "1"))
            snapshot = try store.snapshot()
        }
        #expect(try snapshot?.text("a") == "1")
        #expect(throws: StoreError.locked(path: rig.path())) { try rig.open() }
        snapshot = nil
        #expect(try rig.open().text("a") == "1")
    }
}
