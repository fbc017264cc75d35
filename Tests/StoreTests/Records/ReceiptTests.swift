// SPDX-License-Identifier: Apache-2.0

import Identity
import Store
import Testing

/// Receipts of revocations; what each holds is compared by the model's tests.
@Suite("receipts of revocations")
struct ReceiptTests {
    private static func receipts(_ rig: RecordRig) throws -> [UInt64] {
        try rig.reader.revocations(after: 0, limit: .max).map(\.receipt.index)
    }

    @Test(
        "each revocation leaves one at its index, also after a restart",
        arguments: Engine.allCases
    )
    func left(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.put(try (1...4).map { try Make.session("s\($0)", user: "a") }))
            let outcome = try rig.apply(.revoke(.session("s1"), reason: "left"))
            #expect(outcome.effects.contains(.listed(.revocations, id: "2")))
            try rig.accept(.put([RecordWrite(delete: .session, id: "s2")]))
            try rig.accept(.put([RecordWrite(delete: .user, id: "nobody")]))
            _ = try rig.refuse(.revoke(.session("never"), reason: ""))
            try rig.accept(.revoke(.user("a"), reason: ""))
            try rig.reopen()
            let receipt = Receipt(
                index: 2,
                term: 1,
                acceptedAt: Timestamp(seconds: rig.now - 4)
            )
            let expected = Revocation(
                receipt: receipt,
                target: .session("s1"),
                reason: "left",
                count: 1
            )
            #expect(try rig.reader.revocation(2) == expected)
            #expect(try Self.receipts(rig) == [2, 3, 6])
            #expect(try rig.reader.revocation(3)?.target == .session("s2"))
            #expect(try rig.reader.revocation(6)?.count == 2)
            #expect(try rig.reader.revocation(4) == nil)
            #expect(try rig.reader.revocations(after: 2, limit: 1).map(\.receipt.index) == [3])
            #expect(try rig.ids(.revocations) == ["2", "3", "6"])
            #expect(try rig.reader.number(of: "3", in: .revocations) == 3)
            for name in ["03", "+3", "4", "x", ""] {
                #expect(try rig.reader.number(of: name, in: .revocations) == nil)
            }
            let statistics = try rig.reader.statistics(of: .revocations)
            #expect(statistics?.count == 3)
            #expect(statistics?.modifiedAt == Timestamp(seconds: rig.now))
        }
    }

    @Test("a revocation in steps leaves one, of all of them, with the last")
    func steps() throws {
        try RecordRig.with(.memory) { rig in
            rig.store = try RecordStore(
                rig.store.base,
                limits: StoreLimits(revokedTogetherMax: 2)
            )
            try rig.accept(.put(try (1...5).map { try Make.session("s\($0)", user: "a") }))
            let placed = rig.placed([.revoke(.user("a"), reason: "")])[0]
            #expect(try !rig.store.apply(placed).isComplete)
            #expect(try Self.receipts(rig).isEmpty)
            #expect(try !rig.store.apply(placed).isComplete)
            #expect(try rig.store.apply(placed).isComplete)
            #expect(try rig.reader.revocation(2)?.count == 5)
            #expect(try Self.receipts(rig) == [2])
        }
    }

    @Test("they go after a day, as many at once as maintenance may", arguments: Engine.allCases)
    func retention(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.put([try Make.session("s", user: "a", expires: nil)]))
            for _ in 0..<5 { try rig.accept(.revoke(.session("s"), reason: "")) }
            let first = rig.now - 4
            let maintain = Command.Kind.maintain(changeRetentionSeconds: .max, recordsMax: 2)
            rig.now = first + Limits.revocationRetentionSeconds - 2
            #expect(try rig.accept(maintain) == 0)
            let outcome = try rig.apply(maintain)
            #expect(outcome.effects == [.unlisted(.revocations, id: "2")])
            #expect(try Self.receipts(rig) == [3, 4, 5, 6])
            rig.now += 100
            #expect(try rig.accept(maintain) == 2)
            #expect(try rig.accept(maintain) == 2)
            #expect(try rig.accept(maintain) == 0)
            #expect(try Self.receipts(rig).isEmpty)
            let removed = Timestamp(seconds: rig.now - 1)
            #expect(try rig.reader.statistics(of: .revocations)?.modifiedAt == removed)
        }
    }

    @Test("there are never more than may be; the oldest go first")
    func bound() throws {
        try RecordRig.with(.memory) { rig in
            var limits = StoreLimits()
            limits.revocationsMax = 3
            rig.store = try RecordStore(rig.store.base, limits: limits)
            try rig.accept(.put([try Make.session("s", user: "a")]))
            for _ in 0..<9 { try rig.accept(.revoke(.session("s"), reason: "")) }
            #expect(try Self.receipts(rig) == [8, 9, 10])
            #expect(try rig.dump().count { $0.key[0] == 20 } == 3)
        }
    }
}
