// SPDX-License-Identifier: Apache-2.0

import Identity

/// What the kernel knows of this mount: inodes, how often it looked them up, and under which names.
///
/// Source: the lookup counts and FORGET of the FUSE protocol: lookup, create, mkdir and each entry
/// of readdirplus add one, FORGET takes them back.
///
/// INVARIANT: a number is never given twice; a lookup count is never below zero.
/// INVARIANT: a node has at most one current inode; an inode that was current and is not has been
/// removed, so that a recreated name is a new inode.
struct InodeTable {
    /// Why an inode stands for nothing any more.
    enum Removal: Equatable {
        case revoked, gone
        /// Its node has other content, and another inode, now (``MountKind/isOpenless``).
        case superseded

        var error: FSError { self == .revoked ? .revoked : .stale }
    }

    struct Inode {
        let node: Node
        /// `st_ino` of the object it stands for; a local one while there is none.
        var number: UInt64
        var lookups: UInt64 = 0
        /// Open files and directories; an inode outlives its last lookup while there are any.
        var handles: [UInt64] = []
        /// The directories in which the kernel has looked it up.
        var parents: [UInt64] = []
        var removal: Removal?
        /// A file that was created and not committed yet.
        var isUncommitted = false
        /// The version whose pages the kernel may have.
        var cachedVersion: ContentVersion?
        /// The version that was current when somebody last looked.
        var latestVersion: ContentVersion?
        /// On a mount without OPEN: what the kernel was told, and will ask for.
        var told: ToldContent?
    }

    private var inodes: [UInt64: Inode] = [:]
    private var current: [Node: UInt64] = [:]
    /// Removed and uncommitted inodes that the kernel still knows.
    private var others: [Node: [UInt64]] = [:]
    private var last: UInt64 = FileSystem.rootInode
    /// How far the search for inodes to let go of has come.
    private var searched: UInt64 = FileSystem.rootInode
    /// How many inodes the next batch of those is to have.
    private var owed = 0
    /// How many current inodes are the sessions of a group.
    private(set) var groupSessionsCount = 0

    init() {
        inodes[FileSystem.rootInode] = Inode(node: .root, number: Node.root.fixedNumber, lookups: 1)
        current[.root] = FileSystem.rootInode
    }

    var count: Int { inodes.count }

    subscript(inode: UInt64) -> Inode? { inodes[inode] }

    /// Every inode the kernel knows, in the order of their numbers; slow.
    var known: [(inode: UInt64, node: Node)] {
        inodes.keys.sorted().compactMap { inode in
            inodes[inode].map { (inode, $0.node) }
        }
    }

    /// Changes what is known of an inode; nothing where it is not known.
    mutating func update(_ inode: UInt64, _ change: (inout Inode) -> Void) {
        guard var entry = inodes[inode] else { return }
        // The entry is out of the table while it changes, so that its arrays are not copied.
        inodes[inode] = nil
        change(&entry)
        inodes[inode] = entry
        if entry.lookups == 0, entry.handles.isEmpty { drop(inode) }
    }

    /// The inode of a node that exists; nil while the kernel does not know it.
    func current(_ node: Node) -> UInt64? { current[node] }

    /// Every inode of a node that the kernel still knows, the current one last.
    func all(_ node: Node) -> [UInt64] {
        (others[node] ?? []) + (current[node].map { [$0] } ?? [])
    }

    /// The inodes that were looked up in a directory, by `name` where there is one; slow.
    func children(of parent: UInt64, named name: String? = nil) -> [UInt64] {
        inodes
            .filter {
                $0.value.parents.contains(parent) && (name == nil || $0.value.node.name == name)
            }
            .map(\.key)
            .sorted()
    }

    /// Counts one lookup of a node in a directory and gives it its inode.
    ///
    /// A number other than the one known means another object: the old inode is removed.
    mutating func lookUp(_ node: Node, number: UInt64, in parent: UInt64) -> UInt64 {
        if let inode = current[node], let entry = inodes[inode] {
            if isSame(entry.number, number) {
                update(inode) {
                    $0.number = number
                    $0.lookups += 1
                    if !$0.parents.contains(parent) { $0.parents.append(parent) }
                }
                return inode
            }
            remove(inode, .gone)
        }
        let inode = add(node, number: number, in: parent)
        current[node] = inode
        if case .groupSessions = node { groupSessionsCount += 1 }
        return inode
    }

    /// Counts one lookup of a file that nobody else can see yet.
    mutating func create(_ node: Node, number: UInt64, in parent: UInt64) -> UInt64 {
        let inode = add(node, number: number, in: parent)
        update(inode) { $0.isUncommitted = true }
        others[node, default: []].append(inode)
        return inode
    }

    /// The file has been committed: unless it was looked up since, its inode is the node's.
    mutating func commit(_ inode: UInt64) {
        guard let entry = inodes[inode], entry.isUncommitted else { return }
        update(inode) { $0.isUncommitted = false }
        guard current[entry.node] == nil, entry.removal == nil else { return }
        forgetOther(inode, of: entry.node)
        current[entry.node] = inode
    }

    /// Inodes the kernel should forget where the table holds more than `countMax`.
    ///
    /// Those looked up longest ago, twice as many as were looked up since the last ones, because
    /// forgetting takes its time; directories and open files are kept. A batch at a time.
    mutating func surplus(above countMax: Int, lookups: Int) -> [UInt64] {
        guard inodes.count > countMax else { return [] }
        owed += 2 * lookups
        guard owed >= Self.surplusBatch else { return [] }
        var unused: [UInt64] = []
        for _ in 0..<(owed * Self.searchStepsMax) where unused.count < owed {
            searched = searched < last ? searched + 1 : FileSystem.rootInode + 1
            guard let entry = inodes[searched], entry.handles.isEmpty,
                entry.node.kind != .directory, !entry.isUncommitted, !entry.node.name.isEmpty
            else { continue }
            unused.append(searched)
        }
        owed = 0
        return unused
    }

    static let surplusBatch = 128
    private static let searchStepsMax = 32

    /// Takes `count` lookups back; forgets the inode with the last one.
    mutating func forget(_ inode: UInt64, lookups count: UInt64) {
        guard inode != FileSystem.rootInode else { return }
        update(inode) {
            precondition(
                $0.lookups >= count,
                "the kernel forgot an inode more often than it knew it"
            )
            $0.lookups -= count
        }
    }

    /// The inode stands for nothing from now on; the node gets a new one when it is looked up.
    mutating func remove(_ inode: UInt64, _ removal: Removal) {
        guard inode != FileSystem.rootInode, let entry = inodes[inode] else { return }
        update(inode) {
            if $0.removal == nil || $0.removal == .superseded { $0.removal = removal }
        }
        guard current[entry.node] == inode else { return }
        current[entry.node] = nil
        if case .groupSessions = entry.node { groupSessionsCount -= 1 }
        others[entry.node, default: []].append(inode)
    }

    /// No inode of a file but those not committed yet stands for anything from now on.
    ///
    /// `body` is called with each of them, those removed before included.
    mutating func removeAll(
        _ node: Node,
        _ removal: Removal,
        _ body: (UInt64, Inode) -> Void = { _, _ in }
    ) {
        if let inode = current.removeValue(forKey: node) {
            others[node, default: []].append(inode)
        }
        guard !others.isEmpty, let known = others[node] else { return }
        for inode in known {
            guard let entry = inodes[inode], !entry.isUncommitted else { continue }
            if entry.removal == nil || entry.removal == .superseded {
                inodes[inode]?.removal = removal
            }
            body(inode, entry)
        }
    }

    /// Whether the two numbers can be of one object.
    ///
    /// One that is local becomes a real one.
    func isSame(_ known: UInt64, _ found: UInt64) -> Bool {
        known == found || Node.isLocal(known) || Node.isGeneration(found)
    }

    private mutating func add(_ node: Node, number: UInt64, in parent: UInt64) -> UInt64 {
        last += 1
        inodes[last] = Inode(node: node, number: number, lookups: 1, parents: [parent])
        return last
    }

    private mutating func drop(_ inode: UInt64) {
        guard let entry = inodes.removeValue(forKey: inode) else { return }
        guard current[entry.node] == inode else { return forgetOther(inode, of: entry.node) }
        current[entry.node] = nil
        if case .groupSessions = entry.node { groupSessionsCount -= 1 }
    }

    private mutating func forgetOther(_ inode: UInt64, of node: Node) {
        others[node]?.removeAll { $0 == inode }
        if others[node]?.isEmpty == true { others[node] = nil }
    }
}
