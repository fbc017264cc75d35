// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Testing

@Suite("Long lists of members")
struct MembersTextTests {
    private func sample() -> (Fixture, [UInt8]) {
        var fixture = Fixture()
        // Names of many lengths, over several pages and places that are remembered.
        let users = (0..<5000).map { "user-\($0)" + String(repeating: "x", count: $0 % 61) }
        fixture.apply(.changeMembers(MembershipChange(group: "g", add: users)))
        fixture.settle()
        let sorted = users.map { Array($0.utf8) }.sorted { $0.lexicographicallyPrecedes($1) }
        return (fixture, sorted.flatMap { $0 + [UInt8(ascii: "\n")] })
    }

    @Test("any piece, read in any order, is the piece of the whole list")
    func pieces() throws {
        let (fixture, whole) = sample()
        let handle = try fixture.open("groups/g/members").handle
        let size = try fixture.find("groups/g/members").attributes.sizeBytes
        #expect(size == UInt64(whole.count))
        var random = SplitMix(seed: 5)
        for round in 0..<40 {
            let start = round == 0 ? 0 : Int.random(in: 0...whole.count + 10, using: &random)
            let count = Int.random(in: 1...200_000, using: &random)
            let piece = try fixture.files.read(
                handle,
                offset: UInt64(start),
                count: count,
                view: fixture.state
            )
            #expect(Array(piece) == Array(whole.dropFirst(start).prefix(count)))
        }
    }

    @Test("an open list is of the moment it was opened")
    func moment() throws {
        var (fixture, whole) = sample()
        let handle = try fixture.open("groups/g/members").handle
        fixture.apply(.changeMembers(MembershipChange(group: "g", add: ["aaa"])))
        #expect(try fixture.text(handle) == String(decoding: whole, as: UTF8.self))
        #expect(try fixture.text(of: "groups/g/members").hasPrefix("aaa\n"))
    }
}
