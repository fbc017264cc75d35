// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Testing

@Suite("The mass-unlink brake")
struct UnlinkBrakeTests {
    private func sample(users: Int, each: Int = 1) throws -> Fixture {
        var fixture = Fixture { $0.brake.principalsMax = 3 }
        for user in 0..<users {
            for number in 0..<each {
                try fixture.putSession("s\(user)-\(number)", user: "u\(user)")
            }
        }
        fixture.settle()
        return fixture
    }

    private func unlink(_ fixture: Fixture, _ name: String, by uid: UInt32 = 0) throws {
        let kind = try fixture.files.unlink(
            name,
            in: fixture.find("sessions").inode,
            caller: Caller(uid: uid, gid: 0),
            now: fixture.now,
            view: fixture.state
        )
        #expect(kind != nil)
    }

    @Test("one session too many of too many principals is refused until the window has passed")
    func trips() throws {
        var fixture = try sample(users: 5)
        for user in 0..<3 { try unlink(fixture, "s\(user)-0") }
        #expect(throws: FSError.braked) { try unlink(fixture, "s3-0") }
        #expect(throws: FSError.braked) { try unlink(fixture, "s4-0") }
        try unlink(fixture, "s4-0", by: 7)
        fixture.now += 9_999_999_999
        #expect(throws: FSError.braked) { try unlink(fixture, "s3-0") }
        fixture.now += 1
        try unlink(fixture, "s3-0")
    }

    @Test("any number of sessions of one principal may go, and bulk verbs are not counted")
    func passes() throws {
        let fixture = try sample(users: 5, each: 20)
        for number in 0..<20 { try unlink(fixture, "s0-\(number)") }
        for user in 0..<5 {
            let kind = try fixture.files.removeDirectory(
                "sessions",
                in: fixture.find("users/u\(user)").inode,
                view: fixture.state
            )
            #expect(kind == .revoke(.user("u\(user)"), reason: ""))
        }
    }

    @Test("a service account counts as its sessions do: rm -rf stops before it has revoked all")
    func accounts() throws {
        var fixture = try sample(users: 2)
        for number in 0..<4 {
            try fixture.put(.serviceAccount, "a\(number)", "{}")
            try fixture.putSession("t\(number)", user: "a\(number)")
        }
        fixture.settle()
        func unlinkAccount(_ id: String) throws -> Command.Kind? {
            try fixture.files.unlink(
                "account.json",
                in: fixture.find("service-accounts/\(id)").inode,
                now: fixture.now,
                view: fixture.state
            )
        }
        try unlink(fixture, "s0-0")
        for account in ["a0", "a1"] {
            let kind = try unlinkAccount(account)
            #expect(kind == .revoke(.serviceAccount(account), reason: ""))
        }
        // Its sessions are those of the same principal.
        try unlink(fixture, "t1")
        #expect(throws: FSError.braked) { try unlinkAccount("a2") }
        #expect(throws: FSError.braked) { try unlink(fixture, "s1-0") }
        fixture.now += 10_000_000_000
        #expect(try unlinkAccount("a2") != nil)
    }
}
