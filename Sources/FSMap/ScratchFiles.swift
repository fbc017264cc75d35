// SPDX-License-Identifier: Apache-2.0

import Identity

/// Names that editors and tools make on their way to a record, and that no record is made with.
///
/// Source: PRODUCT section 2: leading `.`, trailing `~`, `*.tmp`, `*.swp`, `*.swx`, `sed??????`,
/// `4913`, `#*#`.
enum ScratchName {
    /// Whether a file of this name is scratch where there is no record of the name.
    static func matches(_ name: String) -> Bool {
        let bytes = name.utf8
        guard let first = bytes.first, let last = bytes.last, bytes.count <= 255 else {
            return false
        }
        if first == UInt8(ascii: ".") || last == UInt8(ascii: "~") || name == "4913" { return true }
        if first == UInt8(ascii: "#"), last == first, bytes.count > 1 { return true }
        if name.hasPrefix("sed"), bytes.count == 9 { return true }
        return [".tmp", ".swp", ".swx"].contains { name.hasSuffix($0) }
    }

    /// Whether renaming a record to this name copies it.
    static func isBackup(_ name: String) -> Bool { name.utf8.last == UInt8(ascii: "~") }

    /// The directories in which something can be written, and so scratch files too.
    static func areAllowed(in directory: Node) -> Bool {
        switch directory {
        case .sessions, .userSessions, .user, .serviceAccount, .group, .contextSource: true
        case .recordType(let type): !type.hasFace
        default: false
        }
    }
}

/// The scratch files of one mount: in memory, bounded, gone when nobody uses them.
///
/// INVARIANT: a name stands for one file at most; `bytes` is the sum of all contents.
/// INVARIANT: a file that is open is kept, also when its name has gone.
struct ScratchFiles {
    struct File {
        var directory: Node
        /// Nil once it was removed or replaced while it was open.
        var name: String?
        var bytes: [UInt8] = []
        var owner: Caller
        var mode: UInt32
        var usedAt: UInt64
        var modifiedAt: UInt64
        var handles = 0
    }

    private struct Name: Hashable {
        var directory: Node
        var name: String

        static func == (left: Name, right: Name) -> Bool {
            left.directory == right.directory && left.name.isSame(as: right.name)
        }

        func hash(into hasher: inout Hasher) {
            hasher.combine(directory)
            name.hashBytes(into: &hasher)
        }
    }

    let limits: ScratchLimits
    private var files: [UInt64: File] = [:]
    private var names: [Name: UInt64] = [:]
    private var last: UInt64 = 0
    private(set) var bytes = 0

    init(_ limits: ScratchLimits) {
        self.limits = limits
    }

    var count: Int { files.count }

    subscript(id: UInt64) -> File? { files[id] }

    /// The file of a name.
    func find(_ name: String, in directory: Node) -> UInt64? {
        names[Name(directory: directory, name: name)]
    }

    /// Makes an empty file, in place of one of that name.
    ///
    /// Throws ``FSError/noSpace`` beyond the limits.
    mutating func create(
        _ name: String,
        in directory: Node,
        owner: Caller,
        mode: UInt32,
        now: UInt64
    ) throws(FSError) -> UInt64 {
        sweep(now: now)
        guard files.count < limits.countMax else { throw .noSpace }
        unlink(name, in: directory)
        last += 1
        files[last] = File(
            directory: directory,
            name: name,
            owner: owner,
            mode: mode & 0o777,
            usedAt: now,
            modifiedAt: now
        )
        names[Name(directory: directory, name: name)] = last
        return last
    }

    /// Overwrites from `offset` on; a gap becomes zeros.
    ///
    /// Throws ``FSError/tooLarge`` beyond the limit of a file, ``FSError/noSpace`` beyond that of
    /// all of them.
    mutating func write(
        _ id: UInt64,
        _ new: [UInt8],
        at offset: UInt64,
        now: UInt64
    ) throws(FSError) {
        guard let file = files[id] else { throw .stale }
        let (end, overflow) = Int(clamping: offset).addingReportingOverflow(new.count)
        guard !overflow, end <= limits.fileBytesMax else { throw .tooLarge }
        if end > file.bytes.count { try resize(id, to: end, now: now) }
        files[id]?.bytes.replaceSubrange(end - new.count..<end, with: new)
        files[id]?.modifiedAt = now
        files[id]?.usedAt = now
    }

    /// Cuts or lengthens.
    ///
    /// Throws as ``write(_:_:at:now:)``.
    mutating func resize(_ id: UInt64, to size: Int, now: UInt64) throws(FSError) {
        guard let file = files[id] else { throw .stale }
        guard size <= limits.fileBytesMax else { throw .tooLarge }
        let more = size - file.bytes.count
        guard bytes + more <= limits.bytesMax else { throw .noSpace }
        if more < 0 {
            files[id]?.bytes.removeLast(-more)
        } else {
            files[id]?.bytes.append(contentsOf: repeatElement(0, count: more))
        }
        bytes += more
        files[id]?.modifiedAt = now
    }

    /// Changes who may use a file; nil leaves a part as it is.
    mutating func change(_ id: UInt64, mode: UInt32?, user: UInt32?, group: UInt32?) {
        if let mode { files[id]?.mode = mode & 0o777 }
        if let user { files[id]?.owner.uid = user }
        if let group { files[id]?.owner.gid = group }
    }

    mutating func opened(_ id: UInt64) {
        files[id]?.handles += 1
    }

    mutating func released(_ id: UInt64) {
        files[id]?.handles -= 1
        dropIfUnused(id)
    }

    /// Whoever looks at a file keeps it.
    mutating func touch(_ id: UInt64, now: UInt64) {
        files[id]?.usedAt = now
    }

    /// Takes the name away; false where there was none.
    @discardableResult
    mutating func unlink(_ name: String, in directory: Node) -> Bool {
        guard let id = names.removeValue(forKey: Name(directory: directory, name: name))
        else { return false }
        files[id]?.name = nil
        dropIfUnused(id)
        return true
    }

    /// Gives a file another name, in place of one that has it.
    mutating func move(_ id: UInt64, to name: String, in directory: Node) {
        guard let file = files[id] else { return }
        if let old = file.name { names[Name(directory: file.directory, name: old)] = nil }
        if find(name, in: directory) != id { unlink(name, in: directory) }
        files[id]?.directory = directory
        files[id]?.name = name
        names[Name(directory: directory, name: name)] = id
    }

    /// Drops what nobody has used for a while.
    mutating func sweep(now: UInt64) {
        let idle = files.filter {
            $0.value.handles == 0 && $0.value.usedAt + limits.idleNanoseconds <= now
        }
        for file in idle.values {
            if let name = file.name { unlink(name, in: file.directory) }
        }
    }

    private mutating func dropIfUnused(_ id: UInt64) {
        guard let file = files[id], file.name == nil, file.handles <= 0 else { return }
        bytes -= file.bytes.count
        files[id] = nil
    }
}
