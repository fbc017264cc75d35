// SPDX-License-Identifier: Apache-2.0

import CFuse3
import Glibc

/// A detached thread of the mount; pthread_create(3).
///
/// INVARIANT: takes no signal but the one that wakes it from a blocking read, so the process's
///            signals keep arriving where the program waits for them.
enum MountThread {
    /// Starts a thread.
    ///
    /// `name` has at most 15 bytes (pthread_setname_np(3)).
    static func start(_ name: String, _ body: @escaping @Sendable () -> Void) throws(MountError) {
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(Body(name, body))
        // The thread inherits the mask, so that no signal reaches it before it has set its own.
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        let status = pthread_create(&thread, nil, runBody, argument.toOpaque())
        pthread_sigmask(SIG_SETMASK, &before, nil)
        guard status == 0 else {
            argument.release()
            throw .failed("no thread can be started", errno: status)
        }
        pthread_detach(thread)
    }

    /// The signal that interrupts a thread's blocking read.
    ///
    /// Its handler does nothing.
    static var wakeSignal: Int32 { __libc_current_sigrtmin() + 5 }

    /// Installs the handler, without SA_RESTART (sigaction(2)): reads return EINTR.
    static func installWakeHandler() {
        var action = sigaction()
        action.__sigaction_handler.sa_handler = ignoreSignal
        action.sa_flags = 0
        sigaction(wakeSignal, &action, nil)
    }

    fileprivate final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void

        init(_ name: String, _ run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }
}

private func ignoreSignal(_ number: Int32) {}

private func runBody(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let body = Unmanaged<MountThread.Body>.fromOpaque(argument).takeRetainedValue()
    var signals = sigset_t()
    sigfillset(&signals)
    sigdelset(&signals, MountThread.wakeSignal)
    pthread_sigmask(SIG_SETMASK, &signals, nil)
    pthread_setname_np(pthread_self(), body.name)
    body.run()
    return nil
}

/// A moment of the monotonic clock: counting sleeps would wait much longer on a busy machine.
struct Deadline {
    private let end: ContinuousClock.Instant

    init(milliseconds: Int) {
        end = .now + .milliseconds(milliseconds)
    }

    var hasPassed: Bool { .now >= end }

    var remainingMilliseconds: Int {
        max(0, Int((end - .now) / .milliseconds(1)))
    }
}

/// A counting semaphore, sem_overview(7), with waits bounded on the monotonic clock.
final class Semaphore: @unchecked Sendable {
    // SAFETY: the semaphore lives at one address until deinit and is itself the synchronization.
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() {
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    /// Lets one waiter pass.
    func post() {
        sem_post(semaphore)
    }

    /// Waits for a post.
    func wait() {
        while sem_wait(semaphore) != 0 && errno == EINTR {}
    }

    /// Waits for a post for a limited time; false where none came.
    func wait(milliseconds: Int) -> Bool {
        var deadline = timespec()
        clock_gettime(CLOCK_MONOTONIC, &deadline)
        deadline.tv_sec += milliseconds / 1000
        deadline.tv_nsec += (milliseconds % 1000) * 1_000_000
        if deadline.tv_nsec >= 1_000_000_000 {
            deadline.tv_sec += 1
            deadline.tv_nsec -= 1_000_000_000
        }
        while sem_clockwait(semaphore, CLOCK_MONOTONIC, &deadline) != 0 {
            guard errno == EINTR else { return false }
        }
        return true
    }
}
