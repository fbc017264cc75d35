// SPDX-License-Identifier: Apache-2.0

/// Compaction and snapshots: thesis chapter 5.
extension Member {
    /// What a snapshot of the state at an applied index that is still in memory stands for.
    package func snapshot(at index: LogIndex) -> Snapshot? {
        guard index <= appliedIndex, let term = log.term(at: index) else { return nil }
        return Snapshot(
            position: LogPosition(index: index, term: term),
            configuration: configurations.configuration(at: index)
        )
    }

    mutating func receiveSnapshotTaken(at index: LogIndex) {
        guard index > snapshot.position.index, let taken = snapshot(at: index) else { return }
        snapshot = taken
    }

    /// Forgets entries that a snapshot covers and that are applied.
    ///
    /// "The leader keeps a few entries for followers that are slightly behind" is the owner's
    /// choice: it compacts less far than its snapshot goes.
    mutating func compact(through index: LogIndex) {
        let index = min(index, snapshot.position.index, appliedIndex)
        log.compact(through: index)
        configurations.compact(through: index)
    }

    /// "The leader must send a snapshot when it has already discarded the next log entry that it
    /// needs to send to a follower" (section 5, in short).
    mutating func sendSnapshot(to id: MemberID) {
        send(.snapshot(snapshot), to: id, after: .nothing)
        let index = snapshot.position.index
        _ = leadership.progress.update(id) { $0.becomeSnapshot(index: index) }
    }

    /// Takes a snapshot whose state has arrived whole.
    mutating func receiveSnapshot(_ new: Snapshot, from sender: MemberID) {
        guard new.position.term <= term, hearLeader(sender) else { return }
        let stamp = Stamp(round: 0, clock: 0)
        guard new.position.index > commitIndex else {
            return answer(.accepted(match: commitIndex), to: sender, stamp)
        }
        // "If the follower has an entry that matches the snapshot's last, it retains the entries
        // that follow" (figure 5.3, in short); then its log says all that the snapshot does.
        if log.contains(new.position) {
            commit(through: new.position.index)
        } else {
            install(new)
        }
        answer(.accepted(match: new.position.index), to: sender, stamp)
    }

    /// Replaces log and state; nothing is applied, and nobody asked for votes, until it is durable.
    private mutating func install(_ new: Snapshot) {
        snapshot = new
        log.reset(to: new.position)
        configurations = ConfigurationHistory(new)
        durability.logReset(to: new)
        commitIndex = new.position.index
        handedIndex = new.position.index
    }

    /// The state now is the snapshot's.
    mutating func snapshotInstalled() {
        appliedIndex = max(appliedIndex, snapshot.position.index)
        noteFreshness()
    }
}
