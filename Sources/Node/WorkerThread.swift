// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A named thread that runs one function to its end.
///
/// Threads of the machine room block on disks and locks, which the cooperative pool of Swift
/// concurrency must not.
struct WorkerThread: Sendable {
    // SAFETY: a thread id is a plain number; it is joined once, by the owner.
    private nonisolated(unsafe) let id: pthread_t

    /// Starts the thread; `name` has at most 15 bytes (pthread_setname_np(3)).
    init(_ name: String, _ body: @escaping @Sendable () -> Void) {
        var id = pthread_t()
        let argument = Unmanaged.passRetained(Body(name, body)).toOpaque()
        let status = pthread_create(&id, nil, startThread, argument)
        precondition(status == 0, "no thread can be started: \(String(cString: strerror(status)))")
        self.id = id
    }

    /// Waits until the function has returned.
    func join() {
        pthread_join(id, nil)
    }
}

private final class Body: Sendable {
    let name: String
    let run: @Sendable () -> Void

    init(_ name: String, _ run: @escaping @Sendable () -> Void) {
        self.name = name
        self.run = run
    }
}

private func startThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
    // Signals belong to the main thread: a worker that caught one would end the wrong way.
    var signals = sigset_t()
    sigfillset(&signals)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    pthread_setname_np(pthread_self(), body.name)
    body.run()
    return nil
}
