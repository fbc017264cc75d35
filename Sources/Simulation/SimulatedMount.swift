// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Replica
import Store

/// A node's mount: the tree that ships and a model of the kernel that caches it.
struct SimulatedMount {
    let files: FileSystem
    var kernel: KernelCache
    var view: StateView
    var gate: StalenessGate
    /// Open files that somebody keeps, and the session each is of.
    var held: [(handle: UInt64, inode: UInt64, session: Int)] = []

    /// A mount that nobody has looked at; it shows nothing until the gate opens.
    init(_ base: MemoryStore, _ options: WorldOptions) {
        var mountOptions = FileSystemOptions()
        mountOptions.recentNanoseconds = options.stalenessMax
        files = FileSystem(
            owners: Owners(rootUser: 0, rootGroup: 0, brokerRead: 1, brokerRevoke: 2, adm: 4),
            options: mountOptions
        )
        kernel = KernelCache(files)
        view = Self.view(base)
        gate = StalenessGate(stalenessMaxNanoseconds: options.stalenessMax)
    }

    private static func view(_ reader: any KeyValueReader, isMoment: Bool = false) -> StateView {
        StateView(
            reader,
            isMoment: isMoment,
            cluster: { nobodyLooks },
            events: { EventLog() }
        )
    }

    private static let nobodyLooks = ClusterState(
        role: "",
        leader: "",
        term: 0,
        writable: false,
        applied: 0,
        committed: 0,
        lagMilliseconds: 0,
        nodes: []
    )

    /// The state of another store is what the mount shows.
    mutating func show(_ base: any KeyValueStore) {
        view = Self.view(base)
    }

    /// One moment of the state, for what opens a file.
    func snapshot(of base: any KeyValueStore) throws(StoreError) -> StateView {
        Self.view(try base.snapshot(), isMoment: true)
    }

    /// The kernel forgets everything, and so does whoever answers it.
    mutating func forgetEverything(now: UInt64) {
        files.willReplace(now: now)
        tellReplaced()
    }

    mutating func tellReplaced() {
        let told = files.replaced(view: view)
        kernel.invalidate(told.content)
        kernel.invalidate(told.names)
    }
}
