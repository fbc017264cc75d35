// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import Synchronization

/// Counts the calls inside a native object, so that it is not freed under one of them.
///
/// INVARIANT: once `shut` has returned, nobody is inside and every `enter` returns false.
/// INVARIANT: whoever got true from `enter` calls `leave` exactly once.
@safe
final class AccessGate: @unchecked Sendable {
    // SAFETY: all state is one atomic and a semaphore made for several threads.
    /// The number of callers inside; the sign bit says that the gate is shut.
    private let state = Atomic<Int>(0)
    /// Posted by whoever leaves a shut gate last.
    private let emptied: UnsafeMutablePointer<sem_t>

    init() {
        unsafe emptied = .allocate(capacity: 1)
        unsafe sem_init(emptied, 0, 0)
    }

    deinit {
        unsafe sem_destroy(emptied)
        unsafe emptied.deallocate()
    }

    /// Lets the caller in unless the gate is shut.
    func enter() -> Bool {
        if state.wrappingAdd(1, ordering: .acquiring).newValue > 0 {
            return true
        }
        leave()
        return false
    }

    func leave() {
        let left = state.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue
        if left == Int.min {
            unsafe sem_post(emptied)
        }
    }

    /// Lets nobody in any more and waits for those inside; called once.
    func shut() {
        state.bitwiseOr(Int.min, ordering: .acquiringAndReleasing)
        while state.load(ordering: .acquiring) != Int.min {
            unsafe sem_wait(emptied)
        }
    }
}
