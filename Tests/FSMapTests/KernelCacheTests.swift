// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Simulation
import Testing

/// A kernel, a state that changes, and answers that overtake each other.
private struct Machine {
    var fixture: Fixture
    var kernel: KernelCache
    var traffic: Traffic
    private var inFlight: [(reply: KernelCache.Reply, mark: CacheMark)] = []
    private var change: (effects: [Effect], next: MemoryState, isApplied: Bool)?
    private(set) var checked = 0

    init(seed: UInt64, options: (inout FileSystemOptions) -> Void = { _ in }) {
        fixture = Fixture(options)
        kernel = KernelCache(fixture.files)
        traffic = Traffic(seed: seed)
    }

    /// One step of anybody; what is stale whenever nothing is under way.
    mutating func step() -> [String] {
        fixture.now += UInt64.random(in: 0..<400_000_000, using: &traffic.random)
        switch Int.random(in: 0..<10, using: &traffic.random) {
        case 0..<3: changeStep()
        case 3..<6: deliver()
        case 6: if traffic.chance(80) { housekeeping() } else { removeOrMake() }
        default: request()
        }
        guard change == nil, inFlight.isEmpty else { return [] }
        checked += 1
        return kernel.stale(fixture.state, now: fixture.now) + stalePages()
    }

    /// A change is announced, applied and told in three steps, with others in between.
    private mutating func changeStep() {
        guard let (effects, next, isApplied) = change else {
            var next = fixture.state
            let effects = next.apply(traffic.command())
            fixture.files.willApply(effects, now: fixture.now)
            change = (effects, next, false)
            return
        }
        guard isApplied else {
            fixture.state = next
            change = (effects, next, true)
            return
        }
        let told = fixture.files.invalidations(for: effects, view: fixture.state)
        kernel.invalidate(told.content)
        kernel.invalidate(told.names)
        change = nil
    }

    private mutating func deliver() {
        guard !inFlight.isEmpty else { return }
        let index = Int.random(in: 0..<inFlight.count, using: &traffic.random)
        let (reply, mark) = inFlight.remove(at: index)
        kernel.deliver(reply, since: mark)
    }

    /// Walks a path through the cache; the first name that is not cached is asked for.
    private mutating func request() {
        guard inFlight.count < 4 else { return deliver() }
        var inode = FileSystem.rootInode
        for name in traffic.path() {
            let name = KernelCache.Name(parent: inode, name: name)
            guard let cached = kernel.entries[name] else { return lookUp(name) }
            guard let found = cached else { return }
            inode = found
        }
        ask(inode)
    }

    private mutating func lookUp(_ name: KernelCache.Name) {
        let mark = fixture.files.mark()
        let reply = try? fixture.files.lookup(
            name.name,
            in: name.parent,
            now: fixture.now,
            view: fixture.state
        )
        guard let reply else { return }
        inFlight.append((.lookup(name, reply), mark))
        // Most replies arrive before anything else happens.
        if traffic.chance(60) { kernel.deliver(inFlight.removeLast().reply, since: mark) }
    }

    private mutating func ask(_ inode: UInt64) {
        let mark = fixture.files.mark()
        let found = try? fixture.files.attributes(
            of: inode,
            handle: nil,
            now: fixture.now,
            view: fixture.state
        )
        guard let (attributes, seconds) = found else { return }
        guard traffic.chance(60) else {
            return inFlight.append((.attributes(inode, seconds > 0 ? attributes : nil), mark))
        }
        switch attributes.kind {
        case .directory: list(inode, mark)
        case .regular: openAndRead(inode, mark)
        case .symlink: break
        }
    }

    private mutating func list(_ inode: UInt64, _ mark: CacheMark) {
        guard let opened = try? fixture.files.openDirectory(inode, view: fixture.state) else {
            return
        }
        defer { fixture.files.releaseDirectory(opened.handle) }
        if !opened.keepCache { kernel.listings[inode] = nil }
        var lines: [(DirectoryEntry, Entry?)] = []
        if traffic.chance(50) {
            try? fixture.files.readDirectoryPlus(
                inode,
                handle: opened.handle,
                after: 0,
                now: fixture.now,
                view: fixture.state
            ) { line, entry in
                lines.append((line, entry))
                return true
            }
        } else {
            try? fixture.files.readDirectory(
                inode,
                handle: opened.handle,
                after: 0,
                view: fixture.state
            ) { line in
                lines.append((line, nil))
                return true
            }
        }
        inFlight.append((.listing(inode, isCached: opened.keepCache, lines), mark))
    }

    private mutating func openAndRead(_ inode: UInt64, _ mark: CacheMark) {
        guard let opened = try? fixture.files.open(inode, flags: .read, view: fixture.state) else {
            return
        }
        if !opened.keepCache, !opened.directIO { kernel.pages[inode] = nil }
        kernel.handles[opened.handle] = (inode, opened.directIO)
        read(opened.handle)
    }

    private mutating func read(_ handle: UInt64) {
        guard let open = kernel.handles[handle], !open.isDirectIO else { return }
        let mark = fixture.files.mark()
        let bytes = try? fixture.files.read(
            handle,
            offset: 0,
            count: 1 << 20,
            view: fixture.state
        )
        guard let bytes else { return }
        inFlight.append((.pages(open.inode, Array(bytes)), mark))
    }

    private mutating func housekeeping() {
        let handles = kernel.handles.keys.sorted()
        if traffic.chance(50), !handles.isEmpty {
            let handle = traffic.pick(handles)
            guard traffic.chance(70) else { return read(handle) }
            kernel.handles[handle] = nil
            kernel.invalidate(fixture.files.release(handle))
        } else if inFlight.isEmpty,
            let inode = kernel.lookups.keys.sorted().randomElement(
                using: &traffic.random
            )
        {
            kernel.forget(inode)
        }
    }

    /// Somebody removes or makes a directory or removes a file through this very mount.
    private mutating func removeOrMake() {
        guard change == nil, inFlight.isEmpty else { return }
        var inode = FileSystem.rootInode
        let path = traffic.path()
        for name in path.dropLast() {
            let cached = kernel.entries[KernelCache.Name(parent: inode, name: name)]
            guard let entry = cached, let found = entry else { return }
            inode = found
        }
        guard let last = path.last else { return }
        let name = KernelCache.Name(parent: inode, name: last)
        guard kernel.entries[name] != .some(nil) else { return make(name) }
        if let kind = try? fixture.files.unlink(last, in: inode, view: fixture.state) {
            run(kind)
            kernel.drop(name)
        } else if let kind = try? fixture.files.removeDirectory(
            last,
            in: inode,
            view: fixture.state
        ) {
            run(kind)
            kernel.drop(name)
            fixture.files.directoryRemoved(last, in: inode)
        }
    }

    private mutating func make(_ name: KernelCache.Name) {
        let mark = fixture.files.mark()
        let made = try? fixture.files.makeDirectory(
            name.name,
            in: name.parent,
            now: fixture.now,
            view: fixture.state
        )
        switch made {
        case .commit(let kind)?:
            run(kind)
            kernel.drop(name)
        case .done(let entry)?:
            kernel.listings[name.parent] = nil
            kernel.deliver(.lookup(name, .found(entry)), since: mark)
        case nil: break
        }
    }

    private mutating func run(_ kind: Command.Kind) {
        let told = fixture.apply(kind)
        kernel.invalidate(told.content)
        kernel.invalidate(told.names)
    }

    /// Pages that a reader who opens the file now would be given and that are not its content.
    private mutating func stalePages() -> [String] {
        var findings: [String] = []
        for inode in kernel.pages.keys.sorted() {
            guard let opened = try? fixture.files.open(inode, flags: .read, view: fixture.state)
            else { continue }
            if !opened.directIO {
                if !opened.keepCache { kernel.pages[inode] = nil }
                let fresh = try? fixture.files.read(
                    opened.handle,
                    offset: 0,
                    count: 1 << 20,
                    view: fixture.state
                )
                if let cached = kernel.pages[inode], fresh.map({ Array($0) }) != cached {
                    findings.append("pages of \(inode)")
                }
            }
            kernel.invalidate(fixture.files.release(opened.handle))
        }
        return findings
    }
}

@Suite("What a kernel caches")
struct KernelCacheTests {
    @Test(
        "nothing a kernel holds is stale once it has been told",
        arguments: 1...12 as ClosedRange<UInt64>
    )
    func neverStale(seed: UInt64) {
        var machine = Machine(seed: seed)
        for step in 0..<2000 {
            let findings = machine.step()
            guard findings.isEmpty else {
                Issue.record("seed \(seed), step \(step): \(findings.joined(separator: "; "))")
                return
            }
        }
        #expect(machine.checked > 100)
    }

    @Test(
        "nor when changes are too many to remember or to name",
        arguments: 101...104 as ClosedRange<UInt64>
    )
    func neverStaleInBulk(seed: UInt64) {
        var machine = Machine(seed: seed) {
            $0.invalidatedNamesMax = 6
            $0.recentChangesMax = 12
        }
        for step in 0..<2000 {
            let findings = machine.step()
            guard findings.isEmpty else {
                Issue.record("seed \(seed), step \(step): \(findings.joined(separator: "; "))")
                return
            }
        }
        #expect(machine.checked > 100)
    }
}
