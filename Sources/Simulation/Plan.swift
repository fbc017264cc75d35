// SPDX-License-Identifier: Apache-2.0

import Log

/// Who something happens to; settled when it happens.
package enum Target: Hashable, Sendable {
    case leader
    case follower
    case node(Int)
}

/// One thing that is to happen at a time of its own, apart from what follows by itself.
package struct PlanItem: Sendable {
    /// Nanoseconds from the start.
    package var at: UInt64
    package var step: PlanStep
}

/// A fault, a client's wish or somebody who looks at a mount.
package enum PlanStep: Sendable {
    /// `length`: how long it lasts; `dice`: what else there is to choose.
    case fault(FaultKind, Target, length: UInt64, dice: UInt64)
    /// A client asks whom it takes for the leader.
    case request(client: Int, Wish)
    case access(Target, AccessKind, session: Int)
    case flush(node: Int)
}

/// What a client wants.
package enum Wish: Hashable, Sendable {
    case create(session: Int)
    case revoke(session: Int)
    case revokeAll(user: Int)
    case readIndex(session: Int)
    case leaseRead(session: Int)
}

/// What somebody does on a mount.
package enum AccessKind: CaseIterable, Sendable {
    case stat, cat, hold, readHeld, list
}

/// Everything that happens from outside, in order: what a shrinker cuts down.
package struct Plan: Sendable {
    package var items: [PlanItem] = []

    /// Draws what happens in a world.
    package init(_ options: WorldOptions, seed: UInt64) {
        var chance = SplitMix64(seed: seed ^ 0x706C_616E)
        add(every: options.faultEvery, options, &chance) { chance in
            let kind = chance.pick(of: options.faults)
            let length = (10 + chance.number(below: 300)) * Span.millisecond
            let target = Self.target(options, &chance)
            return .fault(kind, target, length: length, dice: chance.next())
        }
        add(every: options.clientEvery, options, &chance) { chance in
            .request(
                client: chance.index(below: options.clients),
                Self.wish(options, &chance)
            )
        }
        add(every: options.accessEvery, options, &chance) { chance in
            .access(
                Self.target(options, &chance),
                chance.pick(.stat, .stat, .cat, .cat, .hold, .readHeld, .list),
                session: chance.index(below: options.sessions)
            )
        }
        for node in 0..<(options.voters + options.spares) {
            add(every: options.flushEvery, options, &chance) { _ in .flush(node: node) }
        }
        items.sort { $0.at < $1.at }
    }

    /// A plan of these items.
    package init(_ items: [PlanItem]) {
        self.items = items
    }

    private mutating func add(
        every interval: UInt64,
        _ options: WorldOptions,
        _ chance: inout SplitMix64,
        _ step: (inout SplitMix64) -> PlanStep
    ) {
        var at = chance.number(below: 2 * interval)
        while at < options.duration {
            items.append(PlanItem(at: at, step: step(&chance)))
            at += 1 + chance.number(below: 2 * interval)
        }
    }

    private static func target(
        _ options: WorldOptions,
        _ chance: inout SplitMix64
    ) -> Target {
        switch chance.index(below: 4) {
        case 0: .leader
        case 1: .follower
        default: .node(chance.index(below: options.voters + options.spares))
        }
    }

    private static func wish(
        _ options: WorldOptions,
        _ chance: inout SplitMix64
    ) -> Wish {
        let session = chance.index(below: options.sessions)
        switch chance.index(below: 20) {
        case 0..<8: return .create(session: session)
        case 8..<12: return .revoke(session: session)
        case 12: return .revokeAll(user: chance.index(below: options.users))
        case 13..<17: return .readIndex(session: session)
        default:
            return options.firewallsLie
                ? .readIndex(session: session) : .leaseRead(session: session)
        }
    }
}
