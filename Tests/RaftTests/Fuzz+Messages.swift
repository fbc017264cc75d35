// SPDX-License-Identifier: Apache-2.0

@testable import Raft

/// What peers say: near enough to the truth to be looked at, and now and then far from it.
extension Fuzz {
    mutating func peer() -> MemberID { MemberID(UInt64(2 + generator.number(below: 5))) }

    private mutating func flag() -> Bool { generator.chance(50) }

    /// A number not far from another; rarely one at the end of all numbers.
    private mutating func near(_ number: UInt64) -> UInt64 {
        if generator.number(below: 200) == 0 { return .max - UInt64(generator.number(below: 3)) }
        let moved = min(number, .max - 6) + UInt64(generator.number(below: 7))
        return moved < 3 ? 0 : moved - 3
    }

    /// A leader would hardly come to lead if every tenth message were of another term.
    private var strangeness: Int { member.role == .leader ? 2 : 10 }

    /// Often what the member waits for in its role.
    private mutating func dice() -> Int {
        guard generator.chance(member.role == .leader ? 90 : 40) else {
            return generator.number(below: 20)
        }
        switch member.role {
        case .preCandidate: return 1
        case .candidate: return 4
        case .leader: return 11 + generator.number(below: 5)
        case .follower, .stopped: return 6
        }
    }

    mutating func message() -> Message {
        let kind = kind()
        let isOfNextTerm =
            switch kind {
            case .preVote, .preVoteReply: true
            default: generator.chance(strangeness)
            }
        var term = isOfNextTerm ? member.term + 1 : member.term
        if generator.chance(strangeness) { term = near(term) }
        // Terms are written down, so one at the end of all terms would be the last.
        if term > .max / 2, generator.chance(90) { term = member.term }
        var message = Message(from: peer(), to: Self.me, term: term, kind: kind)
        if case .append(var append) = kind {
            append.entries = entries(after: append.previous, term: term)
            message.kind = .append(append)
        }
        return message
    }

    private mutating func kind() -> Message.Kind {
        switch dice() {
        case 0: return .preVote(last: place())
        case 1...2: return .preVoteReply(isGranted: generator.chance(80))
        case 3: return .vote(last: place(), isTransfer: flag())
        case 4...5: return .voteReply(isGranted: generator.chance(80))
        case 6...10:
            return .append(
                Append(
                    previous: place(),
                    entries: [],
                    commit: near(member.commitIndex),
                    stamp: stamp(),
                    echo: echo()
                )
            )
        case 11...13:
            return .appendReply(
                AppendReply(outcome: outcome(), stamp: stamp(), reading: reading())
            )
        case 16:
            let commit = generator.chance(95) ? member.commitIndex : near(member.commitIndex)
            return .heartbeat(Heartbeat(commit: commit, stamp: stamp(), echo: echo()))
        case 14...15: return .heartbeatReply(HeartbeatReply(stamp: stamp(), reading: reading()))
        case 17: return .snapshot(Snapshot(position: place(), configuration: group()))
        case 18: return .timeoutNow
        default: return .staleTerm
        }
    }

    /// Mostly one that is in the log.
    private mutating func place() -> LogPosition {
        let last = member.lastPosition.index
        let back = UInt64(generator.number(below: 6))
        var index = last > back ? last - back : 0
        if generator.chance(20) { index = near(last) }
        if generator.chance(80), let term = member.log.term(at: index) {
            return LogPosition(index: index, term: term)
        }
        return LogPosition(index: index, term: near(member.term))
    }

    private mutating func entries(after previous: LogPosition, term: Term) -> [Entry] {
        var last = previous
        var entries: [Entry] = []
        for _ in 0..<generator.number(below: 5) where last.index < .max {
            last.index += 1
            if flag() { last.term = max(last.term, min(term, near(term))) }
            let content: Entry.Content =
                switch generator.number(below: 6) {
                case 0: .empty
                case 1: .configuration(group())
                default: .payload(bytes("\(steps).\(last.index)"))
                }
            entries.append(Entry(term: last.term, index: last.index, content: content))
        }
        return entries
    }

    /// Any group, one without this member or without anybody as well.
    private mutating func group() -> Configuration {
        let members = (1...5).map { MemberID($0) }
        let voters = members.filter { $0 == Self.me || generator.chance(50) }
        if generator.chance(20) { return Configuration(voters: voters.filter { $0 != Self.me }) }
        return Configuration(voters: voters, learners: members.filter { _ in generator.chance(20) })
    }

    private mutating func outcome() -> AppendReply.Outcome {
        if flag() { return .accepted(match: near(member.lastPosition.index)) }
        return .rejected(index: near(member.lastPosition.index), hint: place())
    }

    private mutating func stamp() -> Stamp {
        Stamp(round: near(member.leadership.round), clock: near(now))
    }

    private mutating func reading() -> Reading {
        Reading(run: flag() ? member.run : 7, clock: near(now))
    }

    private mutating func echo() -> FreshnessEcho? {
        flag() ? FreshnessEcho(reading: reading(), index: near(member.commitIndex)) : nil
    }
}
