// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Testing

/// Which effects are told to the kernel's watchers.
@Suite("Replays") struct ReplayTests {
    private var plan = ReplayPlan(sessionsPerSecond: 3)

    private mutating func told(
        _ effects: Effect...,
        now: UInt64 = 0,
        unknown: [FSMap.Node] = []
    ) -> [String] {
        plan.replays(for: effects, now: now) { !unknown.contains($0) }.map {
            "\($0.kind) \($0.path)"
        }
    }

    private func session(_ id: String, created: Bool) -> Effect {
        .recordWritten(.session, id: id, created: created, users: ["u"])
    }

    @Test("context is told of with all that happens to it")
    mutating func context() {
        #expect(
            told(
                .recordWritten(.context, id: "src/a b", created: true, users: []),
                .recordWritten(.context, id: "src/k", created: false, users: []),
                .recordRemoved(.context, id: "src/k", users: [], revoked: false)
            ) == ["created context/src/a%20b", "changed context/src/k", "removed context/src/k"]
        )
    }

    @Test("a change of members is one change of the file, whoever joined or left")
    mutating func members() {
        #expect(
            told(
                .listed(.members(ofGroup: "g"), id: "a"),
                .unlisted(.members(ofGroup: "g"), id: "b"),
                .membersChanged(group: "g"),
                .listed(.members(ofGroup: "h"), id: "a")
            ) == ["changed groups/g/members", "changed groups/h/members"]
        )
    }

    @Test("a session is told of in every directory that the kernel knows")
    mutating func sessions() {
        let accounts = FSMap.Node.serviceAccountSessions("u")
        #expect(
            told(session("s", created: true), unknown: [accounts])
                == ["created sessions/s", "created users/u/sessions/s"]
        )
        #expect(
            told(
                .recordRemoved(.session, id: "s", users: ["u"], revoked: true),
                now: 1_000_000_000,
                unknown: [.sessions]
            ) == ["removed users/u/sessions/s", "removed service-accounts/u/sessions/s"]
        )
        let moved = Effect.recordWritten(.session, id: "s", created: false, users: ["u", "v"])
        #expect(told(moved, now: 2_000_000_000) == ["changed sessions/s"])
    }

    @Test("nothing is told of other records, nor where the kernel knows no directory")
    mutating func others() {
        #expect(
            told(
                .recordWritten(.user, id: "u", created: true, users: []),
                .recordRemoved(.directoryGroup, id: "g", users: [], revoked: false),
                .listed(.principals, id: "u"),
                .groupsChanged(user: "u")
            ).isEmpty
        )
        let change = Effect.recordWritten(.context, id: "src/k", created: true, users: [])
        #expect(told(change, unknown: [.contextSource("src")]).isEmpty)
    }

    @Test("what this mount asked for is not told again, until all who asked are answered")
    mutating func own() {
        let written = Effect.recordWritten(.context, id: "s/k", created: false, users: [])
        let removed = Effect.recordRemoved(.context, id: "s/k", users: [], revoked: false)
        let value = FSMap.Node.contextValue(source: "s", key: "k")
        plan.begin(.writing(value))
        plan.begin(.writing(value))
        #expect(told(written, removed) == ["removed context/s/k"])
        plan.end(.writing(value))
        #expect(told(written).isEmpty)
        plan.end(.writing(value))
        #expect(told(written) == ["changed context/s/k"])
        plan.begin(.removal(value, in: .contextSource("s")))
        #expect(told(removed, written) == ["changed context/s/k"])
    }

    @Test("a session removed by one of its names is told of under the others")
    mutating func ownSession() {
        plan.begin(.removal(.session("s"), in: .sessions))
        let removed = Effect.recordRemoved(.session, id: "s", users: ["u"], revoked: true)
        #expect(
            told(removed)
                == ["removed users/u/sessions/s", "removed service-accounts/u/sessions/s"]
        )
    }

    @Test("sessions beyond the rate are left out and counted; context is not limited")
    mutating func rate() {
        let unknown = [FSMap.Node.userSessions("u"), .serviceAccountSessions("u")]
        func all(_ count: Int) -> [Effect] {
            (0..<count).map { session("s\($0)", created: true) }
        }
        let isKnown = { (node: FSMap.Node) in !unknown.contains(node) }
        #expect(plan.replays(for: all(5), now: 1_000_000_010, isKnown: isKnown).count == 3)
        #expect(plan.skipped == 2)
        #expect(plan.replays(for: all(1), now: 2_000_000_009, isKnown: isKnown).isEmpty)
        #expect(plan.replays(for: all(9), now: 2_000_000_010, isKnown: isKnown).count == 3)
        let change = Effect.recordWritten(.context, id: "src/k", created: true, users: [])
        #expect(told(change, now: 2_000_000_011).count == 1)
        #expect(plan.skipped == 9)
    }
}
