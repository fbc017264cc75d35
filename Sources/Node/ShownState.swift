// SPDX-License-Identifier: Apache-2.0

import FSMap
import Replica
import Store
import Synchronization

/// The store that readers see; a snapshot's takes its place while they read.
///
/// INVARIANT: a store that was replaced stays open, and its files stay, until its last reader has
/// let go of it.
final class ShownState: Sendable {
    private struct Shown {
        var store: RocksStore
        var view: StateView
    }

    /// A store that is not shown any more, and where its files are.
    private struct Retired {
        weak var store: RocksStore?
        var path: String
    }

    private let shown: Mutex<Shown>
    private let retired = Mutex<[Retired]>([])
    private let makeView: @Sendable (RocksStore) -> StateView

    init(_ store: RocksStore, shared: SharedState) {
        makeView = { store in
            StateView(
                store,
                cluster: { shared.cluster },
                events: { shared.events },
                progress: { shared.receipts.nodes(of: $0) }
            )
        }
        shown = Mutex(Shown(store: store, view: makeView(store)))
    }

    var store: RocksStore { shown.withLock { $0.store } }
    var view: StateView { shown.withLock { $0.view } }

    /// Shows another store from now on.
    func replace(with store: RocksStore) {
        let view = makeView(store)
        let old = shown.withLock { shown -> RocksStore in
            defer { shown = Shown(store: store, view: view) }
            return shown.store
        }
        guard old !== store else { return }
        retired.withLock { $0.append(Retired(store: old, path: old.path)) }
    }

    /// Removes the files of replaced stores that nobody reads any more.
    func sweep() {
        let abandoned = retired.withLock { retired -> [String] in
            guard !retired.isEmpty else { return [] }
            defer { retired.removeAll { $0.store == nil } }
            return retired.filter { $0.store == nil }.map(\.path)
        }
        for path in abandoned { StateDirectories.remove(path) }
    }

    func close() { store.close() }
}
