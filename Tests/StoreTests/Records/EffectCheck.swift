// SPDX-License-Identifier: Apache-2.0

import Identity
import Store

/// Finds differences between two states that no effect tells of.
///
/// An effect too many costs an invalidation; one too few leaves a revoked session readable.
enum EffectCheck {
    static func unexplained(
        before: RecordView,
        after: RecordView,
        effects: [Effect]
    ) -> [String] {
        let changed = Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }
        return changed.sorted().compactMap { key in
            let parts = key.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
            let isExplained: Bool =
                switch parts[0] {
                case "record": explains(effects, record: parts, before[key], after[key], after)
                case "listed" where parts[1] == "r": true  // The record's own effect tells.
                case "listed": explains(effects, listing: parts, isListed: after[key] != nil)
                case "members":
                    effects.contains {
                        if case .membersChanged(let group) = $0 {
                            plain(group) == parts[1]
                        } else {
                            false
                        }
                    }
                default: true  // Rows that follow from records, listings and members.
                }
            return isExplained ? nil : key
        }
    }

    private static func explains(
        _ effects: [Effect],
        record parts: [String],
        _ before: String?,
        _ after: String?,
        _ state: RecordView
    ) -> Bool {
        var users: Set<String> = []
        var wasCreated = false
        var last: Effect?
        for effect in effects {
            switch effect {
            case .recordWritten(let type, let id, let created, let owners)
            where type.url == parts[1] && plain(id) == parts[2]:
                users.formUnion(owners.map(plain))
                wasCreated = wasCreated || created
                last = effect
            case .recordRemoved(let type, let id, let owners, _)
            where type.url == parts[1] && plain(id) == parts[2]:
                users.formUnion(owners.map(plain))
                last = effect
            default: break
            }
        }
        let owners = [before, after].compactMap { $0?.split(separator: " ")[2] }
        let types = ["session.Session", "user.ServiceAccount"]
        if types.contains(where: parts[1].hasSuffix) {
            guard owners.allSatisfy({ users.contains(String($0)) }) else { return false }
        }
        guard groupsExplained(effects, parts, before, after) else { return false }
        switch last {
        case .recordWritten?: return after != nil && (before != nil || wasCreated)
        case .recordRemoved(_, _, _, let revoked)?:
            let isTombstone = state["tombstone|\(parts[1])|\(parts[2])"] != nil
            return after == nil && revoked == isTombstone
        default: return false
        }
    }

    private static func groupsExplained(
        _ effects: [Effect],
        _ parts: [String],
        _ before: String?,
        _ after: String?
    ) -> Bool {
        guard parts[1] == RecordType.directoryUser.url else { return true }
        let old = groups(in: before)
        guard old != groups(in: after) else { return true }
        return effects.contains {
            if case .groupsChanged(let user) = $0 { plain(user) == parts[2] } else { false }
        }
    }

    private static func groups(in line: String?) -> Substring {
        guard let line, let start = line.firstIndex(of: "["), let end = line.firstIndex(of: "]")
        else { return "[" }
        return line[start..<end]
    }

    private static func explains(
        _ effects: [Effect],
        listing parts: [String],
        isListed: Bool
    ) -> Bool {
        var last: Bool?
        let collection = "\(parts[1])|\(parts[2])"
        for effect in effects {
            switch effect {
            case .listed(let name, let id) where line(name) == collection && plain(id) == parts[3]:
                last = true
            case .unlisted(let name, let id)
            where line(name) == collection && plain(id) == parts[3]:
                last = false
            default: break
            }
        }
        return last == isListed
    }
}
