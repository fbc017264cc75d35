// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity

/// Random commands and paths over few ids, so that they meet.
struct Traffic {
    var random: SplitMix
    private var lastSession = 0

    init(seed: UInt64) {
        random = SplitMix(seed: seed)
    }

    // Two of the users are one for `String` and two for everybody else.
    static let users = ["u1", "u2", "u 3", "\u{E9}", "e\u{301}", "a1", "a2"]
    static let accounts = ["a1", "a2"]
    static let groups = ["g1", "g2", "g/3"]
    static let sources = ["risk", "device"]
    static let keys = ["k1", "k2", "k/3"]
    static let faceless = RecordType("example.com/Lock")

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &random)]
    }

    mutating func chance(_ percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &random) < percent
    }

    private mutating func session() -> String {
        if chance(30) { lastSession += 1 }
        return "s\(max(0, lastSession - Int.random(in: 0...6, using: &random)))"
    }

    private mutating func put(_ type: RecordType, _ id: String, _ json: String) -> RecordWrite? {
        try? Document.parse(Array(json.utf8), type: type, id: id)
    }

    private mutating func write() -> RecordWrite? {
        let text = pick(["x", "yy", "zzz"])
        switch Int.random(in: 0..<16, using: &random) {
        case 0..<6:
            return put(
                .session,
                session(),
                #"{"user_id":"\#(pick(Self.users))","idp_id":"\#(text)"}"#
            )
        case 6: return put(.user, pick(Self.users), #"{"name":"\#(text)","email":"\#(text)@x"}"#)
        case 7:
            let groups = Self.groups.filter { _ in chance(40) }.map { "\"\($0)\"" }
            let json = #"{"group_ids":[\#(groups.joined(separator: ","))],"email":"\#(text)"}"#
            return put(.directoryUser, pick(Self.users), json)
        case 8: return put(.directoryGroup, pick(Self.groups), #"{"name":"\#(text)"}"#)
        case 9: return put(.serviceAccount, pick(Self.accounts), #"{"user_id":"\#(text)"}"#)
        case 10: return put(.context, "\(pick(Self.sources))/\(pick(Self.keys))", text)
        case 11: return put(Self.faceless, pick(Self.keys), #"{"note":"\#(text)"}"#)
        case 12: return RecordWrite(delete: .user, id: pick(Self.users))
        case 13: return RecordWrite(delete: .directoryUser, id: pick(Self.users))
        case 14:
            return RecordWrite(delete: .context, id: "\(pick(Self.sources))/\(pick(Self.keys))")
        default: return RecordWrite(delete: Self.faceless, id: pick(Self.keys))
        }
    }

    mutating func command() -> Command.Kind {
        switch Int.random(in: 0..<20, using: &random) {
        case 0: return .revoke(.session(session()), reason: "")
        case 1: return .revoke(.user(pick(Self.users)), reason: "")
        case 2: return .revoke(.group(pick(Self.groups)), reason: "")
        case 3: return .revoke(.serviceAccount(pick(Self.accounts)), reason: "")
        case 4: return .deleteGroup(pick(Self.groups))
        case 5...8:
            return .changeMembers(
                MembershipChange(
                    group: pick(Self.groups),
                    add: Self.users.filter { _ in chance(25) },
                    remove: Self.users.filter { _ in chance(25) },
                    replace: chance(20)
                )
            )
        default:
            let count = chance(30) ? 4 : 1
            return .put((0..<count).compactMap { _ in write() })
        }
    }

    /// The names of a path that may exist.
    mutating func path() -> [String] {
        let user = FileName.encode(pick(Self.users))
        let group = FileName.encode(pick(Self.groups))
        let account = pick(Self.accounts)
        let type = pick([.session, .user, .context, .directoryUser, Self.faceless] as [RecordType])
        let fixed = pick([
            [], ["README"], ["events", "all.jsonl"], ["cluster", "role"],
            ["cluster", "nodes", "n%202", "state"], ["nothing"],
        ])
        let paths = [
            fixed, ["sessions", session()], ["users", user, "sessions", session()],
            ["users", user, pick(["user.json", "email", "name", "groups", "more"])],
            ["service-accounts", account, pick(["account.json", "owner", "expires_at"])],
            ["service-accounts", account, "sessions", session()],
            ["groups", group, pick(["group.json", "name", "count", "members"])],
            ["groups", group, "members.d", user], ["groups", group, "sessions", session()],
            ["context", pick(Self.sources), FileName.encode(pick(Self.keys))],
            ["records", FileName.encode(type.url), FileName.encode(pick(Self.keys + Self.users))],
            ["records", FileName.encode(RecordType.session.url), session()],
            ["revocations", "\(Int.random(in: 1...400, using: &random))"],
        ]
        let path = pick(paths)
        return chance(75)
            ? path : Array(path.prefix(Int.random(in: 0...path.count, using: &random)))
    }
}
