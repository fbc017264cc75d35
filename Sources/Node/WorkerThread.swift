// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A named thread that runs one function to its end.
///
/// Threads of the machine room block on disks and locks, which the cooperative pool of Swift
/// concurrency must not.
struct WorkerThread: Sendable {
    private let id: pthread_t

    /// Starts the thread; `name` has at most 15 bytes (proc_pid_comm(5)).
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
    nameThread(body.name)
    body.run()
    return nil
}

/// Shows the name in `ps -T`; a thread without one works as well.
private func nameThread(_ name: String) {
    let descriptor = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    _ = write(descriptor, name, name.utf8.count)
    close(descriptor)
}
