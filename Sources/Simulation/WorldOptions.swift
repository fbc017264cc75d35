// SPDX-License-Identifier: Apache-2.0

import Log
import Raft
import Replica
import Store

/// How a seed's world is drawn.
package enum Profile: String, CaseIterable, Sendable {
    /// The same moderate mix of everything for every seed.
    case plain
    /// Each seed draws its own mix and its own limits: what never happens together in one world
    /// happens together in another (swarm testing).
    case swarm
}

/// What kind of world a seed makes: its size, its speed, its faults, how tiny its limits are.
///
/// Times in nanoseconds, shares in percent.
package struct WorldOptions: Sendable {
    package let profile: Profile
    var voters = 3
    /// Nodes that are not in the group to begin with.
    var spares = 0
    var duration = 2 * Span.second
    var raft = Options()
    var limits = ReplicaLimits()
    /// Small segments, and none in store, so that a full disk is noticed.
    var segmentSizeBytes = 16 << 10
    var spareSegmentsMax = 1
    var store = StoreLimits()
    /// The visibility bound L of a mount.
    var stalenessMax = 200 * Span.millisecond

    // The network.
    var delayMax = 2 * Span.millisecond
    var lossPercent = 1
    var doublePercent = 1
    var spikePercent = 1
    /// How often any message that was ever sent arrives once more.
    var replayPercent = 1
    /// How often a message arrives that nobody sent and somebody could have.
    var forgeryPercent = 1
    /// Messages of a link arrive in order, as on a stream.
    var isOrdered = true

    // The disk, and what the node does by itself.
    var diskDelayMax = 2 * Span.millisecond
    var flushEvery = 300 * Span.millisecond
    /// How often the state's own files are brought up to date by a write alone, untold.
    var ownFlushPercent = 2
    /// What an answer of a mount takes to its kernel.
    var kernelDelayMax = 100 * Span.microsecond
    /// How often somebody looks at what is revoked at that very moment.
    var lookPercent = 10
    /// How often other threads, and other events, come between a warning and the change.
    var lateWarnedPercent = 20
    var replyDelayMax = 200 * Span.microsecond
    /// What clocks run fast or slow by at most, per mille.
    var driftPerMille: UInt64 = 20

    // How often what happens.
    var faultEvery = 400 * Span.millisecond
    var faults: [FaultKind] = FaultKind.allCases
    var clientEvery = 10 * Span.millisecond
    var accessEvery = 10 * Span.millisecond
    var clients = 3
    var sessions = 24
    var users = 4
    /// How often a client asks again, under the same origin, where nobody told it what came of its
    /// change; at 0 its changes have no origin.
    var retryPercent = 80
    /// How long a client waits for an answer.
    var patience = 200 * Span.millisecond
    /// How often a voter dies right behind its vote.
    var voterCrashPercent = 0
    /// How often the power goes while a snapshot is installed.
    var installCrashPercent = 10
    /// How often others learn of a leader's death at once.
    var suspicionPercent = 50
    /// Whether a firewall may refuse connections to a leader that lives: others take it for dead.
    ///
    /// Its lease is worth nothing then, so nobody reads by it; all else is promised as ever.
    var firewallsLie = false
    /// Crashed nodes come back before anybody's election timeout.
    var isRestartQuick = false

    /// Draws a world of this profile.
    package init(_ profile: Profile, seed: UInt64) {
        self.profile = profile
        var chance = SplitMix64(seed: seed)
        raft.electionTicks = 10
        raft.tickNanoseconds = 10 * Span.millisecond
        raft.heartbeatTicks = 2
        limits.commitTimeoutNanoseconds = 500 * Span.millisecond
        limits.retainedBytesMax = 2000
        spares = chance.chance(30) ? 2 : 0
        if profile == .swarm { drawSwarm(&chance) }
        firewallsLie = chance.chance(25)
        // A reading is back after three signs of life at most, and mounts are to open.
        let heartbeat = UInt64(raft.heartbeatTicks) * raft.tickNanoseconds
        stalenessMax = max(stalenessMax, 5 * heartbeat)
    }

    private mutating func drawSwarm(_ chance: inout SplitMix64) {
        voters = chance.pick(1, 2, 3, 3, 3, 3, 4, 5)
        duration = chance.pick(1, 2, 3) * Span.second
        raft.heartbeatTicks = chance.pick(1, 2, 4)
        raft.appendBytesMax = chance.pick(1, 200, 1 << 20)
        isOrdered = chance.chance(50)
        raft.inFlightMessagesMax = isOrdered ? chance.pick(1, 3, 256) : chance.pick(1, 3, 8)
        raft.inFlightBytesMax = chance.pick(300, 1 << 20)
        raft.uncommittedBytesMax = chance.pick(1000, 1 << 20)
        raft.promotionLagEntriesMax = chance.pick(0, 10, 1000)
        limits.retainedBytesMax = chance.pick(1, 500, 4000, 1 << 20)
        limits.batchEntriesMax = chance.pick(1, 3, 4096)
        limits.proposalsMax = chance.pick(3, 50, 65_536)
        store.revokedTogetherMax = chance.pick(1, 2, 10_000)
        stalenessMax = chance.pick(120, 200, 400) * Span.millisecond
        delayMax = chance.pick(300, 2000, 2000, 20_000) * Span.microsecond
        lossPercent = chance.pick(0, 0, 2, 10, 30)
        doublePercent = chance.pick(0, 5, 20)
        spikePercent = chance.pick(0, 1, 5)
        replayPercent = chance.pick(0, 0, 0, 5, 20)
        forgeryPercent = chance.pick(0, 0, 5, 20)
        diskDelayMax = chance.pick(200, 3000, 3000, 40_000) * Span.microsecond
        flushEvery = chance.pick(20, 300, 5000) * Span.millisecond
        replyDelayMax = chance.pick(10, 200, 5000) * Span.microsecond
        driftPerMille = chance.pick(0, 20)
        faultEvery = chance.pick(10, 50, 200, 1000) * Span.millisecond
        faults = FaultKind.allCases.filter { _ in chance.chance(40) }
        if faults.isEmpty { faults = [.crash] }
        clientEvery = chance.pick(1, 5, 20, 200) * Span.millisecond
        accessEvery = chance.pick(2, 10, 50) * Span.millisecond
        clients = chance.pick(1, 3, 8)
        sessions = chance.pick(2, 8, 24, 60)
        users = chance.pick(1, 4)
        retryPercent = chance.pick(0, 50, 100)
        patience = chance.pick(30, 200, 1500) * Span.millisecond
        voterCrashPercent = chance.pick(0, 0, 20)
        suspicionPercent = chance.pick(0, 0, 80)
        isRestartQuick = chance.chance(50)
        ownFlushPercent = chance.pick(0, 5, 50)
        lateWarnedPercent = chance.pick(0, 20, 80)
        kernelDelayMax = chance.pick(100, 3000) * Span.microsecond
        lookPercent = chance.pick(0, 10, 80)
        installCrashPercent = chance.pick(0, 20)
        segmentSizeBytes = chance.pick(8, 16) << 10
        spareSegmentsMax = chance.pick(0, 1)
    }
}

/// What can go wrong, and what operators do at the wrong moment.
package enum FaultKind: Int, CaseIterable, Sendable {
    case crash, powerCut, pause
    case cutNode, cutLink, deafen, mute, split, slowLink
    case diskSlow, diskFull, diskSyncError
    case wallJump, transfer, membership, lie
}
