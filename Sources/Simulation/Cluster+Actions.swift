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
                lookMeanwhile(staleness, node)
                try goOnWarned(node)
            case .applied(let effects, let changes):
                // An answer that comes sooner has gone out when readers see this.
                if !job.replies.isEmpty { send(&job, node) }
                job.effects = effects
                try history.note(changes, on: node)
                try noteApplied(node)
            case .replaced:
                job.isReplaced = true
                nodes[node].closeReplaced(on: volume)
                show(nodes[node].replica.store.base, node)
                try noteApplied(node)
            case .reply(let id, let result):
                try clients.noteAnswered(CallID(id.rawValue))
                if id.rawValue == .max { nodes[node].changesAsked -= 1 }
                job.replies.append((CallID(id.rawValue), result))
            case .roleChanged(let change): try noteRole(change, node)
            case .discardLog(let index): try discard(index, node)
            case .doubt: try nodes[node].storage.doubt()
            case .stop(let reason): try stop(node, reason)
            }
            guard isRunning(node, run) else { return }
        }
        send(&job, node)
    }

    /// Somebody looks at what is about to go, here or where it goes next, and is answered about
    /// when it has gone.
    private mutating func lookMeanwhile(_ staleness: Staleness, _ node: Int) {
        guard case .of(let effects) = staleness, !isQuiet, generator.chance(options.lookPercent)
        else { return }
        for case .recordRemoved(.session, let id, users: _, revoked: true) in effects.prefix(4) {
            guard let session = Int(id.dropFirst()) else { continue }
            begin(generator.pick(.stat, .cat, .hold, .readHeld), session, node)
            for other in nodes.indices {
                let at = time + generator.number(below: 2 * options.delayMax)
                begin(generator.pick(.stat, .cat, .hold), session, other, at: at)
            }
        }
    }

    /// And about when a snapshot takes the place of the state.
    private mutating func lookAtAll(_ node: Int, before moment: UInt64) {
        guard !isQuiet, options.lookPercent > 0 else { return }
        for _ in 0..<8 {
            let session = generator.index(below: options.sessions)
            let at = moment - generator.number(below: options.kernelDelayMax)
            begin(generator.pick(.stat, .cat, .hold), session, node, at: max(time, at))
        }
    }

    /// As a rule at once; other threads read meanwhile, and sometimes for longer.
    private mutating func goOnWarned(_ node: Int) throws {
        guard generator.chance(options.lateWarnedPercent) else {
            return try stepInside(node, .warned)
        }
        let delay = generator.number(below: 300 * Span.microsecond)
        schedule(.warned(node, run: nodes[node].run), in: delay)
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
        for (id, result) in job.replies { try answer(id, result, node) }
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
        if state != nil { lookAtAll(node, before: at) }
        queue.push(.diskDone(node, run: nodes[node].run), at: at)
    }

    /// The oldest write is made, or fails.
    mutating func finishWrite(_ node: Int, _ run: Int, _ event: WorldEvent) throws {
        guard isRunning(node, run), !isPaused(node, event), let next = nodes[node].writes.first
        else { return }
        if next.write.snapshot != nil, !isQuiet, generator.chance(options.installCrashPercent) {
            statistics.note("crash while a snapshot is installed")
            return try crash(node, isPowerCut: true, restartIn: 20 * Span.millisecond)
        }
        makeRoom(node)
        do throws(LogError) {
            try make(next, node)
        } catch {
            durability.noteCut(of: nodes[node].id)
            if case .noSpace = error {
                statistics.note("write without room")
                schedule(event, in: 20 * Span.millisecond)
                return try step(node, .persistFailed(.noSpace))
            }
            return try step(node, .persistFailed(.stopped("\(error)")))
        }
        nodes[node].writes.removeFirst()
        let log = nodes[node].storage.log
        let last = LogPosition(index: log.lastIndex, term: log.lastTerm)
        durability.note(next.write.hardState, by: nodes[node].id, last: last)
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
    ///
    /// The replica has the old one open until it shows the new one.
    private mutating func install(_ state: RecordStore, _ node: Int) {
        guard let store = (state.base as? RestlessStore)?.base else {
            preconditionFailure("simulated states are in memory")
        }
        statistics.note("snapshot installed")
        // A write that is tried again has been here.
        guard nodes[node].base !== store else { return }
        nodes[node].closeReplaced(on: volume)
        nodes[node].replaced = nodes[node].base
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
