// SPDX-License-Identifier: Apache-2.0

import Identity
package import Raft
package import Store

/// Snapshots: a copy of the state in place of entries that nobody has any more (thesis chapter 5).
extension Replica {
    /// What to send for `.sendSnapshot`: the message, describing a copy of the state.
    ///
    /// The copy may be newer than when the message was made, so it speaks for itself.
    package static func snapshotMessage(_ message: Message, of copy: StoreMetadata) -> Message {
        guard case .snapshot = message.kind, let snapshot = Snapshot(describing: copy) else {
            return message
        }
        var message = message
        message.kind = .snapshot(snapshot)
        return message
    }

    /// Takes a message; a snapshot has to come with its state.
    mutating func receive(_ message: Message) {
        if case .snapshot = message.kind { return }
        drive(.receive(message))
    }

    /// Takes a state that has come whole; one that is not what its message says is not taken.
    mutating func receiveSnapshot(_ message: Message, _ state: RecordStore) {
        guard case .snapshot(let snapshot) = message.kind,
            Snapshot(describing: state.metadata) == snapshot, arrival?.write == nil
        else { return }
        arrival = Arrival(snapshot: snapshot, store: state)
        drive(.receive(message))
        if arrival?.write == nil { arrival = nil }
    }

    /// The state of a snapshot is durable: readers see it, then the member counts on it.
    mutating func replaceState(through number: UInt64) {
        guard let arrival else { preconditionFailure("a snapshot has arrived") }
        self.arrival = nil
        store = arrival.store
        ahead = nil
        retainedBytes = 0
        let index = arrival.snapshot.position.index
        flushedIndex = index
        committed.removeAll { $0.index <= index }
        actions.append(.replaced)
        // Their places are inside the snapshot, which does not say whose entries they were.
        for proposal in inFlight where proposal.position.index <= index {
            reply(proposal, .failure(.timedOut))
        }
        inFlight.removeAll { $0.position.index <= index }
        // More may have become durable while readers were told.
        drive(.persisted(through: arrival.persisted ?? number))
    }
}

extension Snapshot {
    /// The position of a state and who was in the group there; nil before there is a group.
    package init?(describing state: StoreMetadata) {
        guard let group = state.configurations.last else { return nil }
        self.init(
            position: LogPosition(index: state.appliedIndex, term: state.appliedTerm),
            configuration: Configuration(group)
        )
    }
}
