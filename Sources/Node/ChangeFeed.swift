// SPDX-License-Identifier: Apache-2.0

package import FSMap
package import Identity
import Store

/// What the change log answers to somebody who follows it.
package enum ChangePage: Equatable, Sendable {
    /// The next changes, ascending; none where the reader has seen all.
    case changes([Change])
    /// Changes up to this version cannot be shown: they were trimmed, or belong to a history
    /// that this node does not have.
    case dropped(through: UInt64)
}

extension LocalNode {
    /// At most `limit` changes with versions above `version`.
    package func changes(
        after version: UInt64,
        limit: Int
    ) throws(ViewError) -> ChangePage {
        do throws(StoreError) {
            let reader = RecordReader(shown.store)
            let newest = try reader.metadata().recordVersion
            guard version <= newest else { return .dropped(through: newest) }
            switch try reader.changes(after: version, limit: limit) {
            case .changes(let changes): return .changes(changes)
            case .trimmed(let earliest): return .dropped(through: earliest - 1)
            }
        } catch {
            throw .io("\(error)")
        }
    }

    /// The version of the newest change.
    package func newestVersion() throws(ViewError) -> UInt64 {
        do throws(StoreError) {
            return try RecordReader(shown.store).metadata().recordVersion
        } catch {
            throw .io("\(error)")
        }
    }
}

/// Where one reader of the changes is, and what it wants to see of them.
///
/// Nothing is kept for a reader but its place: what it has not taken yet is read from the change
/// log when it comes for more.
package struct ChangeFeed: Sendable {
    /// All changes up to this version have been told or passed over.
    package private(set) var version: UInt64
    private let types: [RecordType]

    /// Follows the changes above a version; `types` empty means all.
    package init(after version: UInt64, types: [RecordType]) {
        self.version = version
        self.types = types
    }

    /// The lines for what the change log answered; moves on.
    ///
    /// Stops early, with a part of the page, at ``Limits/watchedBytesMax``.
    package mutating func take(_ page: ChangePage) -> [UInt8] {
        switch page {
        case .dropped(let through):
            version = through
            return EventLog.gap(through: through)
        case .changes(let changes):
            var lines: [UInt8] = []
            for change in changes {
                let line = line(of: change)
                let isFit = lines.count + line.count <= Limits.watchedBytesMax
                guard isFit || lines.isEmpty else { break }
                version = change.version
                lines += isFit ? line : EventLog.gap(through: change.version)
            }
            return lines
        }
    }

    private func line(of change: Change) -> [UInt8] {
        types.isEmpty || types.contains(change.type) ? EventLog.line(of: change) : []
    }
}
