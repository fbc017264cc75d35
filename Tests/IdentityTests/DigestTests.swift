// SPDX-License-Identifier: Apache-2.0

import Identity
import Testing

@Suite("digests")
struct DigestTests {
    @Test("SHA-256 of \"abc\" is that of FIPS 180-4")
    func sha256() {
        #expect(Digest.hex("abc", digits: 8) == "ba7816bf")
        #expect(Digest.hex("abc", digits: 5) == "ba781")
        #expect(Digest.sha256("abc".utf8).prefix(3) == [0xba, 0x78, 0x16])
    }

    @Test("base32 is that of RFC 4648 in lower case, without padding")
    func base32() {
        let vectors = [
            ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foob", "mzxw6yq"),
            ("fooba", "mzxw6ytb"), ("foobar", "mzxw6ytboi"),
        ]
        for (text, expected) in vectors {
            // What is left of the last group is cut off here, where RFC 4648 would pad it.
            let whole = String(expected.prefix(text.utf8.count * 8 / 5))
            #expect(Digest.base32(Array(text.utf8), characters: 26) == whole)
        }
        #expect(Digest.nameSuffix(of: "abc").utf8.count == 26)
    }
}
