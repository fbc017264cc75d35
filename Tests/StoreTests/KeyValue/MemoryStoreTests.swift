// SPDX-License-Identifier: Apache-2.0

import Store
import Testing

@Suite("in-memory store")
struct MemoryStoreTests {
    @Test("a fault hits its operation, as often as asked, and changes nothing")
    func faults() throws {
        let store = MemoryStore()
        let full = StoreError.noSpace("test")
        try store.write(.put("a", "1"))
        store.failNext(.write, with: full, count: 2)
        for _ in 0..<2 {
            #expect(throws: full) { try store.write(.puts([("a", "2"), ("b", "2")])) }
            #expect(try store.pairs() == [Pair(bytes("a"), bytes("1"))])
        }
        try store.write(.put("a", "3"))
        #expect(try store.text("a") == "3")
    }

    @Test("every operation can be made to fail, and reads fail on snapshots too")
    func everyOperation() throws {
        let store = MemoryStore()
        let snapshot = try store.snapshot()
        let error = StoreError.io("test")
        for operation in MemoryStore.Operation.allCases {
            store.failNext(operation, with: error, count: .max)
        }
        #expect(throws: error) { try store.get([]) }
        #expect(throws: error) { try store.withValue(of: []) { _ in } }
        #expect(throws: error) { try store.pairs() }
        #expect(throws: error) { try snapshot.get([]) }
        #expect(throws: error) { try snapshot.pairs() }
        #expect(throws: error) { try store.write(WriteBatch()) }
        #expect(throws: error) { try store.snapshot() }
        #expect(throws: error) { try store.flush() }
        #expect(throws: error) { try store.checkpoint(to: "copy") }
        store.clearFaults()
        #expect(try store.get([]) == nil)
        try store.checkpoint(to: "copy")
    }

    @Test("faults come in the order they were asked for")
    func faultOrder() {
        let store = MemoryStore()
        store.failNext(.flush, with: .io("first"))
        store.failNext(.flush, with: .io("second"))
        #expect(throws: StoreError.io("first")) { try store.flush() }
        #expect(throws: StoreError.io("second")) { try store.flush() }
        #expect(throws: Never.self) { try store.flush() }
    }

    @Test("a close that cannot flush keeps the state last flushed")
    func closeWithFault() throws {
        let volume = MemoryVolume()
        let store = try MemoryStore(volume: volume, path: "s")
        try store.write(.put("a", "1"))
        try store.flush()
        try store.write(.put("a", "2"))
        store.failNext(.flush, with: .noSpace("test"))
        store.close()
        #expect(try MemoryStore(volume: volume, path: "s").text("a") == "1")
    }

    @Test("checkpoints survive the crash of their store")
    func checkpointSurvives() throws {
        let store = MemoryStore()
        try store.write(.put("a", "1"))
        try store.checkpoint(to: "copy")
        let revived = store.crashed()
        #expect(throws: StoreError.closed) { try store.get([]) }
        #expect(try revived.get(bytes("a")) == nil)
        #expect(try MemoryStore(volume: revived.volume, path: "copy").text("a") == "1")
    }
}
