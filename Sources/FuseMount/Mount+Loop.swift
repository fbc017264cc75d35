// SPDX-License-Identifier: Apache-2.0

import CFuse3
import FSMap
import Glibc
import Logging
import Node
import Replica
import Synchronization

/// The threads of a mount by number, and whether all is over.
final class LoopState: Sendable {
    // SAFETY: a thread id is a plain number; it is signalled only while its thread is listed,
    // and a thread takes itself off the list before it ends.
    struct State: @unchecked Sendable {
        var threads: [pthread_t] = []
        var running = 0
        var isUnmounting = false
        var isFinished = false
    }

    let state = Mutex(State())
    /// Set when the node said that it does not vouch for its state any more.
    let hasGateClosed = Atomic<Bool>(false)
    private let finished = Semaphore()
    private let watch = Semaphore()

    /// Blocks until ``finish()``; for any number of callers.
    func waitUntilFinished() {
        finished.wait()
        finished.post()
    }

    /// The same for a limited time.
    ///
    /// False: it took longer.
    func waitUntilFinished(milliseconds: Int) -> Bool {
        guard finished.wait(milliseconds: milliseconds) else { return false }
        finished.post()
        return true
    }

    /// Lets everybody who waits go on.
    func finish() {
        state.withLock { $0.isFinished = true }
        finished.post()
        wakeWatch()
    }

    /// Has the thread that watches look at once.
    func wakeWatch() { watch.post() }

    /// Blocks until there is something to look at; false: all is over.
    func waitToWatch(milliseconds: Int) -> Bool {
        _ = watch.wait(milliseconds: milliseconds)
        return !state.withLock { $0.isFinished }
    }

    /// Interrupts the blocking reads of all threads.
    func wakeThreads() {
        state.withLock { state in
            for thread in state.threads { pthread_kill(thread, MountThread.wakeSignal) }
        }
    }
}

extension Mount {
    private static let unmountMillisecondsMax = 1700
    private static let graceMillisecondsMax = 300
    /// Where nobody says that there is something to look at.
    private static let watchMilliseconds = 100
    /// Beyond the deadline of a commit: one that is durable may take long to be applied.
    private static let stuckMillisecondsMax = 8000

    /// Starts the notifier and the threads that answer the kernel.
    func startThreads() throws(MountError) {
        loop.state.withLock { $0.running = threadCount }
        let server = server
        let session = session
        do throws(MountError) {
            try MountThread.start("fuse-notify") {
                server.notifier.run(
                    notify: { session.notify($0) },
                    server.polls,
                    topNames: { server.topNames() },
                    names: { server.files.names(of: $0) },
                    forgot: { server.files.forgot($0) }
                )
            }
        } catch {
            server.notifier.markStopped()
            server.replayer.markStopped()
            loop.state.withLock { $0.running = 0 }
            tearDown()
            throw error
        }
        startReplayer()
        do throws(MountError) {
            try MountThread.start("fuse-watch") { self.watch() }
        } catch {
            server.notifier.stop()
            loop.state.withLock { $0.running = 0 }
            tearDown()
            throw error
        }
        for number in 0..<threadCount {
            do throws(MountError) {
                try MountThread.start("fuse-\(number)") { self.runLoop() }
            } catch {
                // The others go on; the last of them tears the mount down.
                let isLast = loop.state.withLock { state -> Bool in
                    state.running -= threadCount - number
                    return state.running == 0
                }
                if isLast { tearDown() }
                throw error
            }
        }
    }

    /// Without its thread the mount works, and inotify tells of less.
    private func startReplayer() {
        let replayer = server.replayer
        let stage = ReplayStage(
            server: server,
            session: session,
            directory: directory,
            deviceMinor: deviceMinor
        )
        do throws(MountError) {
            try MountThread.start("fuse-replay") { replayer.run(stage) }
        } catch {
            log.warning("inotify will not tell of changes made elsewhere: \(error)")
            replayer.markStopped()
        }
    }

    /// Ends the threads that go into the kernel by themselves; whether they have, within the time.
    private func stopHelpers(milliseconds: Int) -> Bool {
        server.notifier.stop()
        server.replayer.stop()
        let deadline = Deadline(milliseconds: milliseconds)
        return server.notifier.waitUntilStopped(milliseconds: milliseconds)
            && server.replayer.waitUntilStopped(milliseconds: deadline.remainingMilliseconds)
    }

    /// One thread: sees to it that no request waits for ever, and that the kernel shows nothing
    /// that nobody vouches for, whatever becomes of the node's threads; ends with the mount's loop.
    private func watch() {
        let timeout = server.node.configuration.replica.commitTimeoutNanoseconds
        let age = Duration.nanoseconds(Int64(timeout)) + .milliseconds(Self.stuckMillisecondsMax)
        var wasVouched = true
        while loop.waitToWatch(milliseconds: Self.watchMilliseconds) {
            ifAlive { server.pending.expire(after: age) }
            let isVouched = server.isVouched
            let hasClosed = loop.hasGateClosed.exchange(false, ordering: .sequentiallyConsistent)
            if hasClosed || (wasVouched && !isVouched) { forgetAll() }
            if hasClosed || isVouched != wasVouched { server.replayer.resume() }
            wasVouched = isVouched
        }
    }

    /// One thread: answers requests until the session ends.
    private func runLoop() {
        loop.state.withLock { $0.threads.append(pthread_self()) }
        var buffer = fuse_buf()
        while !session.isEnded, session.serve(&buffer, counting: server.requests) {}
        free(buffer.mem)
        session.end()
        let isLast = loop.state.withLock { state -> Bool in
            state.threads.removeAll { pthread_equal($0, pthread_self()) != 0 }
            state.running -= 1
            return state.running == 0
        }
        loop.wakeThreads()
        if isLast { tearDown() }
    }

    /// Unmounts, with files open and requests waiting if need be.
    ///
    /// Idempotent; returns when done.
    ///
    /// First nothing new is taken and the name goes, then who waits is answered, then the threads
    /// end. They go on answering until the notifier has ended, because it may wait in the kernel
    /// for a lock whose holder waits for them.
    package func unmount() {
        let isFirst = loop.state.withLock { state -> Bool in
            defer { state.isUnmounting = true }
            return !state.isUnmounting && !state.isFinished
        }
        guard isFirst else { return loop.waitUntilFinished() }
        if isOurs || deviceMinor == nil, !MountPoint.detach(directory) {
            log.error("\(directory) cannot be unmounted")
        }
        let end = Deadline(milliseconds: Self.unmountMillisecondsMax)
        let grace = Deadline(milliseconds: Self.graceMillisecondsMax)
        while server.pending.count > 0, !grace.hasPassed { usleep(2000) }
        // The threads may end by themselves meanwhile, and take the session with them.
        ifAlive { server.pending.close() }
        if !stopHelpers(milliseconds: 300) { abortConnection() }
        ifAlive { session.end() }
        while !end.hasPassed {
            loop.wakeThreads()
            if loop.waitUntilFinished(milliseconds: 10) { return }
        }
        log.error("the mount's threads do not end; its connection is aborted")
        abortConnection()
        loop.wakeThreads()
        if loop.waitUntilFinished(milliseconds: 100) { return }
        // The session stays allocated for the threads that still use it.
        server.node.remove(self)
        connectionGuard?.stop()
        loop.finish()
    }

    /// Unmounts several at the same time; returns when all are.
    package static func unmount(_ mounts: [Mount]) {
        for mount in mounts {
            do throws(MountError) {
                try MountThread.start("fuse-unmount") { mount.unmount() }
            } catch {
                mount.unmount()
            }
        }
        for mount in mounts { mount.waitUntilUnmounted() }
    }

    /// Uses the session from a thread that is not one of its own.
    private func ifAlive(_ body: () -> Void) {
        guard server.gate.enter() else { return }
        defer { server.gate.leave() }
        body()
    }

    /// After the last thread: whoever waits is answered, and the session goes when nobody uses it.
    private func tearDown() {
        server.node.remove(self)
        server.before.withLock { $0 = [] }
        server.pending.close()
        let isQuiet = stopHelpers(milliseconds: 300)
        if !isQuiet { abortConnection() }
        let hasStopped = isQuiet || stopHelpers(milliseconds: 300)
        if server.gate.close(milliseconds: 500), hasStopped {
            server.polls.close()
            session.destroy()
        } else {
            log.error("the kernel does not let go of the mount; its session is left behind")
        }
        // A connection that was aborted leaves its mount behind. The number of the device may be
        // another mount's by now, but that one is not dead.
        if isOurs, MountPoint.state(of: directory) == .dead { _ = MountPoint.detach(directory) }
        connectionGuard?.stop()
        loop.finish()
    }

    /// Whether the directory still shows this mount.
    private var isOurs: Bool {
        guard let deviceMinor else { return false }
        return MountTableLine.topmost(on: directory)?.deviceMinor == deviceMinor
    }

    private func abortConnection() {
        if let deviceMinor { _ = MountPoint.abortConnection(deviceMinor) }
    }
}

extension FuseServer {
    /// The names in the root, below which the kernel's names are.
    fileprivate func topNames() -> [String] {
        var names: [String] = []
        do throws(FSError) {
            let view = node.view()
            let opened = try files.openDirectory(FileSystem.rootInode, view: view)
            defer { files.releaseDirectory(opened.handle) }
            try files.readDirectory(
                FileSystem.rootInode,
                handle: opened.handle,
                after: 0,
                view: view
            ) { entry in
                if entry.name != "." && entry.name != ".." { names.append(entry.name) }
                return true
            }
        } catch {
            log.error("the root cannot be listed: \(reason(of: error))")
        }
        return names
    }
}
