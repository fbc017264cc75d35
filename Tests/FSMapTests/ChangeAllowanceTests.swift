// SPDX-License-Identifier: Apache-2.0

import FSMap
import Testing

@Suite("The allowance of changes")
struct ChangeAllowanceTests {
    private let second: UInt64 = 1_000_000_000

    private func granted(
        _ allowance: inout ChangeAllowance,
        _ user: UInt32,
        _ count: Int,
        now: UInt64
    ) -> Int {
        (0..<count).filter { _ in allowance.take(user, now: now) == .granted }.count
    }

    @Test("a burst, then so many a second, for each user apart")
    func rate() {
        var allowance = ChangeAllowance(perSecond: 10, burst: 20)
        #expect(granted(&allowance, 1, 100, now: 5 * second) == 20)
        #expect(granted(&allowance, 1, 100, now: 5 * second + second / 2) == 5)
        #expect(granted(&allowance, 2, 100, now: 5 * second) == 20)
        #expect(granted(&allowance, 1, 100, now: 60 * second) == 20)
        // A clock that stands or goes back gives nothing.
        #expect(granted(&allowance, 1, 100, now: 59 * second) == 0)
        #expect(granted(&allowance, 1, 100, now: 60 * second) == 0)
    }

    @Test("a refusal is said once a second, with how many there were")
    func saying() {
        var allowance = ChangeAllowance(perSecond: 1, burst: 1)
        #expect(allowance.take(7, now: 0) == .granted)
        #expect(allowance.take(7, now: 1) == .refused(toSay: 1))
        for now in 2..<10 { #expect(allowance.take(7, now: UInt64(now)) == .refused(toSay: nil)) }
        #expect(allowance.take(7, now: second) == .granted)
        #expect(allowance.take(7, now: second + 1) == .refused(toSay: 9))
    }

    @Test("many users take bounded room: those beyond it share one bucket")
    func bounded() {
        var allowance = ChangeAllowance(perSecond: 1, burst: 2, usersMax: 3)
        for user in 0..<3 { #expect(allowance.take(UInt32(user), now: 0) == .granted) }
        let grants = (10..<20).filter { allowance.take(UInt32($0), now: 0) == .granted }
        #expect(grants.count == 2)
        // Full buckets are forgotten, and make room.
        #expect(granted(&allowance, 30, 5, now: 9 * second) == 2)
        #expect(granted(&allowance, 31, 5, now: 9 * second) == 2)
    }
}
