// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Log
import Raft
import Replica
import Store

/// What a node does for its replica: the threads of a machine room, one after the other.
extension Cluster {
    mutating func perform(_ actions: [Action], _ node: Int) throws {
        let run = nodes[node].run
        var job = ReplyJob()
        for action in actions {
            switch action {
            case .persist(let write, let state): persist(write, state, node)
            case .prepare:
                send(&job, node)
                if generator.chance(70) { try stepInside(node, .prepare) }
            case .send(let message): try transmit(message)
            case .sendSnapshot(let message): try transmitSnapshot(message, node)
            case .warn(let staleness):
                send(&job, node)
                warn(staleness, node)
                try stepInside(node, .warned)
            case .applied(let effects, _):
                job.effects = effects
                try noteApplied(node)
            case .replaced:
                job.isReplaced = true
                show(nodes[node].replica.store.base, node)
                try noteApplied(node)
            case .reply(let id, let result): job.replies.append((CallID(id.rawValue), result))
            case .roleChanged(let change): try noteRole(change, node)
            case .discardLog(let index): try discard(index, node)
            case .stop(let reason): try stop(node, reason)
            }
            guard isRunning(node, run) else { return }
        }
        send(&job, node)
    }

    private mutating func warn(_ staleness: Staleness, _ node: Int) {
        let now = nodes[node].clock.monotonic(at: time)
        switch staleness {
        case .of(let effects):
            if !effects.isEmpty { nodes[node].mount.files.willApply(effects, now: now) }
        case .everything: nodes[node].mount.files.willReplace(now: now)
        }
    }

    private mutating func show(_ base: any KeyValueStore, _ node: Int) {
        nodes[node].mount.show(base)
    }

    // MARK: - The reply thread

    private mutating func send(_ job: inout ReplyJob, _ node: Int) {
        guard !job.isEmpty else { return }
        let at = max(time, nodes[node].replyFreeAt) + generator.number(below: options.replyDelayMax)
        nodes[node].replyFreeAt = at
        queue.push(.job(node, run: nodes[node].run, job), at: at)
        job = ReplyJob()
    }

    /// Content goes before the replies, names after them.
    mutating func perform(_ job: ReplyJob, _ node: Int, _ run: Int, _ event: WorldEvent) throws {
        guard isRunning(node, run), !isPaused(node, event) else { return }
        var names: [Invalidation] = []
        if job.isReplaced {
            nodes[node].mount.tellReplaced()
        }
        if !job.effects.isEmpty {
            let mount = nodes[node].mount
            let told = mount.files.invalidations(for: job.effects, view: mount.view)
            nodes[node].mount.kernel.invalidate(told.content)
            names = told.names
        }
        for (id, result) in job.replies { answer(id, result, node) }
        guard !names.isEmpty else { return }
        let at = time + generator.number(below: options.replyDelayMax)
        nodes[node].replyFreeAt = max(nodes[node].replyFreeAt, at)
        queue.push(.names(node, run: run, names), at: at)
    }

    // MARK: - The disk thread

    private mutating func persist(_ write: Write, _ state: RecordStore?, _ node: Int) {
        nodes[node].writes.append(.init(write: write, state: state))
        var delay = generator.number(below: options.diskDelayMax)
        if nodes[node].diskSlowUntil > time { delay *= 20 }
        let at = max(time, nodes[node].diskFreeAt) + delay
        nodes[node].diskFreeAt = at
        queue.push(.diskDone(node, run: nodes[node].run), at: at)
    }

    /// The oldest write is made, or fails.
    mutating func finishWrite(_ node: Int, _ run: Int, _ event: WorldEvent) throws {
        guard isRunning(node, run), !isPaused(node, event), let next = nodes[node].writes.first
        else { return }
        do throws(LogError) {
            try make(next, node)
        } catch {
            if case .noSpace = error {
                statistics.note("write without room")
                schedule(event, in: 20 * Span.millisecond)
                return try step(node, .persistFailed(.noSpace))
            }
            return try step(node, .persistFailed(.stopped("\(error)")))
        }
        nodes[node].writes.removeFirst()
        try step(node, .persisted(through: next.write.number))
    }

    /// What the disk thread does; a crash may cut it short.
    mutating func make(
        _ next: SimulatedNode.PendingWrite,
        _ node: Int
    ) throws(LogError) {
        var isInstalled = false
        defer { if isInstalled, let state = next.state { install(state, node) } }
        try nodes[node].storage.perform(next.write) { isInstalled = true }
    }

    /// The state of a snapshot takes the old one's place on the disk, at one stroke.
    private mutating func install(_ state: RecordStore, _ node: Int) {
        guard let store = state.base as? MemoryStore else {
            preconditionFailure("simulated states are in memory")
        }
        statistics.note("snapshot installed")
        let old = nodes[node].base
        guard old !== store else { return }
        old.close()
        volume.remove(old.path)
        nodes[node].base = store
    }

    private mutating func discard(_ index: UInt64, _ node: Int) throws {
        do throws(LogError) {
            try nodes[node].storage.discardPrefix(through: index)
        } catch {
            // The entries stay; a disk that is broken says so at the next write.
            statistics.note("log not shortened")
        }
    }

    /// The state's own files are brought up to date, and the log behind them goes.
    mutating func flush(_ node: Int) throws {
        guard nodes[node].isUp, nodes[node].pausedUntil <= time else { return }
        let index = nodes[node].replica.appliedIndex
        try nodes[node].base.flush()
        try step(node, .flushed(through: index))
    }

    /// A replica that stops is a process that ends; its operator starts it again.
    private mutating func stop(_ node: Int, _ reason: String) throws {
        guard nodes[node].isDiskBroken else {
            throw Violation("node \(node + 1) stopped: \(reason)")
        }
        statistics.note("stopped by a broken disk")
        try crash(node, isPowerCut: generator.chance(50), restartIn: 100 * Span.millisecond)
    }
}
