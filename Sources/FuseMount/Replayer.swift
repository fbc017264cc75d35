// SPDX-License-Identifier: Apache-2.0

import CFuse3
import FSMap
import Glibc
import Identity
import Logging
import Node
import Synchronization

/// Plays changes that came from elsewhere on the own mount, so that inotify(7) tells of them.
///
/// One thread makes the system call that would have made the change here. The requests that the
/// kernel sends for it carry the thread's number, and are answered from what is being played:
/// nothing is proposed, nothing waits for a commit.
///
/// INVARIANT: nobody waits for the thread but an unmount, which has a time limit; the thread holds
///            no lock of ours while it is in the kernel.
/// INVARIANT: bounded; what finds the queue full is not told, and counted.
final class Replayer: Sendable {
    private struct Queue {
        var waiting: [Replay] = []
        var known: Set<Replay> = []
        var isStopped = false
        var done: UInt64 = 0
        var skipped: UInt64 = 0
    }

    /// What the thread is doing in the kernel.
    private struct Scene {
        var replay: Replay
        var parent: UInt64
        var count: UInt64
        /// Whether the kernel asked; it does not where it remembers a name.
        var isAnswered = false
    }

    private let queue = Mutex(Queue())
    private let plan: Mutex<ReplayPlan>
    private let scene = Mutex<Scene?>(nil)
    /// The thread's number in the kernel's requests; 0 while it is not known.
    private let thread = Atomic<Int32>(0)
    /// A name that no record can have, that nobody can guess, and that the thread asks for first.
    private let probeName = ".%replay-\(UInt64.random(in: 0...(.max)))"
    private let arrived = Semaphore()
    private let stopped = Semaphore()
    private let isOn: Bool
    private let replaysMax: Int
    let log: Logger

    init(options: MountOptions, log: Logger) {
        isOn = options.inotify
        replaysMax = options.replaysMax
        plan = Mutex(ReplayPlan(sessionsPerSecond: options.notifiedSessionsPerSecond))
        self.log = log
    }

    /// How many were played, and how many were left out.
    var counts: (done: UInt64, skipped: UInt64) {
        let beyondRate = plan.withLock { $0.skipped }
        return queue.withLock { ($0.done, $0.skipped + beyondRate) }
    }

    /// A change through this mount begins; the kernel tells of it by itself.
    func begin(_ change: OwnChange?) {
        guard isOn, let change else { return }
        plan.withLock { $0.begin(change) }
    }

    /// That change has been applied or refused.
    func end(_ change: OwnChange?) {
        guard isOn, let change else { return }
        plan.withLock { $0.end(change) }
    }

    /// What of a batch is to be played.
    func replays(for effects: [Effect], now: UInt64, files: FileSystem) -> [Replay] {
        guard isOn else { return [] }
        return plan.withLock { plan in
            plan.replays(for: effects, now: now) { files.knownInode(of: $0) != nil }
        }
    }

    /// What of a change of `cluster/` is to be played.
    func replays(
        from before: ClusterState,
        to after: ClusterState,
        files: FileSystem
    ) -> [Replay] {
        guard isOn else { return [] }
        return Replay.replays(from: before, to: after).filter {
            files.knownInode(of: $0.directory) != nil
        }
    }

    /// Plays what was held back.
    ///
    /// Returns at once.
    func resume() { arrived.post() }

    /// Queues what is to be played.
    ///
    /// Returns at once.
    func enqueue(_ replays: [Replay]) {
        guard !replays.isEmpty else { return }
        queue.withLock { queue in
            guard !queue.isStopped else { return }
            for replay in replays where !queue.known.contains(replay) {
                guard queue.waiting.count < replaysMax else {
                    queue.skipped += 1
                    continue
                }
                queue.known.insert(replay)
                queue.waiting.append(replay)
            }
        }
        arrived.post()
    }

    /// Ends the thread as soon as the kernel lets go of it; what waits is dropped.
    func stop() {
        queue.withLock { queue in
            queue.isStopped = true
            queue.waiting = []
            queue.known = []
        }
        arrived.post()
    }

    /// For a thread that never started.
    func markStopped() {
        stop()
        stopped.post()
    }

    /// Whether the thread has ended within the time.
    func waitUntilStopped(milliseconds: Int) -> Bool {
        guard stopped.wait(milliseconds: milliseconds) else { return false }
        stopped.post()
        return true
    }

    /// The thread: plays until it is stopped.
    func run(_ stage: ReplayStage) {
        defer { stopped.post() }
        guard isOn else { return stop() }
        while true {
            arrived.wait()
            while let batch = take(isVouched: stage.server.isVouched), !batch.isEmpty {
                guard let root = stage.openRoot() else { continue }
                defer { close(root) }
                guard isRecognized(root) else { return stop() }
                for replay in batch {
                    if queue.withLock({ $0.isStopped }) { return }
                    play(replay, stage, root)
                }
            }
            if queue.withLock({ $0.isStopped }) { return }
        }
    }

    /// What waits; only of `cluster/` while nobody vouches for the state, because the way to all
    /// else is closed.
    private func take(isVouched: Bool) -> [Replay]? {
        queue.withLock { queue in
            guard !queue.isStopped else { return nil }
            let batch = queue.waiting.filter { isVouched || $0.isAlwaysShown }
            // A change that comes from now on is another one.
            queue.waiting = isVouched ? [] : queue.waiting.filter { !$0.isAlwaysShown }
            queue.known = Set(queue.waiting)
            return batch
        }
    }

    /// Whether the thread can be told from others by its requests.
    ///
    /// In a strange namespace it has no number there; then its unlink would be taken for
    /// somebody's wish.
    private func isRecognized(_ root: Int32) -> Bool {
        if thread.load(ordering: .sequentiallyConsistent) != 0 { return true }
        var status = stat()
        _ = fstatat(root, probeName, &status, AT_SYMLINK_NOFOLLOW)
        let isRecognized = thread.load(ordering: .sequentiallyConsistent) != 0
        if !isRecognized { log.warning("inotify will not tell of changes made elsewhere") }
        return isRecognized
    }

    private func play(_ replay: Replay, _ stage: ReplayStage, _ root: Int32) {
        guard let parent = stage.parent(of: replay) else { return }
        let count = queue.withLock { queue in
            queue.done += 1
            return queue.done
        }
        scene.withLock { $0 = Scene(replay: replay, parent: parent, count: count) }
        defer { scene.withLock { $0 = nil } }
        stage.perform(replay, below: root)
        // What the kernel remembers of the name was in the way.
        guard scene.withLock({ $0?.isAnswered == false }) else { return }
        stage.forgetName(of: replay, in: parent)
        stage.perform(replay, below: root)
    }
}

/// What the kernel asks on behalf of the thread.
extension Replayer {
    /// How a lookup is answered.
    enum Lookup {
        case asEver, missing, found(Entry)
    }

    private func isOurs(_ caller: Int32) -> Bool {
        caller != 0 && caller == thread.load(ordering: .relaxed)
    }

    /// Answers a lookup of the very name that is being played, or of the probe.
    func lookup(_ name: String, in parent: UInt64, caller: Int32) -> Lookup {
        if parent == FileSystem.rootInode, name == probeName {
            thread.store(caller, ordering: .sequentiallyConsistent)
            return .missing
        }
        guard isOurs(caller) else { return .asEver }
        return scene.withLock { scene in
            guard let scene, scene.parent == parent, scene.replay.node.name == name else {
                return .asEver
            }
            return switch scene.replay.kind {
            case .removed:
                .found(FileSystem.ghost(scene.count, of: scene.replay.node.kind))
            case .created: .missing
            case .changed: .asEver
            }
        }
    }

    /// Whether a request is part of a replay of this kind; nil for somebody else's.
    ///
    /// `name` is nil where the kernel asks for an inode.
    func isPlaying(
        _ kind: Replay.Kind,
        _ name: String? = nil,
        in parent: UInt64? = nil,
        caller: Int32
    ) -> Bool? {
        guard isOurs(caller) else { return nil }
        return scene.withLock { scene in
            guard let replay = scene?.replay, replay.kind == kind,
                parent == nil || parent == scene?.parent,
                name == nil || name == replay.node.name
            else { return false }
            scene?.isAnswered = true
            return true
        }
    }
}
