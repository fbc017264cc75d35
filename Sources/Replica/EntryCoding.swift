// SPDX-License-Identifier: Apache-2.0

import Identity
import Log
package import Raft
package import Store

/// How an entry of Raft stands in the log and what it means to the state.
enum EntryTag {
    static let command: UInt32 = 0
    static let empty: UInt32 = 1
    static let configuration: UInt32 = 2
}

extension LogEntry {
    /// An entry of Raft as the log keeps it.
    init(_ entry: Entry) {
        switch entry.content {
        case .payload(let payload):
            self.init(
                term: entry.term,
                index: entry.index,
                tag: EntryTag.command,
                payload: payload
            )
        case .empty:
            self.init(term: entry.term, index: entry.index, tag: EntryTag.empty, payload: [])
        case .configuration(let configuration):
            self.init(
                term: entry.term,
                index: entry.index,
                tag: EntryTag.configuration,
                payload: GroupConfiguration(configuration, at: entry.index).encoded()
            )
        }
    }
}

extension Entry {
    /// An entry of the log as Raft knows it.
    init(_ entry: LogEntry) throws(RecoveryError) {
        let content: Content
        switch entry.tag {
        case EntryTag.command: content = .payload(entry.payload)
        case EntryTag.empty: content = .empty
        case EntryTag.configuration:
            do throws(StoreError) {
                content = .configuration(
                    Configuration(try GroupConfiguration(decoding: entry.payload))
                )
            } catch {
                throw .undecodable(index: entry.index)
            }
        default: throw .undecodable(index: entry.index)
        }
        self.init(term: entry.term, index: entry.index, content: content)
    }
}

extension GroupConfiguration {
    /// Raft's configuration as the state keeps it.
    package init(_ configuration: Configuration, at index: LogIndex) {
        self.init(
            index: index,
            voters: configuration.voters.map(\.rawValue),
            learners: configuration.learners.map(\.rawValue)
        )
    }
}

extension Configuration {
    /// What the state keeps as Raft knows it.
    package init(_ configuration: GroupConfiguration) {
        self.init(
            voters: configuration.voters.map { MemberID($0) },
            learners: configuration.learners.map { MemberID($0) }
        )
    }
}
