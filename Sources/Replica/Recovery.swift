// SPDX-License-Identifier: Apache-2.0

import Identity
package import Log
package import Store

/// Why a node refuses to start.
///
/// It never starts with less than it acknowledged.
package enum RecoveryError: Error, Equatable, Sendable {
    case log(LogError)
    case store(StoreError)
    /// The log does not reach the state, at one end or the other: entries are missing.
    case gap(applied: UInt64, logFirst: UInt64, logLast: UInt64)
    /// An entry of the log is not a command of this version.
    case undecodable(index: UInt64)
}

/// Brings the state up to the log after a start: entries beyond the applied index are applied.
///
/// INVARIANT: an entry is applied exactly once, because the index it left off at is in the same
/// batch as its changes.
package enum Recovery {
    /// Returns how many entries were replayed.
    package static func replay<D: Disk>(
        _ log: borrowing DurableLog<D>,
        into store: inout RecordStore
    ) throws(RecoveryError) -> UInt64 {
        let applied = store.metadata.appliedIndex
        guard applied + 1 >= log.firstIndex, applied <= log.lastIndex else {
            throw .gap(applied: applied, logFirst: log.firstIndex, logLast: log.lastIndex)
        }
        var next = applied + 1
        while next <= log.lastIndex {
            let entries = try read(log, from: next)
            for entry in entries {
                try apply(entry, to: &store)
                next = entry.index + 1
            }
        }
        return next - applied - 1
    }

    private static func read<D: Disk>(
        _ log: borrowing DurableLog<D>,
        from index: UInt64
    ) throws(RecoveryError) -> [LogEntry] {
        do throws(LogError) {
            return try log.entries(from: index, bytesMax: 4 << 20)
        } catch {
            throw .log(error)
        }
    }

    private static func apply(
        _ entry: LogEntry,
        to store: inout RecordStore
    ) throws(RecoveryError) {
        let command: Command
        do throws(DocumentError) {
            command = try Command(decoding: entry.payload)
        } catch {
            throw .undecodable(index: entry.index)
        }
        do throws(StoreError) {
            let position = RecordStore.Position(term: entry.term, index: entry.index)
            while try !store.apply(command, at: position).isComplete {}
        } catch {
            throw .store(error)
        }
    }
}
