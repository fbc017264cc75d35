// SPDX-License-Identifier: Apache-2.0

import Raft

/// No revoked session is ever visible again, on any mount or in any kernel's cache (G1, G2, G6).
struct RevocationChecker {
    /// What somebody got to see of a session.
    enum Sight {
        /// That it is there: its attributes, by its name.
        case name
        /// What is in it.
        case content
    }

    /// When the answer to the first revocation left a node; and each node that said so.
    private var acknowledgedAt: [Int: UInt64] = [:]
    private var acknowledgedOn: [Int: [Int: UInt64]] = [:]
    /// In the order of their answers; and how many of them each run of a node is known to have.
    private var inOrder: [(session: Int, at: UInt64)] = []
    private var seenCount: [Int: Int] = [:]
    /// Sessions that a run of a node has shown, since when; and that it has shown to be gone, in
    /// answer to a question asked after that: a slow answer may be of a time before they were made.
    private var seenLive: [Int: [Int: UInt64]] = [:]
    private var seenGone: [Int: [Int: UInt64]] = [:]
    /// What names may take longer than content on the mount that revoked, and how old what other
    /// mounts show may be: the bound, what clocks may be off, and a tick to notice.
    private let nameSlack: UInt64
    private let staleness: UInt64

    init(_ options: WorldOptions) {
        nameSlack = 20 * options.replyDelayMax + Span.millisecond
        staleness =
            options.stalenessMax + options.stalenessMax / 25
            + 2 * options.raft.tickNanoseconds + 2 * Span.millisecond
    }

    var sessions: [Int] { acknowledgedAt.keys.sorted() }

    mutating func acknowledged(_ session: Int, on node: Int, at time: UInt64) {
        if acknowledgedAt[session] == nil {
            acknowledgedAt[session] = time
            inOrder.append((session, time))
        }
        if acknowledgedOn[session]?[node] == nil {
            acknowledgedOn[session, default: [:]][node] = time
        }
    }

    /// Another run of a node is another mount.
    mutating func restarted(_ node: Int) {
        seenLive[node] = nil
        seenGone[node] = nil
        seenCount[node] = nil
        for session in acknowledgedOn.keys { acknowledgedOn[session]?[node] = nil }
    }

    /// What a node's mount has shown to somebody who began to look at `startedAt`.
    mutating func check(
        _ session: Int,
        on node: Int,
        shown: Sight?,
        startedAt: UInt64,
        endedAt: UInt64
    ) throws(Violation) {
        guard let shown else {
            if let live = seenLive[node]?[session], live < startedAt,
                seenGone[node]?[session] == nil
            {
                seenGone[node, default: [:]][session] = endedAt
            }
            return
        }
        if let own = acknowledgedOn[session]?[node] {
            let limit = shown == .content ? own : own + nameSlack
            guard startedAt <= limit else {
                throw Violation(
                    "node \(node + 1) shows \(shown) of s\(session), which it revoked before"
                )
            }
        }
        if let first = acknowledgedAt[session], startedAt > first + staleness {
            throw Violation(
                "node \(node + 1) shows \(shown) of s\(session), revoked long before elsewhere"
            )
        }
        guard shown == .content else { return }
        // What is cached of an open file goes after the state has changed, when the thread that
        // tells the kernel comes to it: within the bound of what may be shown at all.
        if let gone = seenGone[node]?[session], gone + max(nameSlack, staleness) < startedAt,
            acknowledgedAt[session] != nil
        {
            throw Violation("node \(node + 1) has shown s\(session) to be gone, and shows it again")
        }
        if seenLive[node]?[session] == nil { seenLive[node, default: [:]][session] = endedAt }
    }

    /// The next session whose revocation a node must know of if it vouches for a moment; what a
    /// run of it has known once it does not forget.
    func nextAcknowledged(before moment: UInt64, unseenBy node: Int) -> Int? {
        let count = seenCount[node] ?? 0
        guard count < inOrder.count, inOrder[count].at < moment else { return nil }
        return inOrder[count].session
    }

    /// The state of a node has the next one.
    mutating func noteSeen(by node: Int) { seenCount[node, default: 0] += 1 }
}
