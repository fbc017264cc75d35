// SPDX-License-Identifier: Apache-2.0

import Identity
import Store
import Testing

/// Same commands, same bytes: on both engines, in batches, and across a crash.
@Suite("replay")
struct ReplayTests {
    private static func history(seed: UInt64) throws -> [RecordStore.Placed] {
        var random = RandomCommands(seed: seed)
        return try (1...60).map { index in
            RecordStore.Placed(
                try random.next(),
                at: RecordStore.Position(term: 1 + UInt64(index / 20), index: UInt64(index))
            )
        }
    }

    private static func dump(
        _ engine: Engine,
        _ history: [RecordStore.Placed]
    ) throws -> [Pair] {
        var pairs: [Pair] = []
        try RecordRig.with(engine) { rig in
            for placed in history {
                _ = try rig.store.apply(placed)
            }
            pairs = try rig.dump()
        }
        return pairs
    }

    @Test("both engines and every run end with the same bytes", arguments: 5000..<5006)
    func sameBytes(seed: UInt64) throws {
        let history = try Self.history(seed: seed)
        let dumps = try [Engine.memory, .memory, .rocks].map { try Self.dump($0, history) }
        #expect(!dumps[0].isEmpty)
        #expect(dumps[1] == dumps[0], "seed \(seed)")
        #expect(dumps[2] == dumps[0], "seed \(seed)")
    }

    @Test("the bytes of a small state do not drift")
    func golden() throws {
        try RecordRig.with(.memory) { rig in
            try rig.accept(.put([try Make.user("a")]))
            let keys = try rig.store.base.keys().map { key in
                key.map { 32..<127 ~= $0 ? String(UnicodeScalar($0)) : "<\($0)>" }.joined()
            }
            let zeros = String(repeating: "<0>", count: 7)
            #expect(
                keys == [
                    "<1>", "<2>type.googleapis.com/user.User<0>a<0>",
                    "<3>type.googleapis.com/user.User<0>a<0>", "<4>\(zeros)<1>",
                    "<5>p<0>\(zeros)<3>", "<5>rtype.googleapis.com/user.User<0>\(zeros)<1>",
                    "<5>t<0>\(zeros)<2>", "<8>a<0>", "<10>rtype.googleapis.com/user.User<0>",
                ]
            )
        }
    }

    @Test("commands worked out together are as if one by one", arguments: 6000..<6010)
    func batches(seed: UInt64) throws {
        let history = try Self.history(seed: seed)
        let expected = try Self.dump(.memory, history)
        var random = RandomCommands(seed: seed &+ 1)
        for engine in Engine.allCases {
            try RecordRig.with(engine) { rig in
                var rest = history[...]
                while !rest.isEmpty {
                    let batch = Array(rest.prefix(1 + random.below(12)))
                    rest = rest.dropFirst(batch.count)
                    let prepared = try rig.store.prepare(batch)
                    #expect(prepared.outcomes.count == batch.count)
                    try rig.store.commit(prepared)
                }
                #expect(try rig.dump() == expected, "seed \(seed) \(engine)")
            }
        }
    }

    @Test("what is prepared has no effect before it is committed", arguments: Engine.allCases)
    func prepare(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.put([try Make.session("s", user: "a")]))
            let (before, metadata) = (try rig.dump(), rig.store.metadata)
            let prepared = try rig.store.prepare(
                rig.placed([.revoke(.session("s"), reason: ""), .put([try Make.user("b")])])
            )
            #expect(prepared.outcomes[0].changes.map(\.kind) == [.revoke])
            #expect(try rig.dump() == before)
            #expect(rig.store.metadata == metadata)
            try rig.store.commit(prepared)
            #expect(try rig.reader.isRevoked(.session, "s"))
            #expect(rig.store.metadata.appliedIndex == metadata.appliedIndex + 2)
        }
    }

    @Test("a refused command takes its place and nothing else", arguments: Engine.allCases)
    func refused(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.put([try Make.user("a")]))
            let before = try rig.dump().filter { $0.key != [1] }
            _ = try rig.refuse(
                .put([try Make.user("b"), try Make.session("s", user: "a", expires: 1)])
            )
            #expect(try rig.dump().filter { $0.key != [1] } == before)
            #expect(rig.store.metadata.appliedIndex == 2)
            #expect(rig.store.metadata.recordVersion == 1)
            try rig.reopen()
            #expect(rig.store.metadata.appliedIndex == 2)
        }
    }

    @Test("a failed write changes nothing and may be tried again")
    func failedWrite() throws {
        try RecordRig.with(.memory) { rig in
            let memory = try #require(rig.store.base as? MemoryStore)
            let placed = rig.placed([.put([try Make.user("a")])])
            memory.failNext(.write, with: .noSpace("full"))
            #expect(throws: StoreError.noSpace("full")) {
                _ = try rig.store.apply(placed[0])
            }
            #expect(rig.store.metadata.appliedIndex == 0)
            #expect(try rig.dump().isEmpty)
            _ = try rig.store.apply(placed[0])
            #expect(rig.store.metadata.appliedIndex == 1)
        }
    }

    @Test(
        "a crash and a replay from the applied index end with the same bytes, in steps or not",
        arguments: 7000..<7020,
        [1, 10_000]
    )
    func crash(seed: UInt64, revokedTogetherMax: Int) throws {
        let history = try Self.history(seed: seed)
        let expected = try Self.dump(.memory, history)
        var random = RandomCommands(seed: seed &+ 99)
        try RecordRig.with(.memory) { rig in
            var crashes = 0
            rig.store = try RecordStore(
                rig.store.base,
                limits: StoreLimits(revokedTogetherMax: revokedTogetherMax)
            )
            while rig.store.metadata.appliedIndex < UInt64(history.count) {
                let next = history[Int(rig.store.metadata.appliedIndex)]
                _ = try rig.store.apply(next)
                if random.below(6) == 0 { try rig.store.base.flush() }
                guard crashes < 5, random.below(10) == 0 else { continue }
                crashes += 1
                rig.store = try RecordStore(
                    rig.place.crash(rig.store.base),
                    limits: StoreLimits(revokedTogetherMax: revokedTogetherMax)
                )
            }
            #expect(try rig.dump() == expected, "seed \(seed)")
        }
    }
}
