// SPDX-License-Identifier: Apache-2.0

import Raft

/// What kind of world a seed makes: which faults are in it, and how tiny the limits are.
struct World {
    var voters: Int
    var spares: Int
    var options = Options()
    var duration: Int
    var lossPercent: Int
    var doublePercent: Int
    var spikePercent: Int
    /// How often any message that was ever sent arrives once more.
    var replayPercent: Int
    var delay: Int
    var diskDelay: Int
    var applyDelay: Int
    var faultEvery: Int
    var clientEvery: Int
    var voterCrashPercent: Int
    var crashPercent: Int
    var cutPercent: Int
    var pausePercent: Int
    var isMembershipChanged: Bool
    var isTransferUsed: Bool
    var isCompacted: Bool
    var isSuspicionUsed: Bool
    /// Crashed members come back at once, before anybody's election timeout.
    var isRestartQuick: Bool
    /// Messages of a link arrive in order, as on a stream.
    var isOrdered: Bool

    init(_ generator: inout SeededGenerator) {
        func pick<Value>(_ values: Value...) -> Value {
            values[generator.number(below: values.count)]
        }
        voters = pick(1, 2, 3, 3, 3, 4, 5)
        isMembershipChanged = generator.chance(40)
        spares = isMembershipChanged ? 2 : 0
        duration = pick(1_000_000, 2_000_000, 4_000_000)
        lossPercent = pick(0, 0, 2, 10, 30)
        doublePercent = pick(0, 5, 20)
        spikePercent = pick(0, 1, 5)
        replayPercent = pick(0, 0, 5, 20)
        delay = pick(300, 2000, 20_000)
        diskDelay = pick(200, 3000, 40_000)
        applyDelay = pick(100, 5000)
        faultEvery = pick(5000, 30_000, 100_000)
        clientEvery = pick(500, 5000, 5000, 100_000)
        voterCrashPercent = pick(0, 0, 20)
        crashPercent = pick(0, 20, 40)
        cutPercent = pick(0, 20, 40)
        pausePercent = pick(0, 0, 20)
        isTransferUsed = generator.chance(30)
        isCompacted = generator.chance(50)
        isSuspicionUsed = generator.chance(30)
        isRestartQuick = generator.chance(50)
        isOrdered = generator.chance(50)
        options.electionTicks = 10
        options.tickNanoseconds = 10_000_000
        options.heartbeatTicks = pick(1, 2, 4)
        options.appendBytesMax = pick(1, 100, 1 << 20)
        options.inFlightMessagesMax = isOrdered ? pick(1, 3, 256) : pick(1, 3, 8)
        options.inFlightBytesMax = pick(50, 1 << 20)
        options.uncommittedBytesMax = pick(200, 1 << 20)
        options.promotionLagEntriesMax = pick(0, 10)
    }
}

/// Events by time; those of one moment in the order in which they were made.
struct EventQueue {
    private struct Item {
        var time: Int
        var sequence: Int
        var event: Simulation.Event

        static func < (left: Item, right: Item) -> Bool {
            (left.time, left.sequence) < (right.time, right.sequence)
        }
    }

    private var heap: [Item] = []
    private var sequence = 0

    var nextTime: Int? { heap.first?.time }
    var count: Int { heap.count }

    mutating func push(_ event: Simulation.Event, at time: Int) {
        sequence += 1
        heap.append(Item(time: time, sequence: sequence, event: event))
        var child = heap.count - 1
        while child > 0, heap[child] < heap[(child - 1) / 2] {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func pop() -> Simulation.Event? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first.event }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child] < heap[least] {
                least = child
            }
            guard least != parent else { break }
            heap.swapAt(least, parent)
            parent = least
        }
        return first.event
    }
}
