// SPDX-License-Identifier: Apache-2.0

import Identity
import Store
import Testing

/// Exactly once (ARCHITECTURE.md, G5; thesis section 6.3).
@Suite("origins")
struct OriginTests {
    private static func origin(_ sequence: UInt64, of client: UInt64 = 7) -> RequestOrigin {
        RequestOrigin(client: client, sequence: sequence)
    }

    /// Applies a command with an origin in its place, and all of its steps.
    @discardableResult
    private static func apply(
        _ rig: RecordRig,
        _ kind: Command.Kind,
        _ origin: RequestOrigin?
    ) throws -> RecordStore.Outcome {
        rig.now += 1
        let command = Command(at: Timestamp(seconds: rig.now), kind: kind, origin: origin)
        let index = rig.store.metadata.appliedIndex + 1
        let placed = RecordStore.Placed(command, at: .init(term: 2, index: index))
        var outcome = try rig.store.apply(placed)
        while !outcome.isComplete { outcome = try rig.store.apply(placed) }
        return outcome
    }

    @Test(
        "said again it changes nothing, and its outcome is the first one",
        arguments: Engine.allCases
    )
    func once(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            let first = try Self.apply(rig, .put([try Make.user("a", name: "A")]), Self.origin(1))
            try Self.apply(rig, .put([try Make.user("a", name: "B")]), Self.origin(2))
            let before = rig.store.metadata
            let dump = try rig.dump().filter { $0.key != [1] }
            let again = try Self.apply(rig, .put([try Make.user("a", name: "A")]), Self.origin(1))
            #expect(again.result == first.result)
            #expect(try again.result.get().receipt?.index == 1)
            #expect(again.effects.isEmpty && again.changes.isEmpty && again.isComplete)
            #expect(try rig.dump().filter { $0.key != [1] } == dump)
            #expect(rig.store.metadata.appliedIndex == before.appliedIndex + 1)
            #expect(rig.store.metadata.recordVersion == before.recordVersion)
            #expect(rig.store.metadata.lastAppliedAt == Timestamp(seconds: rig.now))
        }
    }

    @Test("another client, another number and no origin are another request")
    func others() throws {
        try RecordRig.with(.memory) { rig in
            for origin in [
                Self.origin(1), Self.origin(2), Self.origin(1, of: 8), Self.origin(.max, of: .max),
                nil, nil,
            ] {
                try Self.apply(rig, .put([try Make.user("a")]), origin)
            }
            #expect(rig.store.metadata.recordVersion == 6)
        }
    }

    @Test("a command without an origin leaves no row")
    func free() throws {
        try RecordRig.with(.memory) { rig in
            try Self.apply(rig, .put([try Make.user("a")]), nil)
            #expect(try rig.dump().allSatisfy { $0.key[0] < 16 })
        }
    }

    @Test("a refusal is an outcome, each as it was", arguments: Engine.allCases)
    func refusals(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            try rig.accept(.put([try Make.session("gone", user: "a"), try Make.user("u")]))
            try rig.accept(.revoke(.session("gone"), reason: ""))
            let long = GroupMember(id: 1, name: String(repeating: "n", count: 64), address: "h:1")
            let late = try Make.session("late", user: "a", expires: 1)
            let wrong = RecordWrite(delete: .user, id: "u", expectedVersion: 77)
            let patch = try Make.user("u", name: "new")
            let refused: [(Command.Kind, CommandError)] = [
                (.put([try Make.session("gone", user: "a")]), .revoked(id: "gone")),
                (.put([wrong]), .versionMismatch(id: "u", stored: 2)),
                (.revoke(.user("nobody"), reason: ""), .notFound(id: "nobody")),
                (.put([late]), .expired(id: "late")),
                (
                    .describeMember(long),
                    .tooLarge(id: "the name of member 1", bytes: 64, limit: 63)
                ),
                (.patch([patch], paths: ["nope"]), .undecodable(id: "u")),
            ]
            for (number, (kind, error)) in refused.enumerated() {
                let origin = Self.origin(UInt64(number))
                #expect(try Self.apply(rig, kind, origin).result == .failure(error))
            }
            try rig.reopen()
            for (number, (_, error)) in refused.enumerated() {
                // What it would do now does not matter.
                let kind = Command.Kind.put([try Make.user("other")])
                let again = try Self.apply(rig, kind, Self.origin(UInt64(number)))
                #expect(again.result == .failure(error))
            }
            #expect(try rig.reader.header(.user, "other") == nil)
        }
    }

    @Test("errors come back from their rows as they were")
    func errors() throws {
        for error: CommandError in [
            .revoked(id: "r"), .versionMismatch(id: "v", stored: .max), .notFound(id: ""),
            .exists(id: "e\u{301}"), .expired(id: "x"), .tooLarge(id: "t", bytes: 9, limit: 8),
            .undecodable(id: "u"), .tooManyMembers(limit: 1000),
        ] {
            #expect(try CommandError(error.message) == error)
        }
        #expect(throws: DocumentError.self) { _ = try CommandError(.init()) }
    }

    @Test("both in one batch, and in a batch that was worked out ahead")
    func together() throws {
        try RecordRig.with(.memory) { rig in
            let kinds: [Command.Kind] = [
                .put([try Make.session("s", user: "a")]), .revoke(.session("s"), reason: ""),
                .put([try Make.session("s", user: "a")]), .revoke(.session("s"), reason: ""),
            ]
            var placed = rig.placed(kinds)
            for (index, number) in [UInt64(1), 2, 1, 2].enumerated() {
                guard case .command(var command) = placed[index].content else { return }
                command.origin = Self.origin(number)
                placed[index].content = .command(command)
            }
            let prepared = try rig.store.prepare(placed)
            #expect(prepared.outcomes[0].result == prepared.outcomes[2].result)
            #expect(prepared.outcomes[1].result == prepared.outcomes[3].result)
            #expect(try prepared.outcomes[3].result.get().count == 1)
            try rig.store.commit(prepared)
            #expect(rig.store.metadata.recordVersion == 2)
        }
    }

    @Test("a revocation in steps is remembered once, with the count of all of them")
    func steps() throws {
        try RecordRig.with(.memory) { rig in
            rig.store = try RecordStore(
                rig.store.base,
                limits: StoreLimits(revokedTogetherMax: 2)
            )
            try rig.accept(.put(try (1...5).map { try Make.session("s\($0)", user: "a") }))
            let revoke = Command.Kind.revoke(.user("a"), reason: "")
            let command = Command(
                at: Timestamp(seconds: rig.now),
                kind: revoke,
                origin: Self.origin(1)
            )
            let placed = RecordStore.Placed(command, at: .init(term: 1, index: 2))
            #expect(try !rig.store.apply(placed).isComplete)
            #expect(rig.store.metadata.stepCount == 2)
            // A crash between two steps: the rest is done by whoever replays the entry.
            try rig.store.base.flush()
            rig.store = try RecordStore(
                rig.place.crash(rig.store.base),
                limits: StoreLimits(revokedTogetherMax: 2)
            )
            #expect(rig.store.metadata.appliedIndex == 1)
            #expect(try !rig.store.apply(placed).isComplete)
            let last = try rig.store.apply(placed)
            #expect(try last.result.get().count == 5)
            #expect(rig.store.metadata.stepCount == 0)
            try rig.accept(.put([try Make.session("s6", user: "a")]))
            let again = try Self.apply(rig, revoke, Self.origin(1))
            #expect(again.result == last.result)
            #expect(try rig.ids(.sessions(ofUser: "a")) == ["s6"])
        }
    }

    @Test("it is remembered for as long as is said, and no longer", arguments: Engine.allCases)
    func retention(engine: Engine) throws {
        try RecordRig.with(engine) { rig in
            var limits = StoreLimits()
            limits.originsMin = 2
            rig.store = try RecordStore(rig.store.base, limits: limits)
            for number in UInt64(1)...5 {
                try Self.apply(rig, .put([try Make.user("a")]), Self.origin(number))
            }
            let first = rig.now - 4
            let maintain = Command.Kind.maintain(changeRetentionSeconds: 9999, recordsMax: 100)
            rig.now = first + limits.originRetentionSeconds - 2
            #expect(try rig.accept(maintain) == 0)
            #expect(try rig.accept(maintain) == 1)
            rig.now += 1000
            // Two stay, however old.
            #expect(try rig.accept(maintain) == 2)
            #expect(try rig.accept(maintain) == 0)
            #expect(try rig.dump().count { $0.key[0] == 17 } == 2)
            #expect(try rig.dump().count { $0.key[0] == 18 } == 2)
            let version = rig.store.metadata.recordVersion
            for number in UInt64(4)...5 {
                try Self.apply(rig, .put([try Make.user("a")]), Self.origin(number))
            }
            #expect(rig.store.metadata.recordVersion == version)
            try Self.apply(rig, .put([try Make.user("a")]), Self.origin(3))
            #expect(rig.store.metadata.recordVersion == version + 1)
        }
    }

    @Test("a clock that jumps ahead by years forgets none of the newest")
    func clockJump() throws {
        try RecordRig.with(.memory) { rig in
            for number in UInt64(1)...50 {
                try Self.apply(rig, .put([try Make.user("a")]), Self.origin(number))
            }
            rig.now += 20 * 365 * 86_400
            try rig.accept(.maintain(changeRetentionSeconds: 9999, recordsMax: 1000))
            let version = rig.store.metadata.recordVersion
            for number in UInt64(1)...50 {
                try Self.apply(rig, .put([try Make.user("a")]), Self.origin(number))
            }
            #expect(rig.store.metadata.recordVersion == version)
        }
    }

    @Test("there are never more than may be, without any maintenance")
    func bound() throws {
        try RecordRig.with(.memory) { rig in
            var limits = StoreLimits()
            (limits.originsMin, limits.originsMax) = (2, 10)
            rig.store = try RecordStore(rig.store.base, limits: limits)
            for number in UInt64(1)...50 {
                try Self.apply(rig, .put([try Make.user("a")]), Self.origin(number))
                #expect(try rig.dump().count { $0.key[0] == 17 } == Int(min(number, 10)))
            }
            // A smaller bound, as after a change of it: each one lets two go.
            limits.originsMax = 3
            rig.store = try RecordStore(rig.store.base, limits: limits)
            for number in UInt64(51)...60 {
                try Self.apply(rig, .put([try Make.user("a")]), Self.origin(number))
            }
            #expect(try rig.dump().count { $0.key[0] == 17 } == 3)
        }
    }
}
