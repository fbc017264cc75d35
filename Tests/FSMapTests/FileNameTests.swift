// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Testing

@Suite("Names of files")
struct FileNameTests {
    @Test(
        "an id has the name the contract gives it",
        arguments: [
            ("alice", "alice"), ("a.b@c=d,e:f+g_h-i", "a.b@c=d,e:f+g_h-i"), (".", "%2E"),
            ("..", "%2E."), (".x", "%2Ex"), ("auth0|abc", "auth0%7Cabc"), ("a/b", "a%2Fb"),
            ("100%", "100%25"), ("x~", "x%7E"), ("host=a%3A443", "host=a%253A443"),
            ("é", "%C3%A9"), ("\u{1}\u{7F}", "%01%7F"), (" ", "%20"),
        ]
    )
    func examples(id: String, name: String) {
        #expect(FileName.encode(id) == name)
        #expect(FileName.decode(name) == .id(id))
    }

    @Test(
        "a name that is not the one of an id is the name of nothing",
        arguments: [
            "", ".", "..", ".x", "%2e", "%41", "%2", "%", "%zz", "a b", "é", "a%2E", "x~", "~",
            "a/b", "%FF", "%C3", "a~" + String(repeating: "a", count: 26),
            String(repeating: "a", count: 201),
        ]
    )
    func impossible(name: String) {
        #expect(FileName.decode(name) == nil)
    }

    @Test("a long name is cut between escapes and carries the digest of its id")
    func cut() {
        for length in 195...205 {
            let id = String(repeating: "x", count: length)
            let name = FileName.encode(id)
            #expect(name.utf8.count == (length > 200 ? 187 : length))
        }
        let id = "ab" + String(repeating: "é", count: 60)
        let name = FileName.encode(id)
        #expect(name.utf8.count == 2 + 26 * 6 + 1 + 26)
        #expect(name.hasSuffix("~" + Digest.nameSuffix(of: id)))
        #expect(FileName.decode(name) == .cut(suffix: Digest.nameSuffix(of: id)))
    }

    @Test("twenty-four thousand random ids are listed and found under their one name")
    func fuzz() throws(FSError) {
        let seed: UInt64 = 20_261_123
        var random = SplitMix(seed: seed)
        var fixture = Fixture()
        var ids: Set<[UInt8]> = []
        while ids.count < 24_000 { ids.insert(Array(Self.id(&random).utf8)) }
        let ordered = ids.sorted { $0.lexicographicallyPrecedes($1) }
        var listing = MemoryState.Listing(number: 1)
        for (index, bytes) in ordered.enumerated() {
            let id = String(decoding: bytes, as: UTF8.self)
            let number = UInt64(index + 1)
            listing.numbers[bytes] = number
            listing.entries.append(CollectionEntry(number: number, id: id))
        }
        var names: Set<String> = []
        for entry in listing.entries {
            let name = FileName.encode(entry.id)
            #expect(names.insert(name).inserted, "\(entry.id.debugDescription), seed \(seed)")
            #expect(name.utf8.count <= 200 && name.utf8.allSatisfy { $0 > 32 && $0 < 127 })
            switch FileName.decode(name) {
            case .id(let id): #expect(id.utf8.elementsEqual(entry.id.utf8), "seed \(seed)")
            case .cut(let suffix): #expect(suffix == Digest.nameSuffix(of: entry.id))
            case nil: Issue.record("\(entry.id.debugDescription) has no name, seed \(seed)")
            }
        }
        fixture.state.listings[MemoryState.key(.members(ofGroup: "g"))] = listing
        fixture.state.groups[Array("g".utf8)] = .init(
            number: 1,
            membersModifiedAt: .epoch,
            modifiedAt: .epoch,
            version: 1
        )
        let directory = try fixture.find("groups/g/members.d").inode
        let listed = try fixture.list(inode: directory, page: 1000).dropFirst(2)
        #expect(listed.count == ids.count)
        for (line, entry) in zip(listed, listing.entries) {
            #expect(line.name == FileName.encode(entry.id))
            // A cut name costs this view a scan: a few are enough.
            guard !line.name.contains("~") || entry.number % 101 == 0 else { continue }
            let reply = try fixture.files.lookup(
                line.name,
                in: directory,
                now: fixture.now,
                view: fixture.state
            )
            guard case .found(let found) = reply else {
                Issue.record("\(line.name) is listed and not found, seed \(seed)")
                continue
            }
            #expect(found.attributes.number == line.number)
            let raw = try fixture.files.extendedAttribute(
                "user.brokerfs.id",
                of: found.inode,
                caller: 0,
                view: fixture.state
            )
            #expect(raw.elementsEqual(entry.id.utf8))
        }
    }

    private static func id(_ random: inout SplitMix) -> String {
        let alphabets: [[Unicode.Scalar]] = [
            Array("abzAZ09_+@=,:.-".unicodeScalars),
            Array("./%~ |*#\\\"'\t\r\u{1}\u{7F}".unicodeScalars),
            [
                "e", "\u{301}", "\u{E9}", "\u{1F468}", "\u{200D}", "\u{AC00}", "\u{1100}",
                "\u{1161}",
            ],
        ]
        let length = Int.random(in: 0..<20, using: &random) == 0 ? 200 : 12
        var scalars = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 1...length, using: &random) {
            let alphabet = alphabets[Int.random(in: 0..<alphabets.count, using: &random)]
            scalars.append(alphabet[Int.random(in: 0..<alphabet.count, using: &random)])
        }
        return String(scalars)
    }
}
