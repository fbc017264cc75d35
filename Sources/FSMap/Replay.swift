// SPDX-License-Identifier: Apache-2.0

package import Identity

/// A change that the kernel is to tell to who watches files (inotify(7)).
///
/// An invalidation makes a kernel forget and tells nobody. A change that did not come through a
/// mount is therefore played again on it, by the system call that would have made it there.
package struct Replay: Hashable, Sendable {
    /// What is told: CREATE, MODIFY or DELETE.
    package enum Kind: Hashable, Sendable {
        case created, changed, removed
    }

    package let kind: Kind
    package let node: Node
    /// One of the directories in which the node is named.
    package let directory: Node

    /// The path below the mount, without a leading slash.
    package var path: String { "\(directory.path)/\(node.name)" }

    fileprivate var isSession: Bool {
        if case .session = node { true } else { false }
    }

    /// What is to be told of an effect; nothing of most.
    static func replays(of effect: Effect) -> [Replay] {
        switch effect {
        case .recordWritten(.session, let id, let created, let users):
            // A session that changed hands is told of in `sessions/` alone.
            let owners = created || users.count == 1 ? users : []
            return sessions(created ? .created : .changed, id, of: owners)
        case .recordRemoved(.session, let id, let users, revoked: _):
            return sessions(.removed, id, of: users)
        case .recordWritten(.context, let id, let created, users: _):
            return context(created ? .created : .changed, id)
        case .recordRemoved(.context, let id, users: _, revoked: _):
            return context(.removed, id)
        case .listed(.members(let group), id: _), .unlisted(.members(let group), id: _),
            .membersChanged(let group):
            let members = Node.groupFile(group, .members)
            return [Replay(kind: .changed, node: members, directory: .group(group))]
        case .recordWritten, .recordRemoved, .listed, .unlisted, .groupsChanged: return []
        }
    }

    private static func sessions(_ kind: Kind, _ id: String, of users: [String]) -> [Replay] {
        let directories = users.flatMap { [Node.userSessions($0), .serviceAccountSessions($0)] }
        return ([.sessions] + directories).map {
            Replay(kind: kind, node: .session(id), directory: $0)
        }
    }

    private static func context(_ kind: Kind, _ id: String) -> [Replay] {
        guard let (source, key) = try? RecordID.contextParts(id) else { return [] }
        let node = Node.contextValue(source: source, key: key)
        return [Replay(kind: kind, node: node, directory: .contextSource(source))]
    }
}

/// A change that is under way through this mount: the kernel tells of it by itself.
package enum OwnChange: Hashable, Sendable {
    case removal(Node, in: Node)
    case writing(Node)
}

/// Which changes are played again, and which are not.
package struct ReplayPlan: Sendable {
    private let sessionsPerSecond: Int
    private var own: [OwnChange: Int] = [:]
    private var secondStart: UInt64 = 0
    private var sessionsLeft: Int
    /// Changes of sessions that were beyond the rate.
    package private(set) var skipped: UInt64 = 0

    /// Plans nothing yet.
    package init(sessionsPerSecond: Int) {
        self.sessionsPerSecond = sessionsPerSecond
        sessionsLeft = sessionsPerSecond
    }

    /// A request of this mount asks for a change; it is not played again until ``end(_:)``.
    package mutating func begin(_ change: OwnChange) { own[change, default: 0] += 1 }

    /// The request is about to be answered.
    package mutating func end(_ change: OwnChange) {
        let count = own[change] ?? 0
        own[change] = count > 1 ? count - 1 : nil
    }

    /// What is to be played again, each once, in the order it happened.
    ///
    /// Only where the kernel knows the directory: a directory that is watched, or in which a file
    /// is, is always known.
    package mutating func replays(
        for effects: [Effect],
        now: UInt64,
        isKnown: (Node) -> Bool
    ) -> [Replay] {
        var seen: Set<Replay> = []
        var planned: [Replay] = []
        for effect in effects {
            // A bulk is beyond the rate; it costs nothing to say so.
            if effect.isOfSession, !hasSessionsLeft(now) {
                skipped += 1
                continue
            }
            for replay in Replay.replays(of: effect)
            where isKnown(replay.directory) && !isOwn(replay) && seen.insert(replay).inserted {
                if replay.isSession, !takeSession(now) { continue }
                planned.append(replay)
            }
        }
        return planned
    }

    private func isOwn(_ replay: Replay) -> Bool {
        guard !own.isEmpty else { return false }
        return switch replay.kind {
        case .removed: own[.removal(replay.node, in: replay.directory)] != nil
        case .created, .changed: own[.writing(replay.node)] != nil
        }
    }

    private mutating func hasSessionsLeft(_ now: UInt64) -> Bool {
        if now - min(now, secondStart) >= 1_000_000_000 {
            secondStart = now
            sessionsLeft = sessionsPerSecond
        }
        return sessionsLeft > 0
    }

    private mutating func takeSession(_ now: UInt64) -> Bool {
        guard hasSessionsLeft(now) else {
            skipped += 1
            return false
        }
        sessionsLeft -= 1
        return true
    }
}

extension Effect {
    fileprivate var isOfSession: Bool {
        switch self {
        case .recordWritten(.session, id: _, created: _, users: _),
            .recordRemoved(.session, id: _, users: _, revoked: _):
            true
        default: false
        }
    }
}
