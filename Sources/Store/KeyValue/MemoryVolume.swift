// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// The disk of in-memory stores: what was flushed, by path, and which paths are open.
///
/// INVARIANT: contents change only by a flush or a checkpoint, whole and at once.
package final class MemoryVolume: Sendable {
    private struct State: Sendable {
        var contents: [String: SortedMap] = [:]
        var open: Set<String> = []
    }

    private let state = Mutex(State())

    /// An empty volume.
    package init() {}

    /// Removes the store at a path, as deleting its directory would; a missing one is no error.
    ///
    /// The store must not be open.
    package func remove(_ path: String) {
        state.withLock { state in
            precondition(!state.open.contains(path), "\(path) is open")
            state.contents[path] = nil
        }
    }

    /// Locks a path and returns what was flushed there, or nil when it is locked already.
    func open(_ path: String) -> SortedMap? {
        state.withLock { state in
            guard state.open.insert(path).inserted else { return nil }
            let content = state.contents[path] ?? SortedMap()
            state.contents[path] = content
            return content
        }
    }

    func unlock(_ path: String) {
        state.withLock { _ = $0.open.remove(path) }
    }

    func flush(_ content: SortedMap, to path: String) {
        state.withLock { $0.contents[path] = content }
    }

    /// Stores a checkpoint; false when there is something at the path.
    func create(_ path: String, _ content: SortedMap) -> Bool {
        state.withLock { state in
            guard state.contents[path] == nil else { return false }
            state.contents[path] = content
            return true
        }
    }
}
