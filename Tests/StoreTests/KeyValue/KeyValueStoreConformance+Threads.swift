// SPDX-License-Identifier: Apache-2.0

import Foundation
import Store
import Synchronization
import Testing

/// What every engine promises to threads.
extension KeyValueStoreConformance {
    @Test("readers see batches whole while one writes and flushes", arguments: Engine.allCases)
    func atomicity(engine: Engine) throws {
        let rig = try StoreRig(engine)
        defer { rig.discard() }
        let store = try rig.open()
        try store.write(.puts([("a", "0"), ("b", "0")]))
        let isDone = Atomic<Bool>(false)
        let torn = Atomic<Int>(0)
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
            if thread == 0 {
                for round in 1...2000 {
                    try? store.write(.puts([("a", "\(round)"), ("b", "\(round)")]))
                    if round.isMultiple(of: 500) { try? store.flush() }
                }
                isDone.store(true, ordering: .releasing)
                return
            }
            while !isDone.load(ordering: .acquiring) {
                let reader = thread == 1 ? try? store.snapshot() : nil
                let values = (try? (reader ?? store).pairs().map(\.value)) ?? []
                let pointed = [try? reader?.text("a"), try? reader?.text("b")]
                if values.count != 2 || values[0] != values[1] || pointed[0] != pointed[1] {
                    torn.add(1, ordering: .relaxed)
                }
            }
        }
        #expect(torn.load(ordering: .relaxed) == 0)
        #expect(try store.text("a") == "2000")
    }

    @Test("close while threads read gives values or closed", arguments: Engine.allCases)
    func closeUnderReaders(engine: Engine) throws {
        let rig = try StoreRig(engine)
        defer { rig.discard() }
        for round in 0..<20 {
            let store = try rig.open()
            try store.write(.puts([("a", "1"), ("b", "2")]))
            let reads = Atomic<Int>(0)
            let wrong = Mutex<[String]>([])
            DispatchQueue.concurrentPerform(iterations: 4) { thread in
                if thread == 0 {
                    while reads.load(ordering: .relaxed) < 50 { usleep(20) }
                    store.close()
                    return
                }
                do throws(StoreError) {
                    while true {
                        let reader: any KeyValueReader =
                            thread == 1 ? try store.snapshot() : store
                        var keys = 0
                        try reader.scan(from: [], below: endOfKeys) { _, _ in
                            keys += 1
                            return true
                        }
                        let value = try reader.get(bytes("a"))
                        reads.add(1, ordering: .relaxed)
                        if keys != 2 || value != bytes("1") {
                            wrong.withLock { $0.append("round \(round): \(keys) keys") }
                        }
                    }
                } catch {
                    if error != .closed { wrong.withLock { $0.append("\(error)") } }
                }
            }
            #expect(wrong.withLock { $0 } == [])
        }
    }
}
