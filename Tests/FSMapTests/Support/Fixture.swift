// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Testing

/// A state, a mount of it, and the words tests use to talk to both.
struct Fixture {
    var state = MemoryState()
    let files: FileSystem
    /// Monotonic nanoseconds; tests move it.
    var now: UInt64 = 10_000_000_000

    init(_ change: (inout FileSystemOptions) -> Void = { _ in }) {
        var options = FileSystemOptions()
        options.version = "1.0.0"
        options.mountedAt = Timestamp(seconds: 1_700_000_000)
        change(&options)
        files = FileSystem(
            owners: Owners(rootUser: 0, rootGroup: 0, brokerRead: 71, brokerRevoke: 72, adm: 4),
            options: options
        )
    }

    /// Applies a command the way a node does; what comes back is what a kernel is told.
    @discardableResult
    mutating func apply(_ kind: Command.Kind) -> (content: [Invalidation], names: [Invalidation]) {
        var next = state
        let effects = next.apply(kind)
        files.willApply(effects, now: now)
        state = next
        return files.invalidations(for: effects, view: state)
    }

    /// Two seconds later nothing is recent any more.
    mutating func settle() { now += 2_000_000_000 }

    mutating func put(_ type: RecordType, _ id: String, _ json: String) throws {
        let write = try Document.parse(Array(json.utf8), type: type, id: id)
        apply(.put([write]))
    }

    mutating func putSession(_ id: String, user: String, idp: String = "okta") throws {
        try put(.session, id, #"{"user_id":"\#(user)","idp_id":"\#(idp)"}"#)
    }

    func find(_ path: String) throws(FSError) -> Entry {
        var entry: Entry?
        var inode = FileSystem.rootInode
        for name in path.split(separator: "/") {
            switch try files.lookup(String(name), in: inode, now: now, view: state) {
            case .missing: throw .notFound
            case .found(let found):
                entry = found
                inode = found.inode
            }
        }
        guard let entry else { throw .notFound }
        return entry
    }

    func open(_ path: String, _ flags: OpenFlags = .read) throws(FSError) -> Opened {
        try files.open(try find(path).inode, flags: flags, view: state)
    }

    func text(of path: String) throws(FSError) -> String {
        let opened = try open(path)
        let text = try text(opened.handle)
        _ = files.release(opened.handle)
        return text
    }

    func text(_ handle: UInt64) throws(FSError) -> String {
        String(
            decoding: try files.read(handle, offset: 0, count: 1 << 24, view: state),
            as: UTF8.self
        )
    }

    func list(_ path: String, page: Int = .max) throws(FSError) -> [DirectoryEntry] {
        let inode = path.isEmpty ? FileSystem.rootInode : try find(path).inode
        return try list(inode: inode, page: page)
    }

    func list(inode: UInt64, page: Int = .max) throws(FSError) -> [DirectoryEntry] {
        let handle = try files.openDirectory(inode, view: state).handle
        defer { files.releaseDirectory(handle) }
        var entries: [DirectoryEntry] = []
        while true {
            var taken = 0
            try files.readDirectory(
                inode,
                handle: handle,
                after: entries.last?.offset ?? 0,
                view: state
            ) { entry in
                guard taken < page else { return false }
                entries.append(entry)
                taken += 1
                return true
            }
            guard taken == page else { return entries }
        }
    }

    func names(_ path: String) throws(FSError) -> [String] {
        try list(path).map(\.name).filter { $0 != "." && $0 != ".." }
    }

    /// Writes a whole file as `cat > path` does, and applies what it asks for.
    mutating func write(_ text: String, to path: String) throws(FSError) {
        let opened = try open(path, [.write, .truncate])
        defer { _ = files.release(opened.handle) }
        try finish(opened.handle, text)
    }

    mutating func create(_ path: String, _ text: String) throws(FSError) {
        let (parent, name) = Self.split(path)
        let inode = parent.isEmpty ? FileSystem.rootInode : try find(parent).inode
        let flags: OpenFlags = [.write, .truncate]
        let (_, opened) = try files.create(
            name,
            in: inode,
            CreateRequest(flags: flags, now: now, view: state)
        )
        defer { _ = files.release(opened.handle) }
        try finish(opened.handle, text)
    }

    mutating func finish(_ handle: UInt64, _ text: String) throws(FSError) {
        let bytes = Array(text.utf8)
        if case .commit(let kind) = try files.write(handle, offset: 0, bytes: bytes, view: state) {
            apply(kind)
            files.committed(handle)
        }
        if case .commit(let kind) = try files.flush(handle, view: state) {
            apply(kind)
            files.committed(handle)
        }
    }

    static func split(_ path: String) -> (parent: String, name: String) {
        let parts = path.split(separator: "/").map(String.init)
        return (parts.dropLast().joined(separator: "/"), parts.last ?? "")
    }
}

/// An answer a test cannot go on with.
struct Unexpected: Error {}

/// A small generator, so that a seed is all it takes to see a failure again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
