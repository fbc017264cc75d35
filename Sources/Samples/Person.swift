// SPDX-License-Identifier: Apache-2.0

/// Somebody, or something, that sessions belong to.
struct Person {
    var id: String
    var givenName: String
    var familyName: String
    var email: String

    var name: String { familyName.isEmpty ? givenName : "\(givenName) \(familyName)" }

    /// A person with the given parts.
    init(id: String, givenName: String, familyName: String = "", email: String) {
        self.id = id
        self.givenName = givenName
        self.familyName = familyName
        self.email = email
    }

    /// The synthetic person of this number: always the same one for the same seed.
    ///
    /// Ids come as identity providers make them; see ``IDStyle``.
    init(seed: UInt64, index: Int) {
        var source = SampleSource(seed: seed, kind: .user, index: index)
        let names = Self.givenNames.count * Self.familyNames.count
        // An odd factor visits every pair of names once before any comes again.
        let pair = (index % names + Int(seed % UInt64(names))) * 357 % names
        let given = Self.givenNames[pair % Self.givenNames.count]
        let family = Self.familyNames[pair / Self.givenNames.count]
        let round = index / names
        let domain = source.random.chance(percent: 85) ? "example.com" : "partner.example.org"
        let number = round == 0 ? "" : "\(round + 1)"
        givenName = given.name
        familyName = family.name
        email = "\(given.ascii).\(family.ascii)\(number)@\(domain)"
        id = ""
        switch IDStyle(percentile: source.random.below(100)) {
        case .auth0: id = "auth0|\(source.uniqueHex)\(source.hex(digits: 8))"
        case .email: id = email
        case .uuid: id = source.uuid()
        case .google:
            let digits = "\(source.unique)"
            id = "google-oauth2|1" + String(repeating: "0", count: 20 - digits.count) + digits
        case .distinguishedName:
            // A comma within a name is escaped (RFC 4514).
            id = "cn=\(familyName)\\, \(givenName) \(index),ou=people/emea,dc=example,dc=com"
        }
    }

    /// The shapes of user ids that identity providers hand out.
    private enum IDStyle {
        case auth0, email, uuid, google, distinguishedName

        init(percentile: Int) {
            self =
                switch percentile {
                case 0..<35: .auth0
                case 35..<60: .email
                case 60..<80: .uuid
                case 80..<95: .google
                default: .distinguishedName
                }
        }
    }

    private typealias Name = (name: String, ascii: String)

    private static func names(_ text: String) -> [Name] {
        text.split(separator: " ").map { word in
            let parts = word.split(separator: "/")
            return (String(parts[0]), parts.count > 1 ? String(parts[1]) : word.lowercased())
        }
    }

    /// 32 names; the part behind the slash is how an address spells them.
    private static let givenNames = names(
        """
        Ada Aiko Amara Anders Anita Ben Chen Dana Dmitri Elena Fatima Grace Hana Ines Ivan Jamal \
        José/jose Karim Lena Luis Mei Nadia Noah Olga Priya Raj Rosa Sam Søren/soren Tomás/tomas \
        Yara Zoë/zoe
        """
    )

    /// 32 names, as above.
    private static let familyNames = names(
        """
        Adeyemi Andersson Bauer Berg Castillo Chaudhry Costa Dubois Eriksen Fischer García/garcia \
        Haddad Hughes Ito Jansen Kaya Kim Kowalski Larsen Lindqvist Mbeki Moreau Müller/mueller \
        Nakamura Novák/novak Okafor Petrov Quispe Rossi Silva Tanaka Wong
        """
    )
}
