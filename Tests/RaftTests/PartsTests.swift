// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Raft

/// The parts a member is made of, each alone.
@Suite("parts of a member")
struct PartsTests {
    @Test(
        "a quorum is more than half",
        arguments: [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4)]
    )
    func quorumSize(voters: UInt64, size: Int) {
        let group = Configuration(voters: (1...voters).map { MemberID($0) })
        #expect(group.quorumSize == size)
        let all = group.voters
        #expect(group.isQuorum(Array(all.prefix(size))))
        #expect(!group.isQuorum(Array(all.prefix(size - 1))))
        #expect(group.isHopeless(refusals: Array(all.prefix(all.count - size + 1))))
        #expect(!group.isHopeless(refusals: Array(all.prefix(all.count - size))))
    }

    @Test("the quorum value is what a majority has reached")
    func quorumValue() {
        let group = Configuration(voters: ids(1, 2, 3, 4, 5), learners: ids(6))
        let values: [UInt64] = [0, 9, 3, 7, 5, 1, 99]
        #expect(group.quorumValue { values[Int($0.rawValue)] } == 5)
        #expect(Configuration(voters: []).quorumValue { _ in 7 } == 0)
        #expect(!Configuration(voters: []).isQuorum(ids(1)))
    }

    @Test("a group is in order, without repetition")
    func canonical() {
        let group = Configuration(voters: ids(3, 1, 3, 2), learners: ids(2, 5, 4, 5))
        #expect(group.voters == ids(1, 2, 3))
        #expect(group.learners == ids(4, 5))
    }

    @Test("a released item has waited for its own write and no other")
    func releases() {
        var log = EntryLog(base: position(0, 0))
        var durability = Durability(durableIndex: 0)
        let state = HardState(term: 1, vote: nil)
        func message(_ term: Term) -> Durability.Item { .ownVote(term) }
        durability.hardStateChanged()
        let firstNumber = durability.nextWrite(log, state)?.number
        #expect(firstNumber == 1)
        log.append(entries(terms: [1, 1]))
        let secondNumber = durability.nextWrite(log, state)?.number
        #expect(secondNumber == 2)
        let thirdWrite = durability.nextWrite(log, state)
        #expect(thirdWrite == nil)
        let mayGo = [
            durability.mayGo(message(1), after: .nothing),
            durability.mayGo(message(2), after: .hardState),
            durability.mayGo(message(3), after: .log),
        ]
        #expect(mayGo == [true, false, false])
        let freedByFirst = durability.persisted(through: 1)
        #expect(freedByFirst == [message(2)])
        #expect(durability.durableIndex == 0)
        let freedBySecond = durability.persisted(through: 2)
        #expect(freedBySecond == [message(3)])
        #expect(durability.durableIndex == 2)
    }

    @Test("an acknowledged write of entries that were truncated meanwhile proves nothing")
    func truncatedMeanwhile() {
        var log = EntryLog(base: position(0, 0))
        var durability = Durability(durableIndex: 0)
        let state = HardState(term: 1, vote: nil)
        log.append(entries(terms: [1, 1, 1]))
        _ = durability.nextWrite(log, state)
        log.truncate(from: 2)
        durability.logTruncated(from: 2)
        log.append([Entry(term: 2, index: 2, content: .empty)])
        let second = durability.nextWrite(log, state)
        #expect(second?.truncateFrom == 2)
        #expect(second?.entries.count == 1)
        _ = durability.persisted(through: 1)
        #expect(durability.durableIndex == 1)
        _ = durability.persisted(through: 2)
        #expect(durability.durableIndex == 2)
    }

    @Test("nothing is durable between the beginning of an installation and its end")
    func installing() {
        var log = EntryLog(base: position(0, 0))
        var durability = Durability(durableIndex: 0)
        let state = HardState(term: 1, vote: nil)
        log.append(entries(terms: [1, 1]))
        _ = durability.nextWrite(log, state)
        let snapshot = Snapshot(
            position: position(9, 1),
            configuration: Configuration(voters: ids(1))
        )
        log.reset(to: snapshot.position)
        durability.logReset(to: snapshot)
        #expect(durability.isInstalling)
        let installed = durability.nextWrite(log, state)?.snapshot
        #expect(installed == snapshot)
        _ = durability.persisted(through: 1)
        #expect(durability.isInstalling)
        #expect(durability.durableIndex == 0)
        _ = durability.persisted(through: 2)
        #expect(!durability.isInstalling)
        #expect(durability.durableIndex == 9)
    }

    @Test("a window closes by count and by bytes, and opens with the answer")
    func window() {
        var options = Options()
        options.inFlightMessagesMax = 2
        options.inFlightBytesMax = 60
        var progress = Progress(next: 1)
        _ = progress.reject(at: 0, hint: 0)
        progress.sent([])
        #expect(progress.isPaused(options))
        let isProbed = progress.accept(0)
        #expect(isProbed)
        #expect(progress.isReplicating)
        let held = entries(terms: [1, 1, 1])
        progress.sent([held[0]])
        #expect(!progress.isPaused(options))
        progress.sent([held[1]])
        #expect(progress.isPaused(options))
        #expect(progress.next == 3)
        let isNews = progress.accept(1)
        #expect(isNews)
        #expect(!progress.isPaused(options))
        let isNewsAgain = progress.accept(1)
        #expect(!isNewsAgain, "the same answer again is no news")
        options.inFlightBytesMax = 1
        #expect(progress.isPaused(options))
    }

    @Test("a late rejection of what is acknowledged already is no news")
    func lateRejection() {
        var progress = Progress(next: 1)
        let isAgreed = progress.accept(0)
        #expect(isAgreed)
        progress.sent(entries(terms: [1, 1]))
        let isAcknowledged = progress.accept(2)
        #expect(isAcknowledged)
        let isLateNews = progress.reject(at: 1, hint: 0)
        #expect(!isLateNews)
        #expect(progress.isReplicating)
        let isRejectedNews = progress.reject(at: 3, hint: 0)
        #expect(isRejectedNews)
        #expect(progress.next == 3)
    }

    @Test("entries are cut into batches by bytes; one always fits")
    func batches() {
        var log = EntryLog(base: position(4, 1))
        log.append((5...9).map { Entry(term: 1, index: $0, content: .payload([1, 2, 3])) })
        let size = log.entries(5...5)[0].sizeBytes
        #expect(log.entries(from: 5, bytesMax: 2 * size).map(\.index) == [5, 6])
        #expect(log.entries(from: 9, bytesMax: 1).map(\.index) == [9])
        #expect(log.entries(from: 10, bytesMax: .max).isEmpty)
        #expect(log.term(at: 4) == 1)
        #expect(log.term(at: 3) == nil)
        #expect(log.term(at: 10) == nil)
        log.compact(through: 7)
        #expect(log.firstIndex == 8)
        #expect(log.last == position(9, 1))
    }
}

/// Entries of these terms from index 1 on.
private func entries(terms: [Term]) -> [Entry] {
    terms.enumerated().map { offset, term in
        Entry(term: term, index: LogIndex(offset) + 1, content: .payload([UInt8(offset)]))
    }
}
