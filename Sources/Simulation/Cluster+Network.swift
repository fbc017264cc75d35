// SPDX-License-Identifier: Apache-2.0

import Log
import Raft
import Replica
import Store

/// The network: it loses, repeats, delays, reorders and cuts, and remembers everything.
extension Cluster {
    mutating func transmit(_ message: Message) throws {
        statistics.messages += 1
        let isLost = !isQuiet && generator.chance(options.lossPercent)
        let isDoubled = !isQuiet && generator.chance(options.doublePercent)
        for _ in 0..<(isLost ? 0 : isDoubled ? 2 : 1) {
            queue.push(.message(message), at: arrival(of: message, delayMax: options.delayMax))
        }
        if !isQuiet { try makeTrouble(message) }
    }

    private mutating func arrival(of message: Message, delayMax: UInt64) -> UInt64 {
        var delay = 100 * Span.microsecond + generator.number(below: delayMax)
        if !isQuiet, generator.chance(options.spikePercent) {
            delay += generator.number(below: 150 * Span.millisecond)
        }
        let link = Link(from: place(message.from), to: place(message.to))
        var arrival = time + delay + lag(on: link)
        if options.isOrdered {
            arrival = max(arrival, arrivals[link] ?? 0)
            arrivals[link] = arrival
        }
        return arrival
    }

    mutating func receive(_ message: Message, _ event: WorldEvent) throws {
        let link = Link(from: place(message.from), to: place(message.to))
        guard cuts[link] == nil else { return }
        try deliver(event, .receive(message), to: link.to)
    }

    /// Old messages, forged ones, and voters that die right behind their word.
    private mutating func makeTrouble(_ message: Message) throws {
        if options.replayPercent + options.forgeryPercent > 0 { spoken.note(message) }
        if generator.chance(options.replayPercent) { replay() }
        // Not now: whoever says this is in the middle of a step.
        if generator.chance(options.forgeryPercent) { schedule(.forge, in: 0) }
        if case .voteReply(true) = message.kind, generator.chance(options.voterCrashPercent) {
            statistics.note("crash behind a vote")
            let delay = Span.millisecond / 2 + generator.number(below: 5 * Span.millisecond)
            try crash(place(message.from), isPowerCut: true, restartIn: delay)
        }
    }

    // MARK: - Snapshots

    /// A copy of the state of this moment travels beside the message.
    mutating func transmitSnapshot(_ message: Message, _ node: Int) throws {
        snapshotCount += 1
        let path = "snapshot \(snapshotCount)"
        try nodes[node].replica.store.base.checkpoint(to: path)
        let copy = Replica.snapshotMessage(message, of: nodes[node].replica.store.metadata)
        reference.allow(copy)
        let isLost = !isQuiet && generator.chance(options.lossPercent)
        let report = WorldEvent.snapshotSent(
            node,
            run: nodes[node].run,
            to: message.to,
            succeeded: !isLost
        )
        let link = Link(from: node, to: place(message.to))
        let delay =
            generator.number(below: 20 * options.delayMax + Span.millisecond) + lag(on: link)
        schedule(report, in: delay + options.delayMax)
        statistics.note("snapshot sent")
        guard !isLost else { return volume.remove(path) }
        spoken.note(copy, path: path)
        schedule(.snapshot(copy, path: path), in: delay)
        if !isQuiet, generator.chance(options.doublePercent) {
            schedule(.snapshot(copy, path: path), in: delay + 50 * Span.millisecond)
        }
    }

    mutating func receiveSnapshot(_ message: Message, _ path: String, _ event: WorldEvent) throws {
        let link = Link(from: place(message.from), to: place(message.to))
        guard cuts[link] == nil, nodes[link.to].isUp, !isPaused(link.to, event) else { return }
        // What comes twice is copied twice.
        snapshotCount += 1
        let own = "snapshot \(snapshotCount)"
        let arrived = try MemoryStore(volume: volume, path: path)
        try arrived.checkpoint(to: own)
        arrived.close()
        let base = try MemoryStore(volume: volume, path: own)
        let restless = RestlessStore(
            base,
            flushPercent: options.ownFlushPercent,
            seed: generator.next()
        )
        let state = try RecordStore(restless, limits: options.store)
        try step(link.to, .receiveSnapshot(message, state))
    }
}
