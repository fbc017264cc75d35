// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Replica
import Store

/// Somebody who looks at a mount: name by name through the kernel's cache, asking the node only for
/// what is not cached.
struct Access {
    var kind: AccessKind
    var session: Int
    var node: Int
    var run: Int
    var startedAt: UInt64
    /// How far the path has been walked, and to which inode.
    var depth = 0
    var inode = FileSystem.rootInode
}

extension Cluster {
    mutating func begin(_ kind: AccessKind, _ session: Int, _ node: Int, at begin: UInt64? = nil) {
        guard nodes[node].isUp, nodes[node].pausedUntil <= time else { return }
        let access = Access(
            kind: kind,
            session: session,
            node: node,
            run: nodes[node].run,
            startedAt: begin ?? time
        )
        queue.push(.access(access), at: access.startedAt)
    }

    /// Goes on until something has to be asked for, or it is clear what is shown.
    mutating func advance(_ access: Access, _ event: WorldEvent) throws {
        let node = access.node
        guard isRunning(node, access.run), !isPaused(node, event) else { return }
        if access.kind == .readHeld { return try readHeld(access) }
        var access = access
        let path =
            access.kind == .list ? ["sessions"] : ["sessions", Self.name(of: access.session)]
        while access.depth < path.count {
            let name = KernelCache.Name(parent: access.inode, name: path[access.depth])
            guard let cached = nodes[node].mount.kernel.entries[name] else {
                return lookUp(name, access)
            }
            guard let found = cached else { return try shown(access, nil) }
            access.inode = found
            access.depth += 1
        }
        switch access.kind {
        case .stat: try stat(access)
        case .cat, .hold: try open(access)
        case .list: list(access)
        case .readHeld: break
        }
    }

    // MARK: - What the node is asked for

    /// Whether the node answers at all.
    private func isAnswering(_ node: Int) -> Bool { nodes[node].mount.gate.isOpen }

    private mutating func lookUp(_ name: KernelCache.Name, _ access: Access) {
        guard isAnswering(access.node) else { return statistics.note("access refused") }
        let mount = nodes[access.node].mount
        let mark = mount.files.mark()
        let now = nodes[access.node].clock.monotonic(at: time)
        let reply = try? mount.files.lookup(
            name.name,
            in: name.parent,
            now: now,
            view: mount.view
        )
        guard let reply else { return statistics.note("access failed") }
        send(.lookup(name, reply), since: mark, access)
    }

    private mutating func send(
        _ reply: KernelCache.Reply,
        since mark: CacheMark,
        _ access: Access
    ) {
        let delay = generator.number(below: options.kernelDelayMax)
        schedule(.kernelReply(access, reply, mark), in: delay)
    }

    private mutating func stat(_ access: Access) throws {
        let inode = access.inode
        if nodes[access.node].mount.kernel.attributes[inode] != nil {
            return try shown(access, .name)
        }
        guard isAnswering(access.node) else { return statistics.note("access refused") }
        let mount = nodes[access.node].mount
        let mark = mount.files.mark()
        let now = nodes[access.node].clock.monotonic(at: time)
        let found = try? mount.files.attributes(of: inode, handle: nil, now: now, view: mount.view)
        guard let (attributes, seconds) = found else {
            // The kernel looks the name up again; here the next access does.
            nodes[access.node].mount.kernel.attributes[inode] = nil
            nodes[access.node].mount.kernel.entries[sessionName(access)] = nil
            return statistics.note("access failed")
        }
        send(.attributes(inode, seconds > 0 ? attributes : nil), since: mark, access)
    }

    private func sessionName(_ access: Access) -> KernelCache.Name {
        let root = KernelCache.Name(parent: FileSystem.rootInode, name: "sessions")
        let parent = nodes[access.node].mount.kernel.entries[root] ?? nil
        return .init(parent: parent ?? 0, name: Self.name(of: access.session))
    }

    private mutating func open(_ access: Access) throws {
        let inode = access.inode
        guard isAnswering(access.node) else { return statistics.note("access refused") }
        let mount = nodes[access.node].mount
        let moment = try mount.snapshot(of: nodes[access.node].replica.store.base)
        let mark = mount.files.mark()
        let opened: Opened
        do throws(FSError) {
            opened = try mount.files.open(inode, flags: .read, view: moment)
        } catch {
            nodes[access.node].mount.kernel.entries[sessionName(access)] = nil
            return try failed(access, error)
        }
        if !opened.keepCache { nodes[access.node].mount.kernel.pages[inode] = nil }
        defer { keepOrClose(opened.handle, inode, access) }
        guard nodes[access.node].mount.kernel.pages[inode] == nil else {
            return try shown(access, .content)
        }
        let bytes = try? mount.files.read(
            opened.handle,
            offset: 0,
            count: 1 << 16,
            view: mount.view
        )
        guard let bytes else { return statistics.note("access failed") }
        send(.pages(inode, Array(bytes)), since: mark, access)
    }

    private mutating func keepOrClose(_ handle: UInt64, _ inode: UInt64, _ access: Access) {
        guard access.kind == .hold, nodes[access.node].mount.held.count < 8 else {
            let told = nodes[access.node].mount.files.release(handle)
            return nodes[access.node].mount.kernel.invalidate(told)
        }
        nodes[access.node].mount.held.append((handle, inode, access.session))
    }

    /// Reads a file that was opened earlier, from the cache where its pages are.
    private mutating func readHeld(_ access: Access) throws {
        let mount = nodes[access.node].mount
        guard !mount.held.isEmpty else { return }
        let held = mount.held[generator.index(below: mount.held.count)]
        var access = access
        access.session = held.session
        guard mount.kernel.pages[held.inode] == nil else { return try shown(access, .content) }
        guard isAnswering(access.node) else { return statistics.note("access refused") }
        let mark = mount.files.mark()
        do throws(FSError) {
            let bytes = try mount.files.read(
                held.handle,
                offset: 0,
                count: 1 << 16,
                view: mount.view
            )
            send(.pages(held.inode, Array(bytes)), since: mark, access)
        } catch {
            try failed(access, error)
        }
    }

    private mutating func list(_ access: Access) {
        let inode = access.inode
        guard isAnswering(access.node) else { return statistics.note("access refused") }
        let mount = nodes[access.node].mount
        let mark = mount.files.mark()
        guard let opened = try? mount.files.openDirectory(inode, view: mount.view) else { return }
        defer { mount.files.releaseDirectory(opened.handle) }
        if !opened.keepCache { nodes[access.node].mount.kernel.listings[inode] = nil }
        let now = nodes[access.node].clock.monotonic(at: time)
        var lines: [(DirectoryEntry, FSMap.Entry?)] = []
        try? mount.files.readDirectoryPlus(
            inode,
            handle: opened.handle,
            after: 0,
            now: now,
            view: mount.view
        ) { line, entry in
            lines.append((line, entry))
            return true
        }
        send(.listing(inode, isCached: opened.keepCache, lines), since: mark, access)
    }

    /// An answer reaches the kernel, and whoever waited for it goes on.
    mutating func receive(
        _ reply: KernelCache.Reply,
        since mark: CacheMark,
        of access: Access,
        _ event: WorldEvent
    ) throws {
        guard isRunning(access.node, access.run), !isPaused(access.node, event) else { return }
        nodes[access.node].mount.kernel.deliver(reply, since: mark)
        switch reply {
        case .lookup(_, .missing): try shown(access, nil)
        case .lookup(_, .found(let entry)):
            var access = access
            access.inode = entry.inode
            access.depth += 1
            try advance(access, .access(access))
        case .attributes: try shown(access, .name)
        case .pages: try shown(access, .content)
        case .listing: statistics.note("access: list")
        }
    }

    // MARK: - What was seen

    /// Only a revocation says that a session is gone; anything else may have other reasons.
    private mutating func failed(_ access: Access, _ error: FSError) throws {
        guard error == .revoked || error == .notFound else {
            return statistics.note("access failed")
        }
        try shown(access, nil)
    }

    private mutating func shown(_ access: Access, _ what: RevocationChecker.Sight?) throws {
        statistics.note(what == nil ? "access: nothing there" : "access: \(access.kind)")
        note(
            "\(access.kind) of s\(access.session) on node \(access.node + 1) shows "
                + (what.map { "\($0)" } ?? "nothing") + ", asked at \(access.startedAt / 1000)"
        )
        try revocations.check(
            access.session,
            on: access.node,
            shown: what,
            startedAt: access.startedAt,
            endedAt: time
        )
    }
}
