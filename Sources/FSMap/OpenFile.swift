// SPDX-License-Identifier: Apache-2.0

/// One open file: the content it was opened with, and what it has written since.
///
/// INVARIANT: what a reader gets through one handle is of one version, whatever happens meanwhile.
struct OpenFile: Sendable {
    let inode: UInt64
    let node: Node
    let user: UInt32
    let flags: OpenFlags
    let isDirectIO: Bool
    /// Nil for a file that is new.
    var snapshot: Snapshot?
    /// The document, once somebody has read it.
    var rendered: [UInt8]?
    /// Places in a long list that somebody has read to.
    var marks: [MembersText.Mark] = []
    /// Where the furthest read ended; kept for `events/all.jsonl`.
    var readThrough: UInt64 = 0
    var target: WriteTarget?
    var stage: StagedDocument?

    /// The size a reader of this handle sees, in bytes.
    var sizeBytes: UInt64 {
        let base = snapshot?.sizeBytes ?? 0
        guard let stage else { return base }
        return UInt64(stage.bytes.count) + (stage.mode == .append ? base : 0)
    }

    /// Bytes that count against the limit of all open files.
    var stagedBytes: Int { stage?.bytes.count ?? 0 }
}

/// An open directory whose listing had to be collected.
struct OpenDirectory: Sendable {
    let inode: UInt64
    let node: Node
    let user: UInt32
    var collected: [CollectionEntry]?
}

extension FileSystem.State {
    /// Counts one more open file or directory of a user.
    ///
    /// Throws ``FSError/tooManyOpen`` and ``FSError/tooManyOpenByUser``.
    mutating func countOpen(
        by user: UInt32,
        _ options: FileSystemOptions
    ) throws(FSError) {
        guard files.count + directories.count < options.openFilesMax else { throw .tooManyOpen }
        let count = openCounts[user, default: 0]
        guard count < options.openFilesPerUserMax else { throw .tooManyOpenByUser }
        openCounts[user] = count + 1
    }

    /// Takes that back.
    mutating func uncountOpen(by user: UInt32) {
        let count = openCounts[user, default: 1] - 1
        openCounts[user] = count > 0 ? count : nil
    }
}

/// Directories that were made here and hold nothing yet: the mount alone knows them.
struct PendingDirectories: Sendable {
    private var directories: [(node: Node, count: UInt64)] = []
    private var last: UInt64 = 0
    let countMax: Int

    init(countMax: Int) {
        self.countMax = countMax
    }

    var isEmpty: Bool { directories.isEmpty }

    /// Numbers what only this mount knows; never the same twice.
    mutating func nextCount() -> UInt64 {
        last += 1
        return last
    }

    /// Throws ``FSError/noSpace`` where there are too many.
    mutating func insert(_ node: Node) throws(FSError) {
        guard number(of: node) == nil else { return }
        guard directories.count < countMax else { throw .noSpace }
        directories.append((node, nextCount()))
    }

    mutating func remove(_ node: Node) {
        directories.removeAll { $0.node == node }
    }

    /// `st_ino` of the directory while it is pending.
    func number(of node: Node) -> UInt64? {
        directories.first { $0.node == node }.map { node.number(ofLocal: $0.count) }
    }

    private static let cookieBase: UInt64 = 1 << 62

    /// The pending directories in `parent` after a cookie, in the order they were made.
    func entries(in parent: Node, after offset: UInt64) -> [(node: Node, offset: UInt64)] {
        directories
            .map { (node: $0.node, offset: Self.cookieBase + $0.count) }
            .filter { $0.node.parent == parent && $0.offset > offset }
    }
}
