// SPDX-License-Identifier: Apache-2.0

import Identity
import Store

/// Commands in an order that a seed decides; refused ones among them.
struct RandomCommands {
    private var state: UInt64
    private(set) var now: Int64 = 1_000_000

    init(seed: UInt64) {
        // Not a multiple of the step below: two seeds would share one sequence.
        state = (seed &+ 1) &* 0xD129_0D3F_7A1B_55C7
    }

    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ (mixed >> 31)) % UInt64(bound))
    }

    mutating func pick<T>(_ choices: [T]) -> T { choices[below(choices.count)] }

    mutating func some<T>(_ choices: [T], atMost count: Int) -> [T] {
        (0..<below(count + 1)).map { _ in pick(choices) }
    }

    mutating func next() throws -> Command {
        now += Int64(pick([0, 1, 1, 1, 5, 60]))
        let kind = try nextKind()
        return Command(at: Timestamp(seconds: now, nanoseconds: Int32(below(3)) * 500), kind: kind)
    }

    private mutating func nextKind() throws -> Command.Kind {
        switch below(21) {
        case 0..<9: return .put(try (0...below(3)).map { _ in try write() })
        case 9: return .patch(try patches(), paths: pick([["user_id"], ["expires_at"], ["nope"]]))
        case 10..<13:
            return .revoke(
                pick([
                    .session(pick(Universe.sessions)), .session(pick(Universe.sessions)),
                    .user(pick(Universe.users)), .group(pick(Universe.groups)),
                    .group(pick(Universe.groups)), .group(pick(Universe.groups)),
                    .serviceAccount(pick(Universe.accounts)),
                ]),
                reason: pick(["", "left"])
            )
        case 13..<15:
            return .changeMembers(
                MembershipChange(
                    group: pick(Universe.groups),
                    add: some(Universe.users, atMost: 3),
                    remove: some(Universe.users, atMost: 2),
                    replace: below(3) == 0
                )
            )
        case 20:
            let id = UInt64(below(12))
            let member = GroupMember(id: id, name: "n\(below(4))", address: pick(["a:1", "b:1"]))
            return .describeMember(member)
        case 15: return .deleteGroup(pick(Universe.groups))
        case 16:
            // Tight bounds would leave nothing for the other commands to do.
            let isTight = below(6) == 0
            let options = RecordOptions(
                capacity: isTight ? 0 : pick([nil, 2, 3, 6]),
                ttlSeconds: isTight ? 0 : pick([nil, 30, 500])
            )
            return .setOptions(pick(Universe.types), options)
        default:
            // A jump, back too: the leader's clock may have been set.
            if below(3) == 0 { now += Int64(pick([400, 4000, 40 * 86_400, -300])) }
            return .maintain(
                changeRetentionSeconds: UInt64(pick([0, 60, 3600])),
                recordsMax: UInt32(pick([0, 1, 2, 100]))
            )
        }
    }

    private mutating func patches() throws -> [RecordWrite] {
        try (0...below(6)).map { _ in
            try Make.session(
                pick(Universe.sessions),
                user: pick(Universe.users),
                expires: now + Int64(pick([20, 300]))
            )
        }
    }

    private mutating func write() throws -> RecordWrite {
        let type = pick([.session, .session] + Universe.types)
        let id = pick(Universe.ids(of: type))
        var write = try put(type, id)
        if below(5) == 0 { write = RecordWrite(delete: type, id: id) }
        if below(30) == 0 { write.expectedVersion = UInt64(below(20)) }
        return write
    }

    private mutating func put(_ type: RecordType, _ id: String) throws -> RecordWrite {
        let user = pick(Universe.users + ["bot"])
        switch type {
        case .session:
            let lifetimes: [Int64?] = [nil, 10, 300, 90 * 86_400]
            let expires = below(20) == 0 ? now - 1 : pick(lifetimes).map { now + $0 }
            return try Make.session(id, user: user, expires: expires, token: "secret-\(below(3))")
        case .user: return try Make.user(id, name: pick(["A", "B"]))
        case .serviceAccount:
            return try Make.account(id, owner: user, expires: pick([nil, now + 10]))
        case .directoryUser:
            return try Make.directoryUser(id, groups: some(Universe.groups, atMost: 3))
        case .directoryGroup: return try Make.directoryGroup(id, name: pick(["G", "H"]))
        case .context: return try Make.context(id, "high", expires: pick([nil, now - 1, now + 50]))
        default: return try Make.other(type.url, id, value: pick(["x", "yy"]))
        }
    }
}
