// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Log
import Raft
import Replica
import Store

/// One node: the replica that ships, on a disk, a store and clocks that misbehave, with a mount.
///
/// A class, because it is looked at all the time and never copied.
final class SimulatedNode {
    let id: MemberID
    var disk = SimulatedDisk()
    /// Where the state is; another one after a snapshot.
    var base: MemoryStore
    /// Where it was, while the replica has it open.
    var replaced: MemoryStore?
    var storage: MemberStorage<SimulatedDisk>
    var replica: Replica
    /// What the run began with.
    var recovery: Recovery
    var mount: SimulatedMount
    var clock: SimulatedClock

    /// How often it was started; events of an earlier run are void.
    var run = 0
    var isUp = true
    var pausedUntil: UInt64 = 0
    /// Given to the disk and not done.
    var writes: [PendingWrite] = []
    var diskFreeAt: UInt64 = 0
    var diskSlowUntil: UInt64 = 0
    var diskFullUntil: UInt64 = 0
    var replyFreeAt: UInt64 = 0
    /// Changes of the group that this run was asked for and has not answered.
    var changesAsked = 0
    /// Whether its last campaign was one that the leader asked for.
    var isTransferCampaign = false
    /// Somebody broke its disk, so it may stop.
    var isDiskBroken = false

    struct PendingWrite {
        var write: Write
        var state: RecordStore?
    }

    /// A new node of a group that begins with these voters; it need not be one of them.
    init(
        _ id: MemberID,
        voters: [MemberID],
        base: MemoryStore,
        options: WorldOptions,
        clock: SimulatedClock,
        seed: UInt64,
        time: UInt64
    ) throws {
        self.id = id
        self.base = base
        self.clock = clock
        let started = try Self.start(id, disk, base, voters, options, seed, clock, time)
        (storage, replica, recovery) = started
        mount = SimulatedMount(base, options)
    }
}

/// What a node's clocks show at a moment of the world.
struct SimulatedClock {
    /// Nanoseconds that pass for a thousand of the world's.
    var ratePerMille: UInt64
    /// What the clock that never goes back showed when the world began.
    var base: UInt64 = Span.second
    /// How far the wall clock is off, seconds.
    var wallOffset: Int64 = 0

    func monotonic(at time: UInt64) -> UInt64 { base + time / 1000 * ratePerMille }

    /// When the clock showed that, rounded up.
    func time(showing clock: UInt64) -> UInt64 {
        guard clock > base else { return 0 }
        return ((clock - base) / ratePerMille + 1) * 1000
    }

    func moment(at time: UInt64) -> Moment {
        let seconds = 1_800_000_000 + Int64(time / Span.second) + wallOffset
        return Moment(wall: Timestamp(seconds: seconds), monotonic: monotonic(at: time))
    }
}

/// How a node begins: what its disk and its store hold becomes a replica.
extension SimulatedNode {
    static let logDirectory = "/log"

    private static func start(
        _ id: MemberID,
        _ disk: SimulatedDisk,
        _ base: MemoryStore,
        _ voters: [MemberID],
        _ options: WorldOptions,
        _ seed: UInt64,
        _ clock: SimulatedClock,
        _ time: UInt64
    ) throws -> (MemberStorage<SimulatedDisk>, Replica, Recovery) {
        let restless = RestlessStore(base, flushPercent: options.ownFlushPercent, seed: seed)
        var records = try RecordStore(restless, limits: options.store)
        let group = GroupConfiguration(index: 0, voters: voters.map(\.rawValue))
        try records.bootstrap(group)
        let storage = try MemberStorage(
            opening: logDirectory,
            on: disk,
            member: id,
            incarnation: 1 + id.rawValue,
            state: records.metadata,
            limits: LogLimits(
                segmentSizeBytes: options.segmentSizeBytes,
                payloadSizeBytesMax: options.segmentSizeBytes / 4,
                spareSegmentsMax: options.spareSegmentsMax
            )
        )
        let recovery = try storage.recovery(over: records.metadata)
        var replica = Replica(
            records,
            member: id,
            recovery: recovery,
            options: options.raft,
            limits: options.limits,
            seed: seed,
            now: clock.monotonic(at: time)
        )
        replica.journal = []
        return (storage, replica, recovery)
    }

    /// Nobody needs the state any more whose place a snapshot has taken.
    func closeReplaced(on volume: MemoryVolume) {
        guard let old = replaced else { return }
        old.close()
        volume.remove(old.path)
        replaced = nil
    }

    /// Comes back with what the crash has left.
    func restart(_ options: WorldOptions, seed: UInt64, time: UInt64) throws {
        (storage, replica, recovery) = try Self.start(
            id,
            disk,
            base,
            [],
            options,
            seed,
            clock,
            time
        )
        mount = SimulatedMount(base, options)
        isUp = true
        isDiskBroken = false
        changesAsked = 0
        pausedUntil = 0
        diskFreeAt = time
        replyFreeAt = time
    }
}
