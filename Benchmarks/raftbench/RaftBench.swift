// SPDX-License-Identifier: Apache-2.0

import Glibc
import Raft

/// What the Raft core alone can do: proposals applied and steps taken per second, in one thread.
///
/// Members are joined by a queue in memory; disks and networks take no time. The floor keeps the
/// same payloads in as many arrays as there are members, and copies them as often as they are sent.
/// Prints one JSON line per round: `{"members":…,"batch":…,"proposals_per_s":…,…}`.
/// Usage: raftbench [ROUNDS [PROPOSALS]].
@main
struct RaftBench {
    static func main() {
        let arguments = CommandLine.arguments
        let rounds = arguments.count > 1 ? Int(arguments[1]) ?? 5 : 5
        let proposals = arguments.count > 2 ? Int(arguments[2]) ?? 100_000 : 100_000
        for round in 0..<rounds {
            for members in [1, 3, 5] {
                for batch in [1, 64] { run(round, members, batch, proposals) }
            }
        }
    }

    private static func run(_ round: Int, _ members: Int, _ batch: Int, _ proposals: Int) {
        var group = BenchGroup(count: members)
        group.elect()
        let stepsBefore = group.stepsCount
        let start = now()
        var done = 0
        while done < proposals {
            group.propose(batch)
            done += batch
        }
        let nanoseconds = Double(now() - start)
        let steps = group.stepsCount - stepsBefore
        precondition(group.appliedCount >= proposals, "everything that was proposed is applied")
        let floor = floorNanoseconds(members, batch, proposals)
        print(
            """
            {"round":\(round),"members":\(members),"batch":\(batch),\
            "proposals_per_s":\(Int(Double(done) / nanoseconds * 1e9)),\
            "steps_per_s":\(Int(Double(steps) / nanoseconds * 1e9)),\
            "ns_per_proposal":\(Int(nanoseconds / Double(done))),\
            "floor_ns_per_proposal":\(Int(floor))}
            """
        )
    }

    /// Nanoseconds for a payload to be made, and kept and copied once for each member.
    private static func floorNanoseconds(_ members: Int, _ batch: Int, _ proposals: Int) -> Double {
        var logs: [[[UInt8]]] = Array(repeating: [], count: members)
        let start = now()
        var done = 0
        while done < proposals {
            let payloads = BenchGroup.payloads(batch)
            for index in logs.indices { logs[index].append(contentsOf: payloads) }
            done += batch
            if done.isMultiple(of: 8192) { for index in logs.indices { logs[index] = [] } }
        }
        return Double(now() - start) / Double(done)
    }

    private static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// A group whose messages and writes are delivered in the order in which they come.
struct BenchGroup {
    private var members: [Member] = []
    private var inbox: [(place: Int, input: Input)] = []
    private var clock: UInt64 = 1_000_000_000
    private var nextRequest: UInt64 = 0
    private(set) var stepsCount = 0
    /// Payloads that the first member was given to apply.
    private(set) var appliedCount = 0

    init(count: Int) {
        let voters = (1...count).map { MemberID(UInt64($0)) }
        let snapshot = Snapshot(bootstrapping: Configuration(voters: voters))
        for id in voters {
            members.append(
                Member(
                    id: id,
                    recovery: Recovery(snapshot: snapshot),
                    generator: Counter(),
                    now: clock
                )
            )
        }
    }

    static func payloads(_ count: Int) -> [[UInt8]] {
        (0..<count).map { [UInt8](repeating: UInt8($0 & 0xFF), count: 256) }
    }

    /// Lets only the first member's time pass, so that it leads.
    mutating func elect() {
        while members[0].role != .leader || members[0].commitIndex == 0 {
            clock += members[0].options.tickNanoseconds
            step(0, .tick)
            deliver()
        }
    }

    /// One batch, until every member has applied it.
    mutating func propose(_ count: Int) {
        nextRequest += 1
        clock += 1000
        step(0, .propose(RequestID(nextRequest), Self.payloads(count)))
        deliver()
        if nextRequest.isMultiple(of: 64) { compact() }
    }

    private mutating func compact() {
        for place in members.indices {
            let index = members[place].appliedIndex
            step(place, .snapshotTaken(at: index))
            step(place, .compact(through: index))
        }
        deliver()
    }

    private mutating func step(_ place: Int, _ input: Input) {
        stepsCount += 1
        for effect in members[place].step(input, at: clock) {
            switch effect {
            case .persist(let write):
                inbox.append((place, .persisted(through: write.number)))
            case .send(let message):
                inbox.append((Int(message.to.rawValue) - 1, .receive(message)))
            case .apply(let entries):
                if place == 0 { appliedCount += entries.count { $0.isPayload } }
                guard let last = entries.last else { continue }
                inbox.append((place, .applied(through: last.index)))
            default: break
            }
        }
    }

    private mutating func deliver() {
        while !inbox.isEmpty {
            let waiting = inbox
            inbox.removeAll(keepingCapacity: true)
            for (place, input) in waiting { step(place, input) }
        }
    }
}

/// Chance that costs nothing: election timeouts do not matter here.
struct Counter: RandomNumberGenerator {
    private var count: UInt64 = 0

    mutating func next() -> UInt64 {
        count &+= 0x9E37_79B9_7F4A_7C15
        return count
    }
}

extension Entry {
    fileprivate var isPayload: Bool {
        if case .payload = content { true } else { false }
    }
}
