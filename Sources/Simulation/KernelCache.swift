// SPDX-License-Identifier: Apache-2.0

package import FSMap
import Identity

/// What a kernel caches of a mount, and how it forgets: as much of it as can be stale.
///
/// Whatever came with a time is believed for ever, so that only invalidations can save it.
package struct KernelCache {
    /// A name in a directory.
    package struct Name: Hashable, Comparable {
        package var parent: UInt64
        package var name: String

        /// A name in a directory.
        package init(parent: UInt64, name: String) {
            self.parent = parent
            self.name = name
        }

        package static func < (left: Name, right: Name) -> Bool {
            (left.parent, left.name) < (right.parent, right.name)
        }
    }

    /// A line of a listing.
    package struct Line: Equatable {
        package var name: String
        package var number: UInt64
    }

    /// An answer on its way to the kernel.
    package enum Reply {
        case lookup(Name, LookupReply)
        case attributes(UInt64, Attributes?)
        case listing(UInt64, isCached: Bool, [(DirectoryEntry, Entry?)])
        case pages(UInt64, [UInt8])
    }

    package let files: FileSystem
    /// Nil: known not to be there.
    package var entries: [Name: UInt64?] = [:]
    package var attributes: [UInt64: Attributes] = [:]
    package var listings: [UInt64: [Line]] = [:]
    package var pages: [UInt64: [UInt8]] = [:]
    package var lookups: [UInt64: UInt64] = [:]
    /// Open handles and the inodes they are of.
    package var handles: [UInt64: (inode: UInt64, isDirectIO: Bool)] = [:]

    /// The kernel's side of a mount that nobody has looked at yet.
    package init(_ files: FileSystem) {
        self.files = files
    }

    /// Takes an answer in, then what has raced it.
    package mutating func deliver(_ reply: Reply, since mark: CacheMark) {
        switch reply {
        case .lookup(let name, let answer):
            switch answer {
            case .found(let entry): remember(name, entry)
            case .missing(let seconds): entries[name] = seconds > 0 ? .some(nil) : nil
            }
            invalidate(files.raced(since: mark, name: name.name, in: name.parent))
        case .attributes(let inode, let found):
            attributes[inode] = found
            invalidate(files.racedAttributes(since: mark, inode: inode))
        case .listing(let inode, let isCached, let lines):
            let known = lines.map { Line(name: $0.0.name, number: $0.0.number) }
            listings[inode] = isCached ? known : nil
            for (line, entry) in lines {
                if let entry { remember(Name(parent: inode, name: line.name), entry) }
            }
            invalidate(files.raced(since: mark, inode: inode))
        case .pages(let inode, let bytes):
            pages[inode] = bytes
            invalidate(files.raced(since: mark, inode: inode))
        }
    }

    private mutating func remember(_ name: Name, _ entry: Entry) {
        lookups[entry.inode, default: 0] += 1
        entries[name] = entry.entrySeconds > 0 ? .some(entry.inode) : nil
        attributes[entry.inode] = entry.attributeSeconds > 0 ? entry.attributes : nil
    }

    /// Forgets what it is told to.
    package mutating func invalidate(_ invalidations: [Invalidation]) {
        for invalidation in invalidations {
            switch invalidation {
            case .attributes(let inode): attributes[inode] = nil
            case .content(let inode):
                attributes[inode] = nil
                pages[inode] = nil
            case .listing(let inode):
                attributes[inode] = nil
                listings[inode] = nil
            case .entry(let parent, let name): drop(Name(parent: parent, name: name))
            case .delete(let parent, let child, let name):
                let name = Name(parent: parent, name: name)
                if entries[name] == .some(child) { drop(name) }
            case .everything: entries = [:]
            case .unused: break
            }
        }
    }

    /// Drops a name and, as the kernel does, everything below it.
    package mutating func drop(_ name: Name) {
        guard let entry = entries.removeValue(forKey: name), let inode = entry else { return }
        for below in entries.keys.sorted() where below.parent == inode { drop(below) }
    }

    /// The kernel forgets an inode that no name and no handle needs.
    package mutating func forget(_ inode: UInt64) {
        let isNamed = entries.contains { $0.value == .some(inode) || $0.key.parent == inode }
        guard !isNamed, !handles.values.contains(where: { $0.inode == inode }),
            let count = lookups.removeValue(forKey: inode)
        else { return }
        files.forget(inode, lookups: count)
        attributes[inode] = nil
        listings[inode] = nil
        pages[inode] = nil
    }

    /// The inodes that a path of cached names leads to, parents first.
    package var reachable: [UInt64] {
        var found = [FileSystem.rootInode]
        var index = 0
        while index < found.count {
            let parent = found[index]
            for name in entries.keys.sorted() where name.parent == parent {
                if let entry = entries[name], let inode = entry, !found.contains(inode) {
                    found.append(inode)
                }
            }
            index += 1
        }
        return found
    }

    /// Everything cached that is not what a fresh look shows.
    package func stale(_ view: any IdentityView, now: UInt64) -> [String] {
        var findings: [String] = []
        let reachable = Set(reachable)
        for name in entries.keys.sorted() where reachable.contains(name.parent) {
            let cached = entries[name] ?? nil
            var fresh: UInt64?
            do throws(FSError) {
                let reply = try files.lookup(name.name, in: name.parent, now: now, view: view)
                if case .found(let entry) = reply {
                    fresh = entry.inode
                    files.undoLookup(entry.inode)
                }
            } catch {
                findings.append("\(name): \(error)")
            }
            if fresh != cached {
                let now = String(describing: fresh)
                findings.append("\(name) is \(now), cached as \(String(describing: cached))")
            }
        }
        // Nobody can ask for the attributes of an inode that has neither a name nor a handle.
        let used = reachable.union(handles.values.map(\.inode))
        for inode in attributes.keys.sorted() where used.contains(inode) {
            let fresh = try? files.attributes(of: inode, handle: nil, now: now, view: view).0
            if let cached = attributes[inode], cached != fresh {
                findings.append("\(path(inode)): \(cached), now \(String(describing: fresh))")
            }
        }
        for inode in listings.keys.sorted() where reachable.contains(inode) {
            let fresh = try? list(inode, view)
            if listings[inode] != fresh { findings.append("listing of \(path(inode))") }
        }
        return findings
    }

    private func path(_ inode: UInt64) -> String {
        (files.path(of: inode) ?? "?") + " (\(inode))"
    }

    private func list(_ inode: UInt64, _ view: any IdentityView) throws(FSError) -> [Line] {
        let handle = try files.openDirectory(inode, view: view).handle
        defer { files.releaseDirectory(handle) }
        var lines: [Line] = []
        try files.readDirectory(inode, handle: handle, after: 0, view: view) {
            lines.append(Line(name: $0.name, number: $0.number))
            return true
        }
        return lines
    }
}
